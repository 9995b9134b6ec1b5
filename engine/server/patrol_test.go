package server

import (
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// deadlines is a connection that only notes which deadlines were set.
type deadlines struct {
	net.Conn
	read, write bool
}

func (d *deadlines) RemoteAddr() net.Addr              { return &net.UnixAddr{Net: "unix"} }
func (d *deadlines) SetReadDeadline(t time.Time) error { d.read = t.Before(time.Now()); return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.write = t.Before(time.Now())
	return nil
}

// A connection that goes from wait to wait at random moments is cut off when,
// and only when, one of them has outlasted its patience: not before, at most
// two ticks after, and in the direction that it waits for. At work it never is.
func TestPatrolIsExact(t *testing.T) {
	p := patience{waitRequest: 80, waitIdle: 300, waitAnswer: 50} // of any unit
	const tick = 10
	cut := map[wait]int{}
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 1))
		l, raw := newListener(nil, 1, 0, nil), &deadlines{}
		c, refusal := l.admit(raw)
		if refusal != nil {
			t.Fatal(refusal.detail)
		}
		start, now, what := 0, 0, waitRequest
		phase := random.IntN(tick)
		for ; !raw.read && !raw.write && now < 5000; now++ {
			if random.IntN(60) == 0 {
				start, what = now, wait(random.IntN(int(states)))
				c.begin(what)
			}
			if now%tick == phase {
				l.inspect(p, time.Unix(0, int64(now)))
			}
			if what == atWork {
				if raw.read || raw.write {
					t.Fatalf("seed %d: cut off at work", seed)
				}
				continue
			}
			if late := now - start - int(p[what]) - 2*tick; late > 0 && !raw.read && !raw.write {
				t.Fatalf("seed %d: wait %d is %d too long", seed, what, late)
			}
		}
		if !raw.read && !raw.write {
			continue
		}
		if took := now - 1 - start; took < int(p[what]) {
			t.Fatalf("seed %d: wait %d was cut off after %d", seed, what, took)
		}
		if raw.write != (what == waitAnswer) || raw.read == raw.write {
			t.Fatalf("seed %d: wait %d: cut off reading %v, writing %v", seed, what, raw.read, raw.write)
		}
		cut[what]++
	}
	if len(cut) != int(waits) {
		t.Errorf("cut off: %v", cut)
	}
}

// A request whose last byte came just as its connection was cut off is
// answered, and the answer says that there is no more to be had.
func TestCutOffIsSaid(t *testing.T) {
	s, err := New(Options{Pools: readyPools(t), Clients: testClients()})
	must(t, err)
	p := patience{waitRequest: 80, waitIdle: 80, waitAnswer: 80}
	for w := range waits {
		for _, at := range []int64{79, 80} {
			l, raw := newListener(nil, 1, 0, nil), &deadlines{}
			c, refusal := l.admit(raw)
			if refusal != nil {
				t.Fatal(refusal.detail)
			}
			c.begin(w)
			l.inspect(p, time.Unix(0, 0))
			l.inspect(p, time.Unix(0, at))
			ctx := requestCtx(t, "GET", "/v1/match?id="+maidOne, "key-acme", "")
			ctx.Init2(c, discard{}, false)
			s.handle(ctx)
			if got := &ctx.Response; got.StatusCode() != 200 || got.ConnectionClose() != (at == 80) {
				t.Errorf("wait %d for %d: got %d, closes %v", w, at, got.StatusCode(), got.ConnectionClose())
			}
			if c.waitsFor() != atWork {
				t.Errorf("wait %d: waits for %d while the handler runs", w, c.waitsFor())
			}
		}
	}
}

