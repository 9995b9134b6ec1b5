package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/rekey"
)

// wire is a TCP proxy to a server that may be another one later, or nobody. It
// cuts connections at random bytes, or resets them.
type wire struct {
	net.Listener
	to   atomic.Pointer[string]
	most atomic.Int64 // bytes of a connection's answers, at random up to; 0 cuts none
	all  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &wire{Listener: ln, conns: map[net.Conn]bool{}}
	w.to.Store(&to)
	w.all.Go(w.accept)
	t.Cleanup(func() { _ = ln.Close(); w.cut(); w.all.Wait() })
	return w
}

func (w *wire) url() string { return "http://" + w.Addr().String() }

// cut ends all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Close()
	}
}

func (w *wire) keep(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[c] = true
}

func (w *wire) accept() {
	for {
		c, err := w.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", *w.to.Load())
		if err != nil {
			_ = c.Close()
			continue
		}
		w.keep(c)
		w.keep(to)
		w.all.Go(func() { _, _ = io.Copy(to, c); _ = to.Close() })
		w.all.Go(func() {
			from := io.Reader(to)
			if most := w.most.Load(); most > 0 {
				from = io.LimitReader(to, rand.Int64N(most))
			}
			_, _ = io.Copy(c, from)
			if tcp, ok := c.(*net.TCPConn); ok && rand.IntN(2) == 0 {
				_ = tcp.SetLinger(0) // a reset
			}
			_, _ = c.Close(), to.Close()
		})
	}
}

// following is a follower of a leader, over a store.
type following struct {
	*running
	clock *atomic.Int64 // that of its engine
	store *snapshot.Store
	dir   string
	close func()
}

func (f *following) changes() *engine.Changes { return f.pools.All()[0].Changes() }

// twin is another store with the key of one, and the same snapshot.
func twin(t *testing.T, of *snapshot.Store) *snapshot.Store {
	t.Helper()
	secret, err := of.Secret()
	must(t, err)
	s, err := snapshot.CreateStore(snapshot.OS{}, t.TempDir()+"/store", &secret)
	must(t, err)
	publish(t, s, asOf)
	return s
}

// followerOf starts a follower. Its replica is in dir.
func followerOf(t *testing.T, s *snapshot.Store, dir string, leader engine.Leader) *following {
	t.Helper()
	f := &following{clock: new(atomic.Int64), store: s, dir: dir}
	f.clock.Store(now.UnixNano())
	e, err := engine.New(engine.Options{Store: s, Now: func() time.Time { return time.Unix(0, f.clock.Load()) }, CacheBytes: 1 << 20})
	must(t, err)
	closed := sync.OnceFunc(func() { must(t, e.Close()) })
	t.Cleanup(closed)
	leader.Key = "key-root"
	must(t, e.Follow(dir, leader))
	if _, err := s.Current(); err == nil {
		if _, err = e.Reload(); !errors.Is(err, engine.ErrBehind) {
			must(t, err)
		}
	}
	pools, err := engine.NewPools(engine.Pool{Name: "store", Engine: e})
	must(t, err)
	acme, root := client("acme", grant("acme", true)), client("root", grant("acme", true), grant("globex", false))
	acme.Scopes, root.Scopes = ScopeMatch|ScopeEvents|ScopePrivacy, allScopes
	f.running = start(t, Options{Pools: pools, Clients: []Client{acme, root}})
	f.close = func() { f.stop(); closed() }
	return f
}

// leads is a leader over a store, with a log in a folder.
func leads(t *testing.T, s *snapshot.Store, dir string) (_ *running, end func()) {
	t.Helper()
	e, err := engine.New(engine.Options{Store: s, Now: func() time.Time { return now }, CacheBytes: 1 << 20})
	must(t, err)
	closed := sync.OnceFunc(func() { must(t, e.Close()) })
	t.Cleanup(closed)
	must(t, e.OpenChanges(dir))
	_, err = e.Reload()
	must(t, err)
	pools, err := engine.NewPools(engine.Pool{Name: "store", Engine: e})
	must(t, err)
	acme, root := client("acme", grant("acme", true)), client("root", grant("acme", true), grant("globex", false))
	acme.Scopes, root.Scopes = ScopeMatch|ScopeEvents|ScopePrivacy, allScopes
	r := start(t, Options{Pools: pools, Clients: []Client{acme, root}})
	return r, func() { r.stop(); closed() }
}

// until waits for what comes of itself.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not come to it: %s", what)
		}
	}
}

