package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/audit"
)

// Addresses that a server listens on unless told otherwise.
const (
	DefaultListen = "127.0.0.1:8080"
	DefaultAdmin  = "127.0.0.1:8081"
)

// Limits bound what a caller can take from the others. A zero is the default.
// A timeout is never early, and late by a quarter of the shortest of the three,
// or half a second, at most.
type Limits struct {
	// ReadTimeout is for a whole request, from its first byte; 2 s. The time
	// that its answer takes to make counts for none of the three.
	ReadTimeout time.Duration
	// WriteTimeout is for a whole answer; 2 s.
	WriteTimeout time.Duration
	// IdleTimeout is between two requests of a connection; 30 s.
	IdleTimeout time.Duration
	// MaxBody is in bytes; 1 MiB.
	MaxBody int
	// MaxHeader is in bytes, of the request line and the header; 16 KiB.
	MaxHeader int
	// Connections is how many are served at once; 2048. Before its key is
	// looked at, each can make the daemon hold a header and a body.
	Connections int
	// ConnectionsPerIP is how many one address may have, so that none without
	// a key holds all of them; 512. It does not count on a unix socket.
	ConnectionsPerIP int
}

func (l Limits) withDefaults() Limits {
	return Limits{
		ReadTimeout:      cmp.Or(l.ReadTimeout, 2*time.Second),
		WriteTimeout:     cmp.Or(l.WriteTimeout, 2*time.Second),
		IdleTimeout:      cmp.Or(l.IdleTimeout, 30*time.Second),
		MaxBody:          cmp.Or(l.MaxBody, 1<<20),
		MaxHeader:        cmp.Or(l.MaxHeader, 16<<10),
		Connections:      cmp.Or(l.Connections, 2048),
		ConnectionsPerIP: cmp.Or(l.ConnectionsPerIP, 512),
	}
}

func (l Limits) validate() error {
	for _, d := range []time.Duration{l.ReadTimeout, l.WriteTimeout, l.IdleTimeout} {
		if d < 0 {
			return fmt.Errorf("timeout %v is negative", d)
		}
	}
	for _, n := range []int{l.MaxBody, l.MaxHeader, l.Connections, l.ConnectionsPerIP} {
		if n < 0 {
			return fmt.Errorf("limit %d is negative", n)
		}
	}
	return nil
}

// Options of a server. Pools is required.
type Options struct {
	Pools *engine.Pools
	// Listen and Admin are "host:port" or "unix:/path"; the defaults are
	// [DefaultListen] and [DefaultAdmin].
	Listen, Admin string
	// Clients are the callers; New makes them the pools'.
	Clients []Client
	// Open, if not empty, is a tenant that callers without a key may ask for,
	// on loopback only.
	Open   string
	Limits Limits
	// Audit is told of listings, of administration and of changed clients; nil
	// keeps nothing. A listing that it does not take is refused.
	Audit *audit.Log
	// TLS, if not nil, makes the public listener speak TLS alone.
	TLS *TLSOptions
	// Drain is how long the server goes on serving, unready, after Serve was
	// told to stop, so that load balancers can turn away.
	Drain time.Duration
	// Log is told of panics and of what stops the server; the default discards.
	Log *slog.Logger
}

// Server serves an engine over HTTP.
type Server struct {
	pools   *engine.Pools
	keys    atomic.Pointer[keyring]
	open    string // tenant for callers without a key, or empty
	limits  Limits
	drain   time.Duration
	log     *slog.Logger
	metrics metrics
	audit   auditor

	public   *fasthttp.Server
	admin    *http.Server
	listen   endpoint
	adminAt  endpoint
	listener *listener
	adminLn  net.Listener
	tls      *tlsFiles // nil where the public listener is plain
	draining atomic.Bool
	held     context.Context // of requests that wait; done once the server drains
	letGo    context.CancelFunc
	changing sync.Mutex // held while the clients are
	readers  feedReaders
	faults   gate // of the log's lines about records that could not be read

	// lookup is Server.serve and sleep is time.Sleep, but in tests.
	lookup func(*fasthttp.RequestCtx, *request) *problem
	sleep  func(time.Duration)
}

// Validate checks what needs neither the engine nor the network: the limits,
// the addresses, and that Open does not serve more than this machine.
func (o Options) Validate() error {
	if err := errors.Join(o.Limits.validate(), o.TLS.validate()); err != nil {
		return err
	}
	_, _, err := o.endpoints()
	return err
}

