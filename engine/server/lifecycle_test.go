package server

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/valyala/fasthttp"
)

func TestReadiness(t *testing.T) {
	store := newStore(t)
	r := start(t, Options{Pools: newPools(t, store)})
	admin := "http://" + r.AdminAddr()
	for _, base := range []string{"http://" + r.Addr(), admin} {
		if got := do(t, "GET", base+"/health/live", "", ""); got.status != 200 {
			t.Errorf("live: got %+v", got)
		}
		checkProblem(t, do(t, "GET", base+"/health/ready", "", ""), 503)
	}
	checkProblem(t, r.ask(t, "GET", "/v1/match?id="+maidOne, "acme", ""), 503)
	checkProblem(t, r.ask(t, "GET", "/v1/match?id="+maidOne, "", ""), 401)
	checkProblem(t, do(t, "POST", admin+"/admin/v1/reload", "", ""), 409)

	cur := publish(t, store, asOf)
	got := do(t, "POST", admin+"/admin/v1/reload", "", "")
	var answer struct {
		Changed  bool
		Snapshot string
	}
	must(t, json.Unmarshal([]byte(got.body), &answer))
	if got.status != 200 || !answer.Changed || answer.Snapshot != cur.Name {
		t.Errorf("reload: got %+v", got)
	}
	for _, base := range []string{"http://" + r.Addr(), admin} {
		if got := do(t, "GET", base+"/health/ready", "", ""); got.status != 200 || strings.TrimSpace(got.body) != `{"status":"ready"}` {
			t.Errorf("ready: got %+v", got)
		}
	}
	if got := r.ask(t, "GET", "/v1/match?id="+maidOne, "acme", ""); got.status != 200 || !strings.Contains(got.body, cur.Name) {
		t.Errorf("got %+v", got)
	}
}