// exported are the lines that a log gives, as one text.
func exported(t *testing.T, log engine.Log) string {
	t.Helper()
	var out strings.Builder
	must(t, log.Export(0, func(e eventlog.Extent) error { fmt.Fprintln(&out, log.ID(), e); return nil }, func(s *eventlog.Sealed) error {
		fmt.Fprintln(&out, *s)
		return nil
	}))
	return out.String()
}

func (r *running) ready(t *testing.T) (status int, detail string) {
	t.Helper()
	got := r.ask(t, "GET", "/health/ready", "", "")
	if got.status == http.StatusServiceUnavailable {
		checkProblem(t, got, 503)
	}
	return got.status, got.body
}

// TestFollow: a follower obeys what its leader took, over cuts and restarts of
// either, has the same log in the end, and takes nothing itself.
func TestFollow(t *testing.T) {
	store := newStore(t)
	publish(t, store, asOf)
	dir := t.TempDir()
	leader, end := leads(t, store, filepath.Join(dir, "leader"))
	w := newWire(t, leader.Addr())
	at := engine.Leader{URL: w.url(), Lag: engine.MinLag}
	f := followerOf(t, twin(t, store), filepath.Join(dir, "follower"), at)
	f.matches(t, "acme", `"matched"`)
	leader.post(t, "acme", optOut)
	until(t, "the opt-out", func() bool {
		return strings.Contains(f.ask(t, "GET", "/v1/match?id="+maidOne, "acme", "").body, "opted_out")
	})
	got, _ := f.post(t, "acme", optBack)
	if checkProblem(t, got, http.StatusMisdirectedRequest); !strings.Contains(got.body, w.url()) {
		t.Errorf("%+v", got)
	}
	code, body := f.form(t, "/admin/v1/privacy/erase", url.Values{"tenant": {"acme"}, "customer": {"acme:C-1"}})
	if code != http.StatusMisdirectedRequest || !strings.Contains(body, w.url()) {
		t.Errorf("%d %s", code, body)
	}
	if _, err := f.changes().Take("acme", nil); !errors.Is(err, engine.ErrFollower) {
		t.Errorf("a follower takes changes: %v", err)
	}
	// Cuts at any byte, while changes are taken.
	w.most.Store(3000)
	w.cut()
	for i := range 15 {
		var body strings.Builder
		for k := range 20 {
			fmt.Fprintf(&body, `{"id":"m-%d-%d","type":"consent","customer":"acme:C-%d","status":"withdrawn"}`+"\n", i, k, i*20+k+1)
		}
		leader.post(t, "acme", body.String())
	}
	leader.post(t, "acme", optBack+"\n"+eraseOne)
	same := func() bool {
		a, _, _ := leader.pools.All()[0].Changes().Log().Last()
		b, _, _ := f.changes().Log().Last()
		return a == b && exported(t, leader.pools.All()[0].Changes().Log()) == exported(t, f.changes().Log())
	}
	until(t, "the same log, redacted likewise", same)
	if !strings.Contains(exported(t, f.changes().Log()), "true") {
		t.Error("nothing is redacted")
	}
	// The follower is restarted while its leader is away, and obeys what it has.
	w.most.Store(0)
	end()
	w.cut()
	f.close()
	f = followerOf(t, f.store, f.dir, at)
	if status, detail := f.ready(t); status != 503 || !strings.Contains(detail, "never had all") {
		t.Errorf("without its leader: %d %s", status, detail)
	}
	if got := f.ask(t, "GET", "/v1/identifiers?customer=acme:C-1", "root", ""); strings.Contains(got.body, maidOne) {
		t.Errorf("without its leader, who is erased: %s", got.body)
	}
	leader, _ = leads(t, store, filepath.Join(dir, "leader"))
	addr := leader.Addr()
	w.to.Store(&addr)
	until(t, "ready again", func() bool { status, _ := f.ready(t); return status == 200 })
	leader.post(t, "acme", `{"id":"z","type":"opt_out","tenant":"acme","identifier":"`+cookieOne+`"}`)
	until(t, "the same log again", same)
	metrics := do(t, "GET", "http://"+f.AdminAddr()+"/metrics", "", "").body
	if seq, _, _ := f.changes().Log().Last(); !strings.Contains(metrics, fmt.Sprintf(`matchd_follow_seq{store="store"} %d`, seq)) || !strings.Contains(metrics, `matchd_follow_lag_seconds{store="store"} 0`) {
		t.Error("the metrics do not tell how it follows")
	}
	// Its own stream is its leader's, too.
	if a, b := leader.ask(t, "GET", "/v1/events?after=0", "root", ""), f.ask(t, "GET", "/v1/events?after=0", "root", ""); a.body != b.body {
		t.Errorf("they stream\n%s\nand\n%s", a.body, b.body)
	}
}

