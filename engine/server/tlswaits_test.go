package server

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// What does not speak TLS is told so, or closed, and hurts nobody.
func TestPlainCallersOfTLS(t *testing.T) {
	w := newTLSWorld(t, false)
	r := start(t, Options{TLS: &w.TLSOptions})
	for name, c := range map[string]struct {
		sent string
		told bool
	}{
		"HTTP":          {"GET /v1/match?id=" + maidOne + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\n\r\n", true},
		"a long body":   {"POST /v1/match HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" + strings.Repeat(" ", 900_000), true},
		"binary":        {"\x00\x01\x02\x03\x04\x05\x06\x07", false},
		"other text":    {"hello, how are you?\n", false},
		"a huge record": {"\x16\x03\x01\xff\xff" + strings.Repeat("x", 100), false},
		"an alert":      {"\x15\x03\x01\x00\x02\x02\x28", false},
		"no handshake":  {"\x17\x03\x03\x00\x05hello", false},
	} {
		conn := r.dial(t)
		_, err := io.WriteString(conn, c.sent)
		must(t, err)
		all, err := io.ReadAll(conn)
		must(t, err)
		must(t, conn.Close())
		if !c.told {
			if strings.Contains(string(all), "HTTP") {
				t.Errorf("%s: got %q", name, all)
			}
			continue
		}
		got := readReplies(t, strings.NewReader(string(all)))
		if len(got) != 1 || !strings.Contains(got[0].body, "TLS") {
			t.Fatalf("%s: got %+v", name, got)
		}
		checkProblem(t, got[0], 400)
	}
	r.openTLS(t, w.caller(t))
}

// Whatever a caller leaves undone over TLS, it is cut off as it would be
// without, and told so where there is a way.
func TestNobodyKeepsTLSWaiting(t *testing.T) {
	w := newTLSWorld(t, false)
	const whole = "GET /v1/match?id=" + maidOne + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\n\r\n"
	const short, never = 100 * time.Millisecond, time.Hour
	slow := Limits{ReadTimeout: short, IdleTimeout: never, WriteTimeout: never}
	idle := Limits{ReadTimeout: never, IdleTimeout: short, WriteTimeout: never}
	hello := clientHello(t)
	for name, sent := range map[string]string{"nothing": "", "half a hello": hello[:len(hello)/2], "a hello": hello} {
		t.Run("handshake/"+name, func(t *testing.T) {
			t.Parallel()
			r := start(t, Options{TLS: &w.TLSOptions, Limits: slow})
			c := r.dial(t)
			defer func() { _ = c.Close() }()
			_, err := io.WriteString(c, sent)
			must(t, err)
			all, err := io.ReadAll(c)
			must(t, err)
			if (len(all) > 0) != (name == "a hello") {
				t.Errorf("got %d bytes", len(all))
			}
			r.empty(t)
		})
	}
	for name, c := range map[string]struct {
		limits Limits
		sent   string
		want   []int
	}{
		"nothing at all":           {slow, "", []int{408}},
		"half a header":            {slow, whole[:20], []int{408}},
		"half a header with a hit": {slow, whole + whole[:20], []int{200, 408}},
		"no body":                  {slow, "POST /v1/match HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", []int{100, 408}},
		"nothing after two hits":   {idle, whole + whole, []int{200, 200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, Options{TLS: &w.TLSOptions, Limits: c.limits})
			conn, err := r.secure(t, w.caller(t))
			must(t, err)
			_, err = io.WriteString(conn, c.sent)
			must(t, err)
			got := readReplies(t, conn) // to a proper end of TLS
			for i, status := range c.want {
				if len(got) != len(c.want) || got[i].status != status {
					t.Fatalf("got %+v, want %d", got, c.want)
				}
			}
			r.empty(t)
		})
	}
}

// clientHello is the first that a caller sends.
func clientHello(t *testing.T) string {
	t.Helper()
	here, there := net.Pipe()
	go func() { _ = tls.Client(there, &tls.Config{ServerName: "matchd.test"}).Handshake() }()
	b := make([]byte, 1<<16)
	n, err := here.Read(b)
	must(t, err)
	must(t, here.Close())
	return string(b[:n])
}

// empty waits until no connection is counted any more.
func (r *running) empty(t *testing.T) {
	t.Helper()
	waitFor(t, func() bool {
		r.listener.mu.Lock()
		defer r.listener.mu.Unlock()
		return len(r.listener.conns) == 0 && len(r.listener.byIP) == 0
	})
}

