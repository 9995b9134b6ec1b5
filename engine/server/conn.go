package server

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

// listener bounds the connections that are open at once, in all and from one
// address, IPv6 as well as IPv4. One too many gets an answer and is closed.
type listener struct {
	net.Listener
	max, maxPerIP int
	refused       func(status int)
	tls           *tlsFiles // nil where connections are plain

	mu    sync.Mutex
	conns map[*conn]struct{}
	byIP  map[netip.Addr]int
}

func newListener(ln net.Listener, limit, perIP int, refused func(int)) *listener {
	return &listener{
		Listener: ln, max: limit, maxPerIP: perIP, refused: refused,
		conns: map[*conn]struct{}{}, byIP: map[netip.Addr]int{},
	}
}

// Accept returns the next connection within the bounds. A shortage passes;
// fasthttp would take it for the end of the listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if shortage(err) {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if err != nil {
			return nil, err
		}
		admitted, p := l.admit(c)
		if p == nil {
			return admitted, nil
		}
		l.refused(p.status)
		if l.tls != nil {
			_ = c.Close() // before a handshake there is no way to say why
			continue
		}
		// The answer fits into the socket's buffer, so this cannot wait long.
		_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = c.Write(p.raw())
		_ = c.Close()
	}
}

// shortage reports whether accepting failed for want of something that others
// will give back, or because the caller had gone again.
func shortage(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (l *listener) admit(c net.Conn) (*conn, *problem) {
	out := &conn{Conn: c, socket: c, listener: l}
	if l.tls != nil {
		out.tls = l.tls.secure(c)
		out.Conn = out.tls
	}
	out.begin(waitRequest)
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		out.ip = tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.max {
		return nil, problemBusy
	}
	if l.maxPerIP > 0 && out.ip.IsValid() {
		if l.byIP[out.ip] >= l.maxPerIP {
			return nil, problemConnections
		}
		l.byIP[out.ip]++
	}
	l.conns[out] = struct{}{}
	return out, nil
}

func (l *listener) release(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	if n := l.byIP[c.ip]; n > 1 {
		l.byIP[c.ip] = n - 1
	} else {
		delete(l.byIP, c.ip)
	}
}

// closeAll closes the listener and every connection that is left.
func (l *listener) closeAll() {
	_ = l.Listener.Close()
	l.mu.Lock()
	left := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		left = append(left, c)
	}
	l.mu.Unlock()
	for _, c := range left {
		_ = c.socket.Close()
	}
}

// conn is a connection that was counted.
type conn struct {
	net.Conn          // tls, or else socket
	tls      *secured // nil where the connection is plain
	socket   net.Conn
	listener *listener
	ip       netip.Addr
	closed   atomic.Bool
	linger   atomic.Bool

	waiting atomic.Uint64 // how often it began to wait, and for what; cutOff
	// What the patrol saw last, and when first.
	seen  uint64
	since time.Time
}

// Read lets other connections go first where the next request is awaited: by
// the time they have been served it has often come, and what would have been a
// vain read, a sleep, a wake-up and another read is one read.
func (c *conn) Read(b []byte) (int, error) {
	switch c.waitsFor() {
	case waitIdle:
		runtime.Gosched()
	case waitAnswer:
		c.begin(waitRequest)
	}
	return c.Conn.Read(b)
}

// Write counts as one wait for all parts of an answer.
func (c *conn) Write(b []byte) (int, error) {
	if c.waitsFor() != waitAnswer {
		c.begin(waitAnswer)
	}
	return c.Conn.Write(b)
}

// How long, and for how many bytes, a caller that is still sending is
// listened to after it was answered.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 8 << 20
)

// Close closes the connection. After a refusal in the middle of a request it
// first takes in what is still coming: closing with unread bytes resets the
// connection, and the caller would see that instead of the answer.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return c.socket.Close()
	}
	defer c.listener.release(c)
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.linger.Load() {
		if half.CloseWrite() == nil && c.socket.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
			_, _ = io.CopyN(io.Discard, c.socket, lingerBytes)
		}
	}
	return c.Conn.Close()
}

// lingerOnClose makes the connection of a request linger.
func lingerOnClose(ctx *fasthttp.RequestCtx) {
	if c, ok := ctx.Conn().(*conn); ok {
		c.linger.Store(true)
	}
}
