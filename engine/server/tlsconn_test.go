package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestTLS(t *testing.T) {
	w := newTLSWorld(t, false)
	r := start(t, Options{TLS: &w.TLSOptions})
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		config := w.caller(t)
		config.MinVersion, config.MaxVersion = version, version
		config.NextProtos = []string{"h2", "http/1.1"}
		c, err := r.secure(t, config)
		if (err == nil) != ok {
			t.Errorf("version %x: got %v", version, err)
		}
		if err != nil {
			continue
		}
		if got := c.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
			t.Errorf("the protocol is %q", got)
		}
		kept := keep(t, c)
		for range 3 {
			if got := kept.get("/v1/match?id=" + maidOne); got.status != 200 || got.close || !strings.Contains(got.body, "matched") {
				t.Errorf("got %+v", got)
			}
		}
	}
	config := w.caller(t)
	config.NextProtos = []string{"h2"}
	if _, err := r.secure(t, config); err == nil {
		t.Error("HTTP/2 was agreed on")
	}
}

func TestMutualTLS(t *testing.T) {
	w := newTLSWorld(t, true)
	r := start(t, Options{TLS: &w.TLSOptions})
	between := newAuthority(t, "between", w.clients)
	expired, early, server, anyUse := bidder("x"), bidder("x"), daemon("x"), bidder("x")
	expired.NotBefore, expired.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	early.NotBefore, early.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	anyUse.ExtKeyUsage = nil
	noChain := &authority{cert: between.cert, key: between.key}
	impostor := newAuthority(t, "clients", nil) // of the same name
	for name, c := range map[string]struct {
		credentials []tls.Certificate
		ok          bool
	}{
		"good":                 {w.clients.credentials(t, bidder("dsp.test")), true},
		"for any use":          {w.clients.credentials(t, anyUse), true},
		"of one between":       {between.credentials(t, bidder("dsp.test")), true},
		"none":                 {nil, false},
		"without the between":  {noChain.credentials(t, bidder("dsp.test")), false},
		"of another authority": {impostor.credentials(t, bidder("dsp.test")), false},
		"the daemon's kind":    {w.servers.credentials(t, bidder("dsp.test")), false},
		"expired":              {w.clients.credentials(t, expired), false},
		"not yet valid":        {w.clients.credentials(t, early), false},
		"a server's":           {w.clients.credentials(t, server), false},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			config := w.config(nil)
			config.MaxVersion = version
			// As who means ill would: whatever the server asks for.
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if c.credentials == nil {
					return new(tls.Certificate), nil
				}
				return &c.credentials[0], nil
			}
			err := refused(t, r, config)
			if (err == nil) != c.ok {
				t.Errorf("%s, version %x: got %v", name, version, err)
			}
			// The caller is told why, and not just cut off.
			var alert tls.AlertError
			if !c.ok && !errors.As(err, &alert) && !strings.Contains(err.Error(), "remote error: tls: ") {
				t.Errorf("%s, version %x: got %v, want an alert", name, version, err)
			}
		}
	}
}