// endpoints are the addresses of the public and the admin listener.
func (o Options) endpoints() (listen, admin endpoint, err error) {
	if listen, err = parseEndpoint(cmp.Or(o.Listen, DefaultListen)); err != nil {
		return listen, admin, fmt.Errorf("listen: %w", err)
	}
	if admin, err = parseEndpoint(cmp.Or(o.Admin, DefaultAdmin)); err != nil {
		return listen, admin, fmt.Errorf("admin: %w", err)
	}
	if o.Open != "" && !listen.local {
		err = fmt.Errorf("--open %s serves callers without a key, so it needs a loopback address or a unix socket, not %s", o.Open, listen)
	}
	return listen, admin, err
}

// New makes a server and gives the pools their clients. It listens on nothing.
func New(o Options) (*Server, error) {
	if o.Pools == nil {
		return nil, errors.New("server: no pools")
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{pools: o.Pools, open: o.Open, audit: auditor{log: o.Audit}, limits: o.Limits.withDefaults(), drain: o.Drain, log: o.Log}
	s.lookup, s.sleep = s.serve, time.Sleep
	s.held, s.letGo = context.WithCancel(context.Background())
	var err error
	if s.listen, s.adminAt, err = o.endpoints(); err != nil {
		return nil, err
	}
	if s.tls, err = openTLS(o.TLS, o.Log); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	if err := s.SetClients(o.Clients); err != nil {
		return nil, err
	}
	s.auditStart(o.Clients)
	s.public = s.newPublic()
	s.admin = s.newAdmin()
	return s, nil
}

func (s *Server) newPublic() *fasthttp.Server {
	return &fasthttp.Server{
		Handler:      s.handle,
		ErrorHandler: s.handleUnread,
		// The listener refuses first, with a proper answer; a worker is free a
		// moment after its connection has been given back.
		Concurrency:        2 * s.limits.Connections,
		ConnState:          follow, // in place of timeouts, see patrol
		ReadBufferSize:     s.limits.MaxHeader,
		WriteBufferSize:    16 << 10, // some pipelined answers in one packet
		MaxRequestBodySize: s.limits.MaxBody,
		CloseOnShutdown:    true,
		// Forms would be parsed before the key is looked at, into files.
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		SecureErrorLogMessage:        true,
		Logger:                       discard{},
	}
}

// discard is a fasthttp.Logger. What fasthttp has to log quotes requests.
type discard struct{}

func (discard) Printf(string, ...any) {}

// Listen binds both addresses.
func (s *Server) Listen() error {
	ln, err := s.listen.listen()
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.listen, err)
	}
	if s.adminLn, err = s.adminAt.listen(); err != nil {
		return errors.Join(fmt.Errorf("listen on %s for admin: %w", s.adminAt, err), ln.Close())
	}
	s.listener = newListener(ln, s.limits.Connections, s.limits.ConnectionsPerIP, s.metrics.refused)
	s.listener.tls = s.tls
	return nil
}

// Addr and AdminAddr are the addresses bound by Listen, in the form of
// Options.Listen.
func (s *Server) Addr() string      { return s.listen.bound(s.listener.Addr()) }
func (s *Server) AdminAddr() string { return s.adminAt.bound(s.adminLn.Addr()) }

// Serve serves until ctx ends or a listener fails. On its way out it is
// unready at once, still serves for the drain delay, then accepts no more,
// finishes the requests that it has, and returns. Listen comes before it.
func (s *Server) Serve(ctx context.Context) error {
	over := make(chan struct{})
	defer close(over)
	go s.listener.patrol(s.limits.patience(), over)
	if s.tls != nil {
		go s.watchTLS(over)
	}
	ended := make(chan error, 2)
	go func() { ended <- s.public.Serve(s.listener) }()
	go func() { ended <- s.admin.Serve(s.adminListener()) }()
	var err error
	running := 2
	select {
	case <-ctx.Done():
		s.drainNow()
		s.sleep(s.drain)
	case err = <-ended:
		s.drainNow()
		running--
	}
	err = errors.Join(err, s.stop())
	for ; running > 0; running-- {
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// drainNow makes the server unready, and answers those that wait.
func (s *Server) drainNow() {
	s.draining.Store(true)
	s.letGo()
}

// stop ends both servers. Requests have the time that their timeouts leave
// them; then their connections are cut.
func (s *Server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.limits.ReadTimeout+s.limits.WriteTimeout+time.Second)
	defer cancel()
	// Shutdown closes idle connections one by one, and each may say goodbye to a
	// caller that does not listen.
	defer context.AfterFunc(ctx, s.listener.closeAll)()
	err := s.public.ShutdownWithContext(ctx)
	// Shutdown does nothing where Serve had not begun, hence the listener too.
	s.listener.closeAll()
	switch {
	case errors.Is(err, net.ErrClosed):
		err = nil
	case err != nil:
		err = fmt.Errorf("requests were cut off: %w", err)
	}
	if s.admin.Shutdown(ctx) != nil {
		_ = s.admin.Close() // somebody is taking a profile
	}
	return err
}
