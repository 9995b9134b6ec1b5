package opening

import (
	"context"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/snapshot"
)

// A run measures what it says, and leaves nothing behind.
func TestRun(t *testing.T) {
	c := Default()
	c.IDs, c.Rounds, c.Dir = 20_000, 2, t.TempDir()
	cores := runtime.GOMAXPROCS(0)
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(c.Dir); err != nil || len(left) > 0 || runtime.GOMAXPROCS(0) != cores {
		t.Errorf("left behind: %v, %v, %d of %d cores", left, err, runtime.GOMAXPROCS(0), cores)
	}
	if r.Bytes < 20*int64(c.IDs) || len(r.Read) != c.Rounds || len(r.Kind) != 2 {
		t.Fatalf("%+v", r)
	}
	for i, k := range r.Kind {
		if k.Memory != c.Memory[i] || len(k.Open) != c.Rounds || len(k.Close) != c.Rounds || k.Ratio <= 0 || k.Allocated == 0 {
			t.Errorf("%+v", k)
		}
	}
	if runtime.GOOS == "linux" && (r.Kind[0].Resident.Files < r.Bytes/4 || r.Kind[1].Resident.Anonymous < r.Bytes/4) {
		t.Errorf("%+v of %d bytes are resident", r.Kind, r.Bytes)
	}
}

// What is read and hashed is all that a snapshot consists of.
func TestReadsAllBytes(t *testing.T) {
	w := world.World{IDs: 5000, Seed: 1}
	store, err := w.Publish(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cur, err := store.Current()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Config{IDs: 1, Rounds: 1, Store: store, Memory: []snapshot.Memory{snapshot.Map}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(cur, snapshot.Map)
	if err != nil {
		t.Fatal(err)
	}
	if r.Bytes != s.Bytes() {
		t.Errorf("%d bytes of %d", r.Bytes, s.Bytes())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.IDs = 0 },
		func(c *Config) { c.Rounds = 0 },
		func(c *Config) { c.Memory = nil },
		func(c *Config) { c.Memory = []snapshot.Memory{"disk"}; c.IDs, c.Rounds = 10, 1 },
	} {
		c := Default()
		c.Dir = t.TempDir()
		change(&c)
		if _, err := Run(t.Context(), c); err == nil {
			t.Errorf("%+v is measured", c)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	c := Default()
	c.IDs, c.Dir = 1000, t.TempDir()
	if _, err := Run(ctx, c); err == nil {
		t.Error("it goes on though nobody waits")
	}
}

func TestRatioAndMedian(t *testing.T) {
	a, b := []time.Duration{4, 9, 2}, []time.Duration{8, 3, 2}
	if got := ratio(a, b); got != 1 {
		t.Errorf("ratio %v", got)
	}
	if got := Median(a); got != 4 || !slices.Equal(a, []time.Duration{4, 9, 2}) {
		t.Errorf("median %v of %v", got, a)
	}
}
