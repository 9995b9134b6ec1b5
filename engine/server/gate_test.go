package server

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestGate(t *testing.T) {
	var g gate
	start := time.Now()
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {0, false}, {999 * time.Millisecond, false}, {time.Second, true}, {1999 * time.Millisecond, false}, {time.Hour, true}} {
		if got := g.pass(start.Add(c.after)); got != c.want {
			t.Errorf("after %v: got %v", c.after, got)
		}
	}
}

// A caller who asks for a damaged record again and again does not fill the
// log.
func TestFaultsAreLoggedOnceASecond(t *testing.T) {
	store := newStore(t)
	cur := publish(t, store, asOf)
	e := newPools(t, store)
	files, err := filepath.Glob(filepath.Join(store.Dir(), "snapshots", cur.Name, "*record*"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("the snapshot has no file of records")
	}
	for _, path := range files {
		damage(t, path)
	}
	var log bytes.Buffer // written while requests are served, one at a time
	s, err := New(Options{Pools: e, Clients: testClients(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, err)
	begun := time.Now()
	for range 50 {
		ctx := requestCtx(t, "GET", "/v1/identifiers?customer=acme:C-1", "key-both", "")
		s.handle(ctx)
		if got := ctx.Response.StatusCode(); got != 500 {
			t.Fatalf("got %d %s", got, ctx.Response.Body())
		}
	}
	lines := strings.Count(log.String(), "list identifiers")
	if most := 1 + int(time.Since(begun)/time.Second); lines < 1 || lines > most {
		t.Errorf("%d lines, want 1 to %d:\n%s", lines, most, log.String())
	}
}

// damage overwrites the middle of a mapped file.
func damage(t *testing.T, path string) {
	t.Helper()
	must(t, os.Chmod(path, 0o600))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer func() { must(t, f.Close()) }()
	info, err := f.Stat()
	must(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, int(info.Size())), 0)
	must(t, err)
}