// Unready comes first, then no more connections, and the requests that run
// are finished.
func TestDrain(t *testing.T) {
	s, err := New(Options{Pools: readyPools(t), Clients: testClients(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Drain: time.Hour})
	must(t, err)
	drained, drain := make(chan time.Duration), make(chan bool)
	s.sleep = func(d time.Duration) { drained <- d; <-drain }
	running, finish := make(chan bool), make(chan bool)
	s.lookup = func(ctx *fasthttp.RequestCtx, q *request) *problem {
		if strings.Contains(string(ctx.URI().QueryString()), "slow") {
			running <- true
			<-finish
		}
		return s.serveV1(ctx, q)
	}
	must(t, s.Listen())
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	r := keeper{s}

	slow := r.open(t)
	slow.send("/v1/match?slow&id=" + maidOne)
	<-running
	idle := r.open(t)
	if got := idle.get("/v1/match?id=" + maidOne); got.status != 200 || got.close {
		t.Errorf("before: got %+v", got)
	}

	cancel()
	if d := <-drained; d != time.Hour {
		t.Errorf("drains for %v", d)
	}
	ready := r.open(t).get("/health/ready")
	checkProblem(t, ready, 503)
	if got := idle.get("/v1/match?id=" + maidOne); got.status != 200 || !got.close {
		t.Errorf("while draining: got %+v", got)
	}

	close(drain)
	waitFor(t, func() bool {
		c, err := net.Dial("tcp", s.Addr())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	select {
	case err := <-served:
		t.Fatalf("Serve returned %v while a request was running", err)
	default:
	}
	close(finish)
	if got := slow.read(); got.status != 200 || !strings.Contains(got.body, "matched") {
		t.Errorf("the running request: got %+v", got)
	}
	must(t, <-served)
}

// keeper opens connections that stay open.
type keeper struct{ *Server }

type keptConn struct {
	t *testing.T
	net.Conn
	br *bufio.Reader
}

func (r keeper) open(t *testing.T) *keptConn {
	t.Helper()
	c := (&running{Server: r.Server}).dial(t)
	t.Cleanup(func() { _ = c.Close() })
	return &keptConn{t, c, bufio.NewReader(c)}
}

func (c *keptConn) send(target string) { c.sendAs("acme", target) }

func (c *keptConn) sendAs(client, target string) {
	c.t.Helper()
	_, err := io.WriteString(c.Conn, "GET "+target+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-"+client+"\r\n\r\n")
	must(c.t, err)
}

func (c *keptConn) read() reply {
	c.t.Helper()
	res, err := http.ReadResponse(c.br, nil)
	must(c.t, err)
	return readReply(c.t, res)
}

func (c *keptConn) get(target string) reply {
	c.t.Helper()
	c.send(target)
	return c.read()
}

func TestStopBeforeAndAfterServe(t *testing.T) {
	for range 5 { // a stop that comes at once finds the servers half started
		s, err := New(Options{Pools: readyPools(t), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"})
		must(t, err)
		must(t, s.Listen())
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		must(t, s.Serve(ctx))
	}
}

func TestListenErrors(t *testing.T) {
	e := readyPools(t)
	r := start(t, Options{Pools: e})
	for _, o := range []Options{{Listen: r.Addr(), Admin: "127.0.0.1:0"}, {Listen: "127.0.0.1:0", Admin: r.AdminAddr()}} {
		o.Pools = e
		s, err := New(o)
		must(t, err)
		if err := s.Listen(); err == nil || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("got %v", err)
		}
	}
}

func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	must(t, err)
	ln.SetUnlinkOnClose(false)
	at, err := parseEndpoint(unixPrefix + path)
	must(t, err)
	if _, err := at.listen(); err == nil {
		t.Error("took the socket of a running process")
	}
	must(t, ln.Close())
	again, err := at.listen()
	must(t, err)
	must(t, again.Close())
}

func TestMetrics(t *testing.T) {
	store := newStore(t)
	publish(t, store, asOf)
	r := start(t, Options{Pools: newPools(t, store)})
	for range 3 {
		r.ask(t, "GET", "/v1/match?id="+maidOne, "acme", "")
	}
	r.ask(t, "POST", "/v1/match", "acme", batch(maidOne, maidNobody, "junk"))
	r.ask(t, "GET", "/v1/match?id="+maidOne, "", "")
	r.ask(t, "GET", "/nothing", "", "")
	r.raw(t, "nonsense\r\n\r\n")
	cur := publish(t, store, asOf.AddDate(0, 0, 1))
	do(t, "POST", "http://"+r.AdminAddr()+"/admin/v1/reload", "", "")

	got := do(t, "GET", "http://"+r.AdminAddr()+"/metrics", "", "")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(got.body))
	must(t, err)
	value := func(name string, labels ...string) float64 {
		t.Helper()
		for _, m := range families[name].GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetName()+"="+l.GetValue())
			}
			if slices.Equal(have, labels) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
		t.Errorf("no %s%v", name, labels)
		return -1
	}
	for _, c := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{4, "matchd_lookups_total", []string{"result=matched", "store=store"}},
		{1, "matchd_lookups_total", []string{"result=unknown", "store=store"}},
		{1, "matchd_lookups_total", []string{"result=invalid", "store=store"}},
		{3, "matchd_requests_total", []string{"code=200", "route=match"}},
		{1, "matchd_requests_total", []string{"code=401", "route=match"}},
		{1, "matchd_requests_total", []string{"code=200", "route=match_batch"}},
		{1, "matchd_requests_total", []string{"code=404", "route=other"}},
		{1, "matchd_requests_total", []string{"code=400", "route=refused"}},
		{4, "matchd_request_duration_seconds", []string{"route=match"}},
		{2, "matchd_swaps_total", []string{"store=store"}},
		{0, "matchd_snapshots_refused_total", []string{"store=store"}},
		{0, "matchd_faults_total", []string{"store=store"}},
		{0, "matchd_panics_total", nil},
		{9, "matchd_snapshot_identifiers", []string{"store=store"}},
		{1, "matchd_snapshot_info", []string{"snapshot=" + cur.Name, "store=store"}},
		{float64(now.Unix()), "matchd_snapshot_opened_timestamp_seconds", []string{"store=store"}},
		{float64(r.pools.All()[0].Info().Bytes), "matchd_snapshot_bytes", []string{"store=store"}},
	} {
		if got := value(c.name, c.labels...); got != c.want {
			t.Errorf("%s%v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	for _, name := range []string{"matchd_snapshot_age_seconds", "go_goroutines", "process_open_fds"} {
		if families[name] == nil {
			t.Errorf("no %s", name)
		}
	}
	if got := do(t, "GET", "http://"+r.AdminAddr()+"/debug/pprof/cmdline", "", ""); got.status != 200 {
		t.Errorf("pprof: got %+v", got)
	}
}
