package server

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestConnectionLimits(t *testing.T) {
	for status, limits := range map[int]Limits{503: {Connections: 2}, 429: {ConnectionsPerIP: 2}} {
		r := start(t, Options{Limits: limits})
		var held []net.Conn
		for range 2 {
			c := r.dial(t)
			held = append(held, c)
			// An answer shows that the connection was accepted.
			_, err := io.WriteString(c, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
			must(t, err)
			_, err = c.Read(make([]byte, 1024))
			must(t, err)
		}
		c := r.dial(t)
		got := readReplies(t, c)
		must(t, c.Close())
		if len(got) != 1 {
			t.Fatalf("got %+v", got)
		}
		checkProblem(t, got[0], status)
		for _, c := range held {
			must(t, c.Close())
		}
		waitFor(t, func() bool {
			r.listener.mu.Lock()
			defer r.listener.mu.Unlock()
			return len(r.listener.conns) == 0 && len(r.listener.byIP) == 0
		})
		if got := r.ask(t, "GET", "/health/live", "", ""); got.status != 200 {
			t.Errorf("after room was made: got %+v", got)
		}
	}
}

// Nobody takes all connections from one address, unless the operator says so.
func TestConnectionsPerIPByDefault(t *testing.T) {
	one, other := pipeFrom("192.0.2.1"), pipeFrom("2001:db8::1")
	s, err := New(Options{Pools: readyPools(t), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"})
	must(t, err)
	must(t, s.Listen())
	defer func() { s.listener.closeAll(); must(t, s.adminLn.Close()) }()
	for range 512 {
		if _, p := s.listener.admit(one); p != nil {
			t.Fatal(p.detail)
		}
	}
	if _, p := s.listener.admit(one); p != problemConnections {
		t.Errorf("one too many of an address: got %+v", p)
	}
	if _, p := s.listener.admit(other); p != nil {
		t.Errorf("another address: %s", p.detail)
	}
	for range 600 {
		if _, p := s.listener.admit(remote{addr: &net.UnixAddr{Net: "unix"}}); p != nil {
			t.Fatalf("a unix socket: %s", p.detail)
		}
	}
}

func pipeFrom(ip string) net.Conn { return remote{addr: &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}} }

// remote is a connection that is never used, from an address.
type remote struct {
	net.Conn
	addr net.Addr
}

func (r remote) RemoteAddr() net.Addr { return r.addr }
func (r remote) Close() error         { return nil }

// A process that is out of file descriptors for a while goes on afterwards.
func TestAcceptOutlastsShortages(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := newListener(&shortOfFiles{ln, 3}, 1, 0, nil)
	client, err := net.Dial("tcp", ln.Addr().String())
	must(t, err)
	c, err := l.Accept()
	must(t, err)
	must(t, c.Close())
	must(t, client.Close())
	must(t, ln.Close())
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after closing: got %v", err)
	}
}

// shortOfFiles is a listener that fails some times before it accepts.
type shortOfFiles struct {
	net.Listener
	times int
}

func (l *shortOfFiles) Accept() (net.Conn, error) {
	if l.times--; l.times >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}