// TestFollowerLags: one that has not heard from its leader for longer than its
// bound is not ready, and says why.
func TestFollowerLags(t *testing.T) {
	store := newStore(t)
	publish(t, store, asOf)
	dir := t.TempDir()
	leader, end := leads(t, store, filepath.Join(dir, "leader"))
	f := followerOf(t, twin(t, store), filepath.Join(dir, "follower"), engine.Leader{URL: "http://" + leader.Addr(), Lag: time.Hour})
	until(t, "ready", func() bool { status, _ := f.ready(t); return status == 200 })
	end()
	until(t, "an error", func() bool { at, _ := f.changes().Following(); return at.Err != nil })
	f.clock.Add(int64(time.Hour))
	if status, detail := f.ready(t); status != 200 {
		t.Errorf("at the bound: %d %s", status, detail)
	}
	f.clock.Add(1)
	if status, detail := f.ready(t); status != 503 || !strings.Contains(detail, "1h0m0s") || !strings.Contains(detail, "cannot be reached") || strings.Contains(detail, "127.0.0.1") {
		t.Errorf("beyond the bound: %d %s", status, detail)
	}
	f.matches(t, "acme", `"matched"`)
	if metrics := do(t, "GET", "http://"+f.AdminAddr()+"/metrics", "", "").body; !strings.Contains(metrics, `matchd_follow_lag_seconds{store="store"} 3600`) {
		t.Error("the metrics do not tell the lag")
	}
}

// TestFollowerOfAnother: a leader that has another log, or one that went another
// way, is refused, and the follower is not ready.
func TestFollowerOfAnother(t *testing.T) {
	store := newStore(t)
	publish(t, store, asOf)
	dir := t.TempDir()
	leader, _ := leads(t, store, filepath.Join(dir, "leader"))
	leader.post(t, "acme", optOut)
	w := newWire(t, leader.Addr())
	f := followerOf(t, twin(t, store), filepath.Join(dir, "follower"), engine.Leader{URL: w.url(), Lag: engine.MaxLag})
	until(t, "ready", func() bool { status, _ := f.ready(t); return status == 200 })
	other, _ := leads(t, twin(t, store), filepath.Join(dir, "other"))
	elsewhere, _ := leads(t, func() *snapshot.Store { s := newStore(t); publish(t, s, asOf); return s }(), filepath.Join(dir, "elsewhere"))
	for _, c := range []struct {
		leader *running
		want   string
	}{{other, "not its own"}, {elsewhere, "not its own"}, {leader, ""}} {
		addr := c.leader.Addr()
		w.to.Store(&addr)
		w.cut()
		until(t, "told of "+c.want, func() bool {
			status, detail := f.ready(t)
			return status == 200 && c.want == "" || status == 503 && c.want != "" && strings.Contains(detail, c.want)
		})
		if seq, _, _ := f.changes().Log().Last(); seq != 1 {
			t.Errorf("it has %d records", seq)
		}
	}
	// One of another key is not begun with.
	e := newEngine(t, twin(t, store))
	if err := e.Follow(filepath.Join(dir, "new"), engine.Leader{URL: "http://" + elsewhere.Addr(), Key: "key-root"}); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another key: %v", err)
	}
	for _, l := range []engine.Leader{{URL: "x", Key: "k"}, {URL: w.url()}, {URL: w.url(), Key: "k", Lag: 1}, {URL: w.url(), Key: "k", Lag: engine.MaxLag + 1}, {URL: w.url(), Key: "wrong"}} {
		if err := newEngine(t, twin(t, store)).Follow(filepath.Join(dir, "new"), l); err == nil || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

// TestFollowerRefusedAtFirst: a first start that is refused leaves nothing that is
// in the way of the next one.
func TestFollowerRefusedAtFirst(t *testing.T) {
	store := newStore(t)
	publish(t, store, asOf)
	dir := t.TempDir()
	leader, _ := leads(t, store, filepath.Join(dir, "leader"))
	leader.post(t, "acme", optOut)
	other, _ := leads(t, twin(t, store), filepath.Join(dir, "other"))
	elsewhere, _ := leads(t, func() *snapshot.Store { s := newStore(t); publish(t, s, asOf); return s }(), filepath.Join(dir, "elsewhere"))
	bound := twin(t, store)
	must(t, bound.SetLog(leader.pools.All()[0].Changes().Log().ID().String()))
	replica := filepath.Join(dir, "replica")
	for what, at := range map[string]engine.Leader{
		"another log than the store's":  {URL: "http://" + other.Addr(), Key: "key-root"},
		"the log of another key":        {URL: "http://" + elsewhere.Addr(), Key: "key-root"},
		"a key that the leader refuses": {URL: "http://" + leader.Addr(), Key: "wrong"},
	} {
		e, err := engine.New(engine.Options{Store: bound})
		must(t, err)
		if err := e.Follow(replica, at); err == nil {
			t.Errorf("%s: it follows", what)
		}
		must(t, e.Close())
		if _, err := os.Stat(replica); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something is left: %v", what, err)
		}
	}
	f := followerOf(t, bound, replica, engine.Leader{URL: "http://" + leader.Addr()})
	until(t, "the opt-out", func() bool {
		return strings.Contains(f.ask(t, "GET", "/v1/match?id="+maidOne, "acme", "").body, "opted_out")
	})
}