func TestUnreadAnswersOverTLSAreCutOff(t *testing.T) {
	w := newTLSWorld(t, false)
	s := hubServer(t, 3000)
	s.limits.WriteTimeout = 100 * time.Millisecond
	var err error
	s.tls, err = openTLS(&w.TLSOptions, s.log)
	must(t, err)
	r := run(t, s)
	c, err := r.secure(t, w.caller(t))
	must(t, err)
	body := hubs(20)
	request := "POST /v1/match HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-both\r\nContent-Length: " + string(appendInt(nil, len(body))) + "\r\n\r\n" + body
	for range 100 { // far more than the sockets' buffers take
		if _, err := io.WriteString(c, request); err != nil {
			break
		}
	}
	r.empty(t)
}

// A caller that is still sending gets its refusal, whole, and what it smuggles
// never runs.
func TestRefusalsOverTLS(t *testing.T) {
	w := newTLSWorld(t, false)
	r := start(t, Options{TLS: &w.TLSOptions, Limits: Limits{MaxBody: 10_000}})
	const post = "POST /v1/match HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\n"
	const smuggled = "GET /v1/match?id=smuggled HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\n\r\n"
	for request, status := range map[string]int{
		post + "Content-Length: 3000000\r\n\r\n" + strings.Repeat(" ", 3_000_000):                             413,
		post + "Content-Length: 300\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled:                400,
		post + "Transfer-Encoding: identity\r\n\r\n" + smuggled:                                               400,
		"nonsense\r\n\r\n" + smuggled:                                                                         400,
		"GET /v1/match?id=" + strings.Repeat("a", 20_000) + " HTTP/1.1\r\nHost: x\r\n\r\n" + smuggled:         431,
		"GET /health/live HTTP/2.0\r\nHost: x\r\n\r\n" + smuggled:                                             505,
		strings.Replace(smuggled, "Host: x", "Host: x\r\nConnection: close", 1) + smuggled:                    200,
		"GET /health/live HTTP/1.1\r\nHost: x\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n" + smuggled: 400,
	} {
		c, err := r.secure(t, w.caller(t))
		must(t, err)
		_, err = io.WriteString(c, request)
		must(t, err)
		got := readReplies(t, c)
		must(t, c.Close())
		if len(got) != 1 || got[0].status != status {
			t.Errorf("%.80q: got %+v, want %d", request, got, status)
		}
	}
	r.empty(t)
}

func TestConnectionLimitsOverTLS(t *testing.T) {
	w := newTLSWorld(t, false)
	for _, limits := range []Limits{{Connections: 2}, {ConnectionsPerIP: 2}} {
		r := start(t, Options{TLS: &w.TLSOptions, Limits: limits})
		a, b := r.openTLS(t, w.caller(t)), r.openTLS(t, w.caller(t))
		raw := r.dial(t)
		if all, err := io.ReadAll(raw); len(all) > 0 {
			t.Errorf("one too many got %q, %v", all, err)
		}
		must(t, raw.Close())
		must(t, a.Close())
		must(t, b.Close())
		r.empty(t)
		r.openTLS(t, w.caller(t))
	}
}

// A read may wait for a write: TLS answers what it is asked. Once the read was
// cut off, and it still waits, the write is too; a caller that takes the
// refusal has its time for it.
func TestPatrolCutsWritesWithinReads(t *testing.T) {
	p := patience{waitRequest: 80, waitIdle: 80, waitAnswer: 80}
	for _, answers := range []bool{false, true} {
		for _, w := range []wait{waitRequest, waitIdle} {
			l, raw := newListener(nil, 1, 0, nil), &bothDeadlines{}
			c, _ := l.admit(raw)
			c.begin(w)
			inspect := func(at int64) { l.inspect(p, time.Unix(0, at)) }
			inspect(0)
			inspect(80)
			if !raw.read || raw.both {
				t.Fatalf("wait %d: after its time, read %v, both %v", w, raw.read, raw.both)
			}
			inspect(90)
			if answers {
				c.begin(waitAnswer)
			}
			inspect(169)
			if raw.both || raw.write {
				t.Errorf("wait %d: cut off both ways too early", w)
			}
			inspect(170)
			if raw.both == answers {
				t.Errorf("wait %d, answers %v: cut off both ways is %v", w, answers, raw.both)
			}
		}
	}
}

type bothDeadlines struct {
	deadlines
	both bool
}

func (d *bothDeadlines) SetDeadline(t time.Time) error { d.both = t.Equal(longAgo); return nil }