func TestPeerNames(t *testing.T) {
	names := make(chan []string, 1)
	ask := func(o Options, config *tls.Config) []string {
		o.Pools, o.Clients, o.Listen, o.Admin = readyPools(t), testClients(), "127.0.0.1:0", "127.0.0.1:0"
		s, err := New(o)
		must(t, err)
		s.lookup = func(ctx *fasthttp.RequestCtx, q *request) *problem {
			names <- peerNames(ctx)
			return s.serveV1(ctx, q)
		}
		r := run(t, s)
		if config == nil {
			r.ask(t, "GET", "/v1/match?id="+maidOne, "acme", "")
		} else {
			r.openTLS(t, config)
		}
		return <-names
	}
	plain, mutual := newTLSWorld(t, false), newTLSWorld(t, true)
	unnamed, same := bidder(), bidder("a.test", "b.test")
	unnamed.Subject.CommonName, same.Subject.CommonName = "", "b.test"
	for _, c := range []struct {
		template x509.Certificate
		want     []string
	}{
		{bidder("a.test", "*.b.test"), []string{"a.test", "*.b.test", "bidder"}},
		{bidder(), []string{"bidder"}},
		{same, []string{"a.test", "b.test"}},
		{unnamed, nil},
	} {
		config := mutual.config(mutual.clients.credentials(t, c.template))
		if got := ask(Options{TLS: &mutual.TLSOptions}, config); !slices.Equal(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	// A certificate that nobody asked for and nobody checked names nobody.
	if got := ask(Options{TLS: &plain.TLSOptions}, plain.config(mutual.clients.credentials(t, bidder("a.test")))); got != nil {
		t.Errorf("without client CA: got %q", got)
	}
	if got := ask(Options{}, nil); got != nil {
		t.Errorf("without TLS: got %q", got)
	}
	ctx := requestCtx(t, "GET", "/", "", "")
	ctx.Init2(&conn{}, discard{}, false)
	if n := testing.AllocsPerRun(100, func() { peerNames(ctx) }); n != 0 {
		t.Errorf("without TLS: %v allocations", n)
	}
}

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

// However a connection ends, TLS says so, and its caller knows that nothing was
// cut off.
func TestTLSSaysGoodbye(t *testing.T) {
	w := newTLSWorld(t, false)
	const get = "GET /health/live HTTP/1.1\r\nHost: x\r\n"
	for name, sent := range map[string]string{
		"asked to close": get + "Connection: close\r\n\r\n",
		"refused":        "nonsense\r\n\r\n",
		"idle":           get + "\r\n",
		"late":           get,
	} {
		r := start(t, Options{TLS: &w.TLSOptions, Limits: Limits{IdleTimeout: 100 * time.Millisecond, ReadTimeout: 100 * time.Millisecond}})
		config := w.caller(t)
		config.MaxVersion = tls.VersionTLS12 // which shows the kind of a record
		wire := &tapped{Conn: r.dial(t)}
		c := tls.Client(wire, config)
		_, err := io.WriteString(c, sent)
		must(t, err)
		_, err = io.ReadAll(c)
		must(t, err)
		must(t, wire.Close())
		last := byte(0)
		for b := wire.read; len(b) >= 5; b = b[5+int(b[3])<<8+int(b[4]):] {
			last = b[0]
		}
		if last != 21 {
			t.Errorf("%s: the last record is of kind %d, not an alert", name, last)
		}
	}
}

// tapped keeps what was read.
type tapped struct {
	net.Conn
	read []byte
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read = append(c.read, b[:n]...)
	return n, err
}

// Draining is as without TLS, and idle connections end properly.
func TestDrainOverTLS(t *testing.T) {
	w := newTLSWorld(t, true)
	s, err := New(Options{
		Pools: readyPools(t), Clients: testClients(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", TLS: &w.TLSOptions,
	})
	must(t, err)
	drained, drain := make(chan bool), make(chan bool)
	s.sleep = func(time.Duration) { drained <- true; <-drain }
	begun, finish := make(chan bool), make(chan bool)
	s.lookup = func(ctx *fasthttp.RequestCtx, q *request) *problem {
		if strings.Contains(string(ctx.URI().QueryString()), "slow") {
			begun <- true
			<-finish
		}
		return s.serveV1(ctx, q)
	}
	must(t, s.Listen())
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	r := &running{Server: s}
	slow, asks, idle := r.openTLS(t, w.caller(t)), r.openTLS(t, w.caller(t)), r.openTLS(t, w.caller(t))
	half := r.dial(t) // its handshake has not begun
	defer func() { _ = half.Close() }()
	slow.send("/v1/match?slow&id=" + maidOne)
	<-begun
	cancel()
	<-drained
	if got := asks.get("/v1/match?id=" + maidOne); got.status != 200 || !got.close {
		t.Errorf("while draining: got %+v", got)
	}
	close(drain)
	close(finish)
	if got := slow.read(); got.status != 200 || !got.close {
		t.Errorf("the running request: got %+v", got)
	}
	for _, c := range []*keptConn{slow, asks, idle} {
		if got := readReplies(t, c.br); len(got) != 0 {
			t.Errorf("after all: got %+v", got)
		}
	}
	must(t, <-served)
}

// A caller that does not take TLS's goodbye does not keep the server from
// stopping when its time is over.
func TestStopDoesNotWaitForGoodbyes(t *testing.T) {
	w := newTLSWorld(t, false)
	s, err := New(Options{Engine: readyEngine(t), Clients: testClients(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", TLS: &w.TLSOptions})
	must(t, err)
	must(t, s.Listen())
	deaf := &deafListener{Listener: s.listener.Listener}
	s.listener.Listener = deaf
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	r := &running{Server: s}
	for range 3 {
		r.openTLS(t, w.caller(t))
	}
	deaf.now.Store(true)
	s.limits.ReadTimeout, s.limits.WriteTimeout = 1, 1 // those of stopping
	cancel()
	<-served
	r.empty(t)
}

// deafListener accepts connections that, from some time on, take no more:
// writing to one blocks until it is closed.
type deafListener struct {
	net.Listener
	now atomic.Bool
}

func (l *deafListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &deafConn{Conn: c, now: &l.now, closed: make(chan bool)}, err
}

type deafConn struct {
	net.Conn
	now    *atomic.Bool
	once   sync.Once
	closed chan bool
}

func (c *deafConn) Write(b []byte) (int, error) {
	if c.now.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

func (c *deafConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A socket that failed once is not written to again: half a record may be out.
func TestTLSSocketStopsAtAnError(t *testing.T) {
	full := &fullSocket{}
	s := &tlsSocket{Conn: full}
	for range 3 {
		if _, err := s.Write([]byte("x")); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("got %v", err)
		}
	}
	if full.writes != 1 {
		t.Errorf("%d writes", full.writes)
	}
	begun := time.Now()
	must(t, s.SetWriteDeadline(begun.Add(time.Hour)))
	if after := full.deadline.Sub(begun); after < lingerTime || after > time.Minute {
		t.Errorf("a goodbye may take %v", after)
	}
	half := &secured{Conn: tls.Server(s, &tls.Config{})}
	if err := half.CloseWrite(); err != nil || full.ended != 1 {
		t.Errorf("closing one way: %v, %d times", err, full.ended)
	}
	must(t, s.SetWriteDeadline(longAgo))
	if !full.deadline.Equal(longAgo) {
		t.Errorf("the deadline is %v", full.deadline)
	}
}

type fullSocket struct {
	net.Conn
	writes   int
	ended    int
	deadline time.Time
}

func (f *fullSocket) CloseWrite() error { f.ended++; return nil }

func (f *fullSocket) Write([]byte) (int, error) { f.writes++; return 0, io.ErrShortWrite }

func (f *fullSocket) SetWriteDeadline(t time.Time) error { f.deadline = t; return nil }

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