// TestFollowMoved: a follower that has nothing of the log yet, over a copy of the
// leader's store that was moved to another key, answers once it has the opt-outs and
// erasures of before, and then as the leader does: nobody who is gone is an output.
func TestFollowMoved(t *testing.T) {
	store := newStore(t)
	publish(t, store, asOf)
	dir := t.TempDir()
	log := filepath.Join(dir, "leader")
	leader, end := leads(t, store, log)
	leader.post(t, "acme", optOut+"\n"+`{"id":"e","type":"erase","tenant":"acme","customer":"acme:C-2"}`)
	end()
	_, err := rekey.Run(t.Context(), rekey.Options{Store: store, Log: log, Workers: 1})
	must(t, err)
	twin := filepath.Join(dir, "twin")
	must(t, os.CopyFS(twin, os.DirFS(store.Dir())))
	keys, err := filepath.Glob(filepath.Join(twin, "keys", "*.key"))
	must(t, err)
	for _, path := range append(keys, filepath.Join(twin, "secret.key")) {
		must(t, os.Chmod(path, 0o600))
	}
	moved, err := snapshot.OpenStore(twin)
	must(t, err)
	leader, _ = leads(t, store, log)
	f := followerOf(t, moved, filepath.Join(dir, "follower"), engine.Leader{URL: "http://" + leader.Addr(), Lag: engine.MinLag})
	until(t, "the log of before the move", func() bool {
		_, err := f.pools.All()[0].Reload()
		return err == nil
	})
	for _, ask := range [...]struct{ client, what, want string }{
		{"acme", "match?id=" + cookieOne, `"matched"`},
		{"acme", "match?id=" + maidOne, "opted_out"},
		{"acme", "match?id=" + maidTwo, "unknown"},
		{"root", "identifiers?customer=acme:C-1", cookieOne},
		{"root", "identifiers?customer=acme:C-2", "unknown"},
	} {
		for who, r := range map[string]*running{"the leader": leader, "the follower": f.running} {
			got := r.ask(t, "GET", "/v1/"+ask.what, ask.client, "").body
			if lists := ask.client == "root" && strings.Contains(got, maidOne); !strings.Contains(got, ask.want) || lists {
				t.Errorf("%s says of %s: %s", who, ask.what, got)
			}
		}
	}
}

