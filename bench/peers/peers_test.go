package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/peer"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/snapshot"
)

// runVar makes this test's program the peers' one.
const runVar = "MATCHD_TEST_RUN_PEERS"

func TestMain(m *testing.M) {
	if os.Getenv(runVar) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// testWorld has a last person with fewer mobile ids than others.
var testWorld = &world.World{IDs: 2000, Seed: 9}

func publish(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if _, err := testWorld.Publish(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// goMap is the model: a Go map of the same world.
type goMap struct {
	records map[[16]byte][]byte
	read    ask.Reader
}

func newGoMap(t testing.TB, dir string) *goMap {
	t.Helper()
	store, err := snapshot.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	current, err := store.Current()
	if err != nil {
		t.Fatal(err)
	}
	snap, err := store.Open(current, snapshot.Map)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = snap.Close() })
	m := &goMap{records: map[[16]byte][]byte{}, read: ask.Reader{Snapshot: snap}}
	for id, record := range testWorld.Packed(snap) {
		m.records[testWorld.UUID(id)] = record
	}
	if len(m.records) != testWorld.IDs {
		t.Fatalf("the model holds %d of %d identifiers", len(m.records), testWorld.IDs)
	}
	return m
}

// Ask implements [ask.Answerer].
func (m *goMap) Ask(ids [][]byte) (sum uint64) {
	for _, text := range ids {
		u, _ := ask.ParseMAID(text)
		if record, ok := m.records[u]; ok {
			sum += m.read.Sum(record)
		}
	}
	return sum
}

// Every peer, run as a process, answers every question as a Go map of the same
// world does, and two goroutines of it the same.
func TestPeersAnswerAsAGoMap(t *testing.T) {
	dir := publish(t)
	model := newGoMap(t, dir)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(runVar, "yes")
	for _, name := range peer.Names() {
		t.Run(name, func(t *testing.T) {
			files := filepath.Join(t.TempDir(), "files")
			p, err := peer.Start(t.Context(), peer.Config{
				Program: program, Peer: name, Store: dir, IDs: testWorld.IDs, Seed: testWorld.Seed, Dir: files, Log: t.Logf,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}()
			if r := p.Ready(); r.Ready != name || !strings.HasPrefix(r.Version, "v") || r.LoadSeconds <= 0 || r.Disk < 2000*keySize {
				t.Errorf("it is ready as %+v", r)
			}
			for _, hits := range []float64{1, 0, 0.2} {
				for _, batch := range []int{1, 256} {
					compare(t, p, model, ask.Question{Draw: world.Draw{Hits: hits, Zipf: batch > 1}, Batch: batch, Cores: 1 + batch%2})
				}
			}
			wrong := ask.Question{Batch: 0, Cores: 1}
			if _, err := p.Time(t.Context(), wrong, 1, 1, 1); err == nil {
				t.Error("batches of 0 are answered")
			}
			if s, err := p.Stats(t.Context()); err != nil || s.Disk < 2000*keySize || s.Resident < 0 {
				t.Errorf("stats %+v, %v", s, err)
			}
		})
	}
}

func compare(t *testing.T, p *peer.Peer, model *goMap, q ask.Question) {
	t.Helper()
	const n, pool, seed = 5000, 3000, 4
	got, err := p.Time(t.Context(), q, n, pool, seed)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ask.Time(q, []ask.Answerer{model, &goMap{model.records, ask.Reader{Snapshot: model.read.Snapshot}}}, testWorld.Draw(q.Draw, pool, seed), n)
	if err != nil {
		t.Fatal(err)
	}
	if got.Sum != want.Sum || got.NS <= 0 {
		t.Errorf("%+v: took %+v, and the map's sum is %d", q, got, want.Sum)
	}
	if (want.Sum == 0) != (q.Hits == 0) {
		t.Errorf("%+v: the map's sum is %d", q, want.Sum)
	}
}

// What is not as it should be is refused, by name, before anything is served.
func TestLoadRefuses(t *testing.T) {
	dir := publish(t)
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	w := *testWorld
	for _, c := range []struct {
		why  string
		ctx  context.Context
		h    holder
		want string
	}{
		{"another peer", t.Context(), holder{name: "redis", from: dir, dir: t.TempDir(), world: &w}, `no peer "redis"`},
		{"no folder", t.Context(), holder{name: peer.Bbolt, from: dir, world: &w}, "--dir"},
		{"a full folder", t.Context(), holder{name: peer.Bbolt, from: dir, dir: full, world: &w}, "not empty"},
		{"no store", t.Context(), holder{name: peer.Bbolt, from: full, dir: t.TempDir(), world: &w}, "open store"},
		{"a larger world", t.Context(), holder{name: peer.Bbolt, from: dir, dir: t.TempDir(), world: &world.World{IDs: 2010, Seed: 9}}, "2001 of 2010"},
		{"another world", t.Context(), holder{name: peer.Bbolt, from: dir, dir: t.TempDir(), world: &world.World{IDs: 2000, Seed: 8}}, "is answered with the sum"},
		{"nobody waits", ended, holder{name: peer.Bbolt, from: dir, dir: t.TempDir(), world: &w}, "canceled"},
	} {
		_, err := c.h.Load(c.ctx)
		c.h.close()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error %v does not say %q", c.why, err, c.want)
		}
	}
}

// Loading that is stopped half way, in every store, is an error and hangs nobody.
func TestLoadStops(t *testing.T) {
	dir := publish(t)
	for name, kind := range kinds {
		h := &holder{name: name, from: dir, dir: t.TempDir(), world: testWorld}
		if err := h.prepare(); err != nil {
			t.Fatal(err)
		}
		pairs, err := sortPairs(t.Context(), h.world, h.snap)
		if err != nil {
			t.Fatal(err)
		}
		ended, stop := context.WithCancel(t.Context())
		stop()
		h.store = kind.create(h.dir)
		_ = h.store.load(ended, pairs) // the context tells
		h.close()
	}
}

// The pairs ascend, and are the world's.
func TestSortedPairs(t *testing.T) {
	model := newGoMap(t, publish(t))
	pairs, err := sortPairs(t.Context(), testWorld, model.read.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	last, n, size := "", 0, int64(0)
	for key, record := range pairs.all(t.Context()) {
		if string(key) <= last {
			t.Fatalf("%x comes after %x", key, last)
		}
		if string(model.records[[16]byte(key)]) != string(record) {
			t.Fatalf("%x has another record", key)
		}
		last, n, size = string(key), n+1, size+int64(len(key)+len(record))
	}
	if n != testWorld.IDs || size != pairs.bytes {
		t.Errorf("%d pairs of %d bytes, not %d of %d", n, size, testWorld.IDs, pairs.bytes)
	}
}