// A handler may take longer than all timeouts: its connection goes on, with
// the request that already waits in the socket and with one that has a body.
// What is awaited after that is bounded again.
func TestHandlersMayTakeLong(t *testing.T) {
	s, err := New(Options{
		Pools: readyPools(t), Clients: testClients(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0",
		Limits: Limits{ReadTimeout: time.Hour, WriteTimeout: time.Hour, IdleTimeout: time.Hour},
	})
	must(t, err)
	// The patrol goes by now and in a day.
	aDay := func() {
		now := time.Now()
		s.listener.inspect(s.limits.patience(), now)
		s.listener.inspect(s.limits.patience(), now.Add(24*time.Hour))
	}
	runs, finish := make(chan bool, 3), make(chan bool)
	s.lookup = func(ctx *fasthttp.RequestCtx, q *request) *problem {
		runs <- true
		<-finish
		aDay()
		return s.serveV1(ctx, q)
	}
	c := keeper{run(t, s).Server}.open(t)
	body := batch(maidOne)
	c.send("/v1/match?id=" + maidOne)
	<-runs
	c.send("/v1/match?id=" + maidOne) // it waits in the socket
	_, err = io.WriteString(c, "POST /v1/match HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\nContent-Length: "+
		string(appendInt(nil, len(body)))+"\r\n\r\n"+body+"GET ")
	must(t, err)
	close(finish)
	for i := range 3 {
		if got := c.read(); got.status != 200 || got.close {
			t.Fatalf("request %d: got %+v", i, got)
		}
	}
	waitFor(t, func() bool {
		s.listener.mu.Lock()
		defer s.listener.mu.Unlock()
		for c := range s.listener.conns {
			return c.waitsFor() == waitRequest
		}
		return false
	})
	aDay()
	if got := readReplies(t, c.br); len(got) != 1 || got[0].status != 408 {
		t.Errorf("half a request after all that: got %+v", got)
	}
}

func TestPatrolTick(t *testing.T) {
	for _, c := range []struct{ read, write, idle, want time.Duration }{
		{2 * time.Second, 2 * time.Second, 30 * time.Second, 250 * time.Millisecond},
		{time.Hour, time.Hour, time.Hour, 250 * time.Millisecond},
		{time.Second, 80 * time.Millisecond, time.Second, 10 * time.Millisecond},
		{1, 1, 1, time.Millisecond},
	} {
		l := Limits{ReadTimeout: c.read, WriteTimeout: c.write, IdleTimeout: c.idle}
		if got := l.patience().tick(); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

// Whatever a caller leaves the server waiting for, it is not for long.
func TestNobodyKeepsTheServerWaiting(t *testing.T) {
	const whole = "GET /v1/match?id=" + maidOne + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\n\r\n"
	const expecting = "POST /v1/match HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
	const short, never = 100 * time.Millisecond, time.Hour
	slow := Limits{ReadTimeout: short, IdleTimeout: never, WriteTimeout: never}
	idle := Limits{ReadTimeout: never, IdleTimeout: short, WriteTimeout: never}
	for name, c := range map[string]struct {
		limits Limits
		sent   string
		later  string // when the first answer has come
		want   []int
	}{
		"nothing at all":            {slow, "", "", []int{408}},
		"half a header":             {slow, whole[:20], "", []int{408}},
		"half a header with a hit":  {slow, whole + whole[:20], "", []int{200, 408}},
		"half a header after a hit": {slow, whole, whole[:20], []int{408}},
		"half a body after a hit":   {slow, whole, strings.Replace(expecting, "Expect", "X", 1) + "{", []int{408}},
		"no body after the go":      {slow, expecting, "", []int{100, 408}},
		"nothing after two hits":    {idle, whole + whole, "", []int{200, 200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, Options{Limits: c.limits})
			conn := keeper{r.Server}.open(t)
			_, err := io.WriteString(conn, c.sent)
			must(t, err)
			if c.later != "" {
				conn.read()
				_, err = io.WriteString(conn, c.later)
				must(t, err)
			}
			got := readReplies(t, conn.br)
			for i, status := range c.want {
				if len(got) != len(c.want) || got[i].status != status {
					t.Fatalf("got %+v, want %d", got, c.want)
				}
			}
		})
	}
}

// A caller that does not take its answers holds no connection for good.
func TestUnreadAnswersAreCutOff(t *testing.T) {
	s := hubServer(t, 3000)
	s.limits.WriteTimeout = 100 * time.Millisecond
	r := run(t, s)
	c := r.dial(t)
	defer func() { _ = c.Close() }()
	body := hubs(20)
	request := "POST /v1/match HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-both\r\nContent-Length: " + string(appendInt(nil, len(body))) + "\r\n\r\n" + body
	for range 100 { // far more than the sockets' buffers take
		if _, err := io.WriteString(c, request); err != nil {
			break
		}
	}
	waitFor(t, func() bool {
		r.listener.mu.Lock()
		defer r.listener.mu.Unlock()
		return len(r.listener.conns) == 0
	})
}
