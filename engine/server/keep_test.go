package server

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/snapshot"
)

// erasesWithin opens a store for live changes, unready where the erased stay in it for
// longer, by a clock that passed is ahead of now.
func erasesWithin(t *testing.T, store *snapshot.Store, within time.Duration, passed *atomic.Int64) *engine.Pools {
	t.Helper()
	e, err := engine.New(engine.Options{
		Store: store, Now: func() time.Time { return now.Add(time.Duration(passed.Load())) },
		Retention: engine.Retention{EraseWithin: within, Unready: true},
	})
	must(t, err)
	t.Cleanup(func() { must(t, e.Close()) })
	_, err = e.Reload()
	must(t, err)
	must(t, e.OpenChanges(filepath.Join(t.TempDir(), "log")))
	pools, err := engine.NewPools(engine.Pool{Name: "pool", Engine: e})
	must(t, err)
	return pools
}

// TestKeep removes a kept snapshot with an erased customer when the time is up,
// says so in the audit log, and makes the daemon unready while she is in what is
// served.
func TestKeep(t *testing.T) {
	store := newStore(t)
	publish(t, store, asOf)
	var passed atomic.Int64
	pools := erasesWithin(t, store, time.Hour, &passed)
	e := pools.All()[0]
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	log, err := audit.Open(path)
	must(t, err)
	acme := client("acme", grant("acme", true))
	acme.Scopes = ScopePrivacy
	r := start(t, Options{Pools: pools, Clients: []Client{acme}, Audit: log})
	r.post(t, "acme", eraseOne)
	first := e.Info().Snapshot
	publish(t, store, asOf.Add(time.Second))
	_, err = e.Reload()
	must(t, err)
	passed.Store(int64(2 * time.Hour))
	ready := func() int { return do(t, "GET", "http://"+r.AdminAddr()+"/health/ready", "", "").status }
	if got := ready(); got != 200 {
		t.Errorf("before it was looked for: %d", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Keep(ctx, time.Millisecond) }()
	for e.Changes().Erased().Removed == 0 || ready() == 200 {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-done
	found := ""
	text, err := os.ReadFile(path)
	must(t, err)
	_, err = audit.Verify(bytes.NewReader(text), func(r audit.Record, _ []byte) error {
		if r.Action == audit.SnapshotsErase {
			found += r.Subject + " " + r.Detail["snapshots"]
		}
		return nil
	})
	if err != nil || found != "pool "+first {
		t.Errorf("audited %q: %v", found, err)
	}
	metrics := do(t, "GET", "http://"+r.AdminAddr()+"/metrics", "", "").body
	for _, want := range []string{`matchd_erasure_overdue_seconds{store="pool"} 3600`, `matchd_snapshots_erased_total{store="pool"} 1`, `matchd_erased_customers_found{store="pool"} 0`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
