package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

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
		// A slow machine has a second for the handshake.
		r := start(t, Options{TLS: &w.TLSOptions, Limits: Limits{IdleTimeout: time.Second, ReadTimeout: time.Second}})
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
	s, err := New(Options{Pools: readyPools(t), Clients: testClients(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", TLS: &w.TLSOptions})
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