// TestPromoted: a follower that is started without a leader goes on with the same
// log, and so does another follower of it.
func TestPromoted(t *testing.T) {
	store := newStore(t)
	publish(t, store, asOf)
	dir := t.TempDir()
	leader, end := leads(t, store, filepath.Join(dir, "leader"))
	w := newWire(t, leader.Addr())
	at := engine.Leader{URL: w.url(), Lag: engine.MinLag}
	one := followerOf(t, twin(t, store), filepath.Join(dir, "one"), at)
	two := followerOf(t, twin(t, store), filepath.Join(dir, "two"), at)
	_, first := leader.post(t, "acme", optOut+"\n"+`{"id":"s","type":"segment_add","customer":"acme:C-2","segment":"vip"}`)
	log := leader.pools.All()[0].Changes().Log()
	has := func(f *following, seq uint64) func() bool {
		return func() bool { last, _, _ := f.changes().Log().Last(); return last == seq }
	}
	seq, _, hash := log.Last()
	until(t, "both have all", func() bool { return has(one, seq)() && has(two, seq)() })
	id := log.ID()
	// The leader is lost for good, and the first follower takes its place.
	end()
	w.cut()
	one.close()
	promoted, _ := leads(t, one.store, one.dir)
	addr := promoted.Addr()
	w.to.Store(&addr)
	log = promoted.pools.All()[0].Changes().Log()
	if last, _, h := log.Last(); log.ID() != id || last != seq || h != hash {
		t.Errorf("the log is %s, and ends at %d, %s; it was %s, %d, %s", log.ID(), last, h, id, seq, hash)
	}
	promoted.matches(t, "acme", "opted_out") // what was taken before is obeyed
	_, again := promoted.post(t, "acme", optOut)
	if r := again.Results[0].Receipts[0]; !r.Known || r.Hash != first.Results[0].Receipts[0].Hash {
		t.Errorf("sent again: %+v, and it was %+v", r, first.Results[0])
	}
	_, next := promoted.post(t, "acme", optBack+"\n"+`{"id":"e","type":"erase","tenant":"acme","customer":"acme:C-2"}`)
	if r := next.Results[0].Receipts[0]; r.Log != id.String() || r.Seq != int(seq)+1 {
		t.Errorf("the next change is %+v, after %d", r, seq)
	}
	promoted.matches(t, "acme", `"matched"`) // and what is taken now
	until(t, "the other follower has the same log", func() bool {
		return has(two, seq+2)() && exported(t, two.changes().Log()) == exported(t, log)
	})
	two.matches(t, "acme", `"matched"`)
	until(t, "ready", func() bool { status, _ := two.ready(t); return status == 200 })
	if !strings.Contains(exported(t, log), "true") {
		t.Error("nothing is redacted")
	}
	// One chain, from the first record to the last, is what a restart finds.
	before := hash
	must(t, log.Export(seq, func(eventlog.Extent) error { return nil }, func(s *eventlog.Sealed) error {
		if s.Prev != before {
			t.Errorf("record %d follows %s, not %s", s.Seq, s.Prev, before)
		}
		before = s.Hash
		return nil
	}))
	two.close()
	alone, _ := leads(t, two.store, two.dir) // as the next leader
	if last, _, h := alone.pools.All()[0].Changes().Log().Last(); last != seq+2 || h != before {
		t.Errorf("the other follower's log ends at %d, %s", last, h)
	}
	if _, a := alone.post(t, "acme", `{"id":"x","type":"segment_add","customer":"acme:C-2","segment":"vip"}`); !strings.Contains(a.Results[0].Detail, "was erased") {
		t.Errorf("%+v", a)
	}
}

// TestFollowerWithoutSnapshot: what comes before there is a snapshot is obeyed by
// the first one.
func TestFollowerWithoutSnapshot(t *testing.T) {
	store := newStore(t)
	publish(t, store, asOf)
	dir := t.TempDir()
	leader, _ := leads(t, store, filepath.Join(dir, "leader"))
	leader.post(t, "acme", optOut+"\n"+`{"id":"c","type":"consent","customer":"acme:C-1","status":"withdrawn"}`+"\n"+eraseOne)
	secret, err := store.Secret()
	must(t, err)
	bare, err := snapshot.CreateStore(snapshot.OS{}, filepath.Join(dir, "store"), &secret)
	must(t, err)
	f := followerOf(t, bare, filepath.Join(dir, "follower"), engine.Leader{URL: "http://" + leader.Addr()})
	until(t, "all records", func() bool { seq, _, _ := f.changes().Log().Last(); return seq == 3 })
	publish(t, bare, asOf)
	_, err = f.pools.All()[0].Reload()
	must(t, err)
	f.matches(t, "acme", "opted_out")
	until(t, "redacted", func() bool {
		redacted := false
		must(t, f.changes().Log().Scan(0, func(r eventlog.Record) error { redacted = redacted || r.Redacted; return nil }))
		return redacted
	})
}

