package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// secured is the TLS of a connection, between conn and the socket. A conn
// counts its waits above it: what TLS says for itself, such as a change of
// keys, gives a caller no more time.
//
// A conn hides it from fasthttp, which would make the handshake itself and go
// on after one that failed.
type secured struct {
	*tls.Conn
	files *tlsFiles
	begun bool // the handshake; of the connection's goroutine
	peer  atomic.Pointer[peer]
}

// peer is a caller that showed a certificate.
type peer struct {
	chain []*x509.Certificate // as sent, its own first
	names []string
}

func (f *tlsFiles) secure(socket net.Conn) *secured {
	return &secured{Conn: tls.Server(&tlsSocket{Conn: socket}, f.current.Load().config), files: f}
}

// Read makes the handshake first.
func (s *secured) Read(b []byte) (int, error) {
	if !s.begun {
		s.begun = true
		if err := s.handshake(); err != nil {
			return 0, err
		}
	}
	return s.Conn.Read(b)
}

// CloseWrite tells the caller that nothing more comes, and then the socket's
// other end.
func (s *secured) CloseWrite() error {
	// The handshake may have failed: the alert that says why has been sent.
	_ = s.Conn.CloseWrite()
	half, ok := s.NetConn().(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

var problemPlain = &problem{status: 400, close: true, detail: "this port speaks TLS: use https"}

func (s *secured) handshake() error {
	err := s.Handshake()
	if err != nil {
		var odd tls.RecordHeaderError
		if errors.As(err, &odd) && odd.Conn != nil && likeHTTP(odd.RecordHeader[:]) {
			_, _ = odd.Conn.Write(problemPlain.raw())
		}
		// A caller that only looks whether the port is open is none to tell of.
		if !errors.Is(err, io.EOF) && s.files.failed.pass(time.Now()) {
			s.files.log.Info("a TLS handshake failed; there may be more", "error", err)
		}
		return err
	}
	state := s.ConnectionState()
	if len(state.VerifiedChains) == 0 {
		return nil
	}
	p := &peer{chain: state.PeerCertificates, names: certNames(state.PeerCertificates[0])}
	s.peer.Store(p)
	// If the roots were changed meanwhile, distrust may have come too early.
	if now := s.files.current.Load(); !now.good(p, time.Now()) {
		return errors.Join(errDistrusted, s.Close())
	}
	return nil
}

var errDistrusted = errors.New("tls: the caller's certificate is no longer good")

// likeHTTP reports whether bytes may begin a request.
func likeHTTP(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return (c < 'A' || c > 'Z') && c != ' ' && c != '/' })
}

// good reports whether a caller would be let in, as of now.
func (t *trust) good(p *peer, now time.Time) bool {
	if t.config.ClientCAs == nil {
		return true
	}
	between := x509.NewCertPool()
	for _, c := range p.chain[1:] {
		between.AddCert(c)
	}
	_, err := p.chain[0].Verify(x509.VerifyOptions{
		Roots: t.config.ClientCAs, Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err == nil
}

// certNames are the names that a certificate gives its owner: the DNS names
// and then the common name, as they are written there, each once.
func certNames(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	if cn := c.Subject.CommonName; cn != "" && !slices.Contains(names, cn) {
		names = append(names, cn)
	}
	return names
}

// peerNames returns the names in the certificate that a request's caller
// showed, as [certNames], and nil where it showed none or was asked for none.
// The certificate leads to a root of the client CA file. Nobody may write to
// the list.
func peerNames(ctx *fasthttp.RequestCtx) []string {
	c, ok := ctx.Conn().(*conn)
	if !ok || c.tls == nil {
		return nil
	}
	p := c.tls.peer.Load()
	if p == nil {
		return nil
	}
	return p.names
}

// distrust cuts off the callers whose certificates are not good by t.
func (l *listener) distrust(t *trust) {
	now := time.Now()
	// Not under the lock: it takes a tenth of a millisecond each.
	for _, c := range l.peers() {
		if !t.good(c.tls.peer.Load(), now) {
			c.cut()
		}
	}
}

// expire cuts off the callers whose certificates have expired.
func (l *listener) expire(now time.Time) {
	for _, c := range l.peers() {
		if now.After(c.tls.peer.Load().chain[0].NotAfter) {
			c.cut()
		}
	}
}

// peers are the connections of callers that showed a certificate.
func (l *listener) peers() (out []*conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if c.tls != nil && c.tls.peer.Load() != nil {
			out = append(out, c)
		}
	}
	return out
}

// cut ends a connection when it next waits for its caller. A request that runs
// is answered.
func (c *conn) cut() {
	c.waiting.Or(cutOff)
	_ = c.socket.SetReadDeadline(longAgo)
}

// tlsSocket is a socket as tls.Conn writes to it.
type tlsSocket struct {
	net.Conn
	failed error // the first error of Write
}

// Write goes no further after an error, when a part of a record may have been
// written: tls.Conn would still send a parting message, and wait for it.
func (s *tlsSocket) Write(b []byte) (n int, err error) {
	if s.failed != nil {
		return 0, s.failed
	}
	n, s.failed = s.Conn.Write(b)
	return n, s.failed
}

// SetWriteDeadline is called by tls.Conn for its parting message alone, for
// which it would wait five seconds.
func (s *tlsSocket) SetWriteDeadline(t time.Time) error {
	if latest := time.Now().Add(lingerTime); t.After(latest) {
		t = latest
	}
	return s.Conn.SetWriteDeadline(t)
}

// CloseWrite closes the socket's half.
func (s *tlsSocket) CloseWrite() error {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
