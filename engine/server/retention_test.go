package server

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
)

// TestRetentionConfig reads how long what is erased stays.
func TestRetentionConfig(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		keys, refused string
		want          engine.Retention
	}{
		{"", "", engine.Retention{}},
		{
			"erase_within: 7d, keep_erasures: 3650d, apply_within: 90s, overdue_unready: true", "",
			engine.Retention{EraseWithin: 7 * day, KeepErasures: 3650 * day, ApplyWithin: 90 * time.Second, Unready: true},
		},
		{"erase_within: 720h", "", engine.Retention{EraseWithin: 30 * day}},
		{"erase_within: 31d", `erase_within: "31d" is not a time of at most 30d`, engine.Retention{}},
		{"erase_within: 0d", "erase_within: ", engine.Retention{}},
		{"erase_within: -1h", "erase_within: ", engine.Retention{}},
		{"erase_within: soon", "erase_within: ", engine.Retention{}},
		{"keep_erasures: 999999999999999999999d", "keep_erasures: ", engine.Retention{}},
		{"keep_erasures: 9999999999d", "keep_erasures: ", engine.Retention{}},
		{"keep_erasures: 29d", "keep_erasures is shorter than erase_within", engine.Retention{}},
		{"erase_within: 1d, keep_erasures: 29d", "", engine.Retention{EraseWithin: day, KeepErasures: 29 * day}},
		{"apply_within: 1ms", "apply_within: ", engine.Retention{}},
	} {
		got, err := ParseConfig("c", []byte("stores: [{path: /a, "+c.keys+"}]"))
		switch {
		case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s: %v, which does not say %s", c.keys, err, c.refused)
		case c.refused == "" && (err != nil || got.Stores[0].Retention != c.want):
			t.Errorf("%s: %+v, %v", c.keys, got.Stores, err)
		}
	}
}

// TestLatencyMetrics shows how long an opt-out took to be obeyed.
func TestLatencyMetrics(t *testing.T) {
	r, _ := startLive(t)
	r.post(t, "acme", optOut+"\n"+eraseOne)
	got := do(t, "GET", "http://"+r.AdminAddr()+"/metrics", "", "").body
	store := r.pools.All()[0].Name
	for _, want := range []string{
		`matchd_event_refusal_seconds_count{store="` + store + `",type="opt_out"} 1`,
		`matchd_event_refusal_seconds_bucket{store="` + store + `",type="erase",le="5e-05"} 1`, // the clock stands still
		`matchd_event_refusal_seconds_bucket{store="` + store + `",type="erase",le="3600"} 1`,
		`matchd_event_log_unobeyed_seconds{store="` + store + `"} 0`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// TestOverdueSaysSo says why the daemon is not ready: an erased customer is in what it
// serves for too long, and every lookup obeys the erasure.
func TestOverdueSaysSo(t *testing.T) {
	s := newStore(t)
	publish(t, s, asOf)
	var passed atomic.Int64
	pools := erasesWithin(t, s, time.Hour, &passed)
	e := pools.All()[0]
	acme := client("acme", grant("acme", true))
	acme.Scopes = allScopes
	r := start(t, Options{Pools: pools, Clients: []Client{acme}})
	r.post(t, "acme", eraseOne)
	must(t, e.Changes().Tend(t.Context(), nil))
	if got := r.ask(t, "GET", "/health/ready", "", ""); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	passed.Store(int64(2 * time.Hour))
	must(t, e.Changes().Tend(t.Context(), nil))
	got := r.ask(t, "GET", "/health/ready", "", "")
	if checkProblem(t, got, 503); !strings.Contains(got.body, "an erased customer is in a snapshot") {
		t.Errorf("%s", got.body)
	}
}