// TestFollowerBehindItsSnapshot: a snapshot that contains more than the follower
// has is opened once that has come.
func TestFollowerBehindItsSnapshot(t *testing.T) {
	store := newStore(t)
	publish(t, store, asOf)
	dir := t.TempDir()
	leader, _ := leads(t, store, filepath.Join(dir, "leader"))
	w := newWire(t, leader.Addr())
	at := engine.Leader{URL: w.url(), Lag: engine.MinLag}
	of := twin(t, store)
	f := followerOf(t, of, filepath.Join(dir, "follower"), at)
	until(t, "ready", func() bool { status, _ := f.ready(t); return status == 200 })
	nobody := "127.0.0.1:1"
	w.to.Store(&nobody)
	w.cut()
	leader.post(t, "acme", optOut)
	publishHub(t, of, asOf.Add(time.Hour), 0, map[string]uint64{leader.pools.All()[0].Changes().Log().ID().String(): 1})
	e := f.pools.All()[0]
	was := e.Info().Snapshot
	if _, err := e.Reload(); !errors.Is(err, engine.ErrBehind) {
		t.Errorf("before the follower has come so far: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop()
	watching.Go(func() { e.Watch(ctx, time.Millisecond) })
	addr := leader.Addr()
	w.to.Store(&addr)
	until(t, "the snapshot", func() bool { return e.Info().Snapshot != was })
	f.matches(t, "acme", "opted_out")
}

// TestFollowerKeeps: a follower does what is to be done about erasures without a
// note of its own, and knows since when it obeys them whatever its leader notes.
func TestFollowerKeeps(t *testing.T) {
	store := newStore(t)
	publish(t, store, asOf)
	dir := t.TempDir()
	leader, _ := leads(t, store, filepath.Join(dir, "leader"))
	leading := leader.pools.All()[0].Changes()
	w := newWire(t, leader.Addr())
	f := followerOf(t, twin(t, store), filepath.Join(dir, "follower"), engine.Leader{URL: w.url()})
	// It answers by a snapshot before anything comes, and then all comes at once.
	until(t, "ready", func() bool { status, _ := f.ready(t); return status == 200 })
	nobody := "127.0.0.1:1"
	w.to.Store(&nobody)
	w.cut()
	leader.post(t, "acme", optOut+"\n"+eraseOne)
	must(t, leading.Tend(t.Context(), nil))
	addr := leader.Addr()
	w.to.Store(&addr)
	seq, _, _ := leading.Log().Last()
	if seq < 3 {
		t.Fatalf("the leader notes nothing: %d records", seq)
	}
	until(t, "all records", func() bool { has, _, _ := f.changes().Log().Last(); return has == seq })
	until(t, "obeyed", func() bool {
		l := f.changes().Latency()
		return slices.Contains(l.OptOuts.Buckets[:], 1) && slices.Contains(l.Erasures.Buckets[:], 1)
	})
	must(t, f.changes().Tend(t.Context(), nil))
	must(t, f.changes().Tend(t.Context(), nil))
	if has, _, _ := f.changes().Log().Last(); has != seq {
		t.Errorf("it notes something: record %d", has)
	}
	direct := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := direct.PostForm("http://"+f.AdminAddr()+"/admin/v1/privacy/erase", url.Values{"tenant": {"acme"}, "customer": {"acme:C-2"}})
	must(t, err)
	checkProblem(t, readReply(t, res), http.StatusMisdirectedRequest)
}

// TestFollowConfig reads whom a store follows.
func TestFollowConfig(t *testing.T) {
	for store, want := range map[string]string{
		`{path: a, events: b, follow: "http://c:1", follow_key_file: k}`:           "",
		`{path: a, events: b, follow: "http://c:1", follow_key_file: k, lag: 10s}`: "",
		`{path: a, events: b, follow: "http://c:1"}`:                               "follow_key_file",
		`{path: a, follow: "http://c:1", follow_key_file: k}`:                      "takes events",
		`{path: a, events: b, lag: 10s}`:                                           "follow is missing",
		`{path: a, events: b, follow_key_file: k}`:                                 "follow is missing",
		`{path: a, events: b, follow: "http://c:1", follow_key_file: k, lag: 1s}`:  "lag is",
		`{path: a, events: b, follow: "http://c:1", follow_key_file: k, lag: x}`:   "lag: ",
	} {
		c, err := ParseConfig("/etc/matchd.yaml", []byte("stores: ["+store+"]"))
		if want == "" && err == nil {
			if s := c.Stores[0]; s.Follow != "http://c:1" || s.FollowKeyFile != "/etc/k" || !slices.Contains([]time.Duration{0, 10 * time.Second}, s.Lag) {
				t.Errorf("%s: %+v", store, s)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || want == "" {
			t.Errorf("%s: %v", store, err)
		}
	}
}
