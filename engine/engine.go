package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/swap"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// ErrNotReady says that no snapshot is open yet.
var ErrNotReady = errors.New("no snapshot is open yet")

// ErrUnknownClient says that a client has no grants at all.
var ErrUnknownClient = errors.New("unknown client")

// Options of an engine. Store is required.
type Options struct {
	// Store holds the snapshots.
	Store *snapshot.Store
	// Memory is what snapshots are served from; the default is snapshot.Map.
	Memory snapshot.Memory
	// Now is the clock; the default is time.Now.
	Now func() time.Time
	// LinkMaxAge shortens the age of links that the snapshot states, in
	// months; 0 leaves it.
	LinkMaxAge int
	// CacheBytes bounds the cache of decoded cold blocks; the default is
	// 64 MiB, and a negative size is no cache.
	CacheBytes int64
	// Bounds hold back a snapshot that is too far from the one that is served,
	// which the store then remembers over restarts; nil takes whatever is sound.
	Bounds *swap.Bounds
	// Values makes the checks of identifiers and segments that a live change has
	// to pass, as a row of a file does: what must not be kept as it is. The
	// default checks nothing.
	Values func(*index.Namespaces) (key func(index.NamespaceID, []byte) error, text func(string) error)
	// WithoutLog answers from a store although its log of live changes is not
	// open: also of those who opted out or were erased. It is for looking at what
	// a snapshot has.
	WithoutLog bool
	// Retention is about what is erased by live changes.
	Retention Retention
	// Log is told of swaps and refusals; the default discards.
	Log *slog.Logger

	changes eventlog.Options // of the log of live changes, for tests
}

func (o *Options) defaults() error {
	if o.Store == nil {
		return errors.New("engine: no store")
	}
	if o.Memory == "" {
		o.Memory = snapshot.Map
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Bounds != nil {
		if err := o.Bounds.Validate(); err != nil {
			return fmt.Errorf("engine: bounds: %w", err)
		}
	}
	if err := o.Retention.defaults(); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if o.LinkMaxAge < 0 {
		return fmt.Errorf("engine: link age %d must not be negative", o.LinkMaxAge)
	}
	return nil
}

// Engine answers lookups from the current snapshot of a store.
type Engine struct {
	opts  Options
	state atomic.Pointer[state]
	stats stats

	// recent lookups, to ask of the next snapshot; nil where there are no bounds.
	recent *swap.Recent

	// cold holds decoded cold blocks, by generation, shard and block. It
	// lives as long as the engine: closing one under its readers panics. A nil
	// one has nothing and takes nothing.
	cold *ristretto.Cache[uint64, []byte]

	swap sync.Mutex // held while state is changed, and never for long

	changes *Changes // nil where no live changes are taken

	withdrawn atomic.Bool // see [Engine.Withdrawn]

	reload  sync.Mutex     // held while a snapshot is opened; guards the next two
	numbers uint64         // of generations
	closed  bool           // Close was called
	open    sync.WaitGroup // generations that are not unmapped yet
}

// New makes an engine without a snapshot; [Engine.Reload] opens the first.
func New(o Options) (*Engine, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	e := &Engine{opts: o}
	if o.Bounds != nil {
		e.recent = swap.NewRecent()
	}
	if o.CacheBytes > 0 {
		var err error
		if e.cold, err = newColdCache(o.CacheBytes); err != nil {
			return nil, fmt.Errorf("engine: cache: %w", err)
		}
	}
	e.state.Store(&state{})
	return e, nil
}

func newColdCache(bytes int64) (*ristretto.Cache[uint64, []byte], error) {
	return ristretto.NewCache(&ristretto.Config[uint64, []byte]{
		NumCounters: max(1000, bytes/coldBlockGuess*10),
		MaxCost:     bytes,
		BufferItems: 64,
		Cost:        func(b []byte) int64 { return int64(len(b)) },
	})
}

// coldBlockGuess is about the size of a decoded cold block, for the cache.
const coldBlockGuess = 16 << 10

// Close ends the engine: none of its sessions can begin, and it waits for those
// that have begun.
func (e *Engine) Close() error {
	e.reload.Lock()
	defer e.reload.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	e.serveNothing()
	e.open.Wait()
	e.cold.Close()
	return e.changes.close()
}

// serveNothing lets no session begin, and reports whether one could before. The
// caller holds reload.
func (e *Engine) serveNothing() (served bool) {
	e.swap.Lock()
	defer e.swap.Unlock()
	old := e.state.Load()
	e.state.Store(newState(nil, old.clients, changed{overlay: old.overlay}))
	if old.gen != nil {
		old.gen.pins.retire()
	}
	return old.gen != nil
}

// SetClients replaces all clients, at once for sessions that begin later. It
// keeps no reference to clients.
func (e *Engine) SetClients(clients []Client) error {
	if err := validateClients(clients); err != nil {
		return err
	}
	resolved := make([]Client, len(clients))
	for i, c := range clients {
		resolved[i] = c.resolved()
	}
	e.setClients(resolved)
	return nil
}

func validateClients(clients []Client) error {
	names := map[string]bool{}
	for _, c := range clients {
		if err := c.Validate(); err != nil {
			return err
		}
		if names[c.Name] {
			return fmt.Errorf("two clients are named %s", c.Name)
		}
		names[c.Name] = true
	}
	return nil
}

// setClients is [Engine.SetClients] for clients that are resolved and sound.
func (e *Engine) setClients(clients []Client) {
	e.swap.Lock()
	defer e.swap.Unlock()
	old := e.state.Load()
	e.state.Store(newState(old.gen, clients, old.changed))
	e.warnOfGrants(old.gen, clients)
}

// setChanged makes the answers of sessions that begin later obey live changes.
func (e *Engine) setChanged(c changed) {
	e.swap.Lock()
	defer e.swap.Unlock()
	next := *e.state.Load()
	next.changed = c
	e.state.Store(&next)
}

// warnOfGrants logs what grants name and the snapshot does not have: it may be
// a slip of the pen, and it may come with tonight's build.
func (e *Engine) warnOfGrants(g *generation, clients []Client) {
	if g == nil {
		return
	}
	for _, c := range clients {
		if list := c.unknown(g.Snapshot); len(list) > 0 {
			e.opts.Log.Warn("grants name what the snapshot does not have", "client", c.Name, "snapshot", g.name, "missing", strings.Join(list, ", "))
		}
	}
}

func newState(g *generation, clients []Client, c changed) *state {
	s := &state{gen: g, changed: c, clients: clients, access: make(map[string]*access, len(clients))}
	for _, c := range clients {
		s.access[c.Name] = nil // it is known, whatever is open
		if g != nil {
			s.access[c.Name] = c.compile(g.Snapshot, g.secret)
		}
	}
	return s
}

// Ready reports whether a snapshot is open.
func (e *Engine) Ready() bool { return e.state.Load().gen != nil }

// Info is what an engine has open.
type Info struct {
	// Snapshot is empty where none is open.
	Snapshot string
	Manifest snapshot.Manifest
	// Bytes is the size of its files.
	Bytes int64
	// Opened is when it was swapped in.
	Opened time.Time
}

// Info describes the open generation.
func (e *Engine) Info() Info {
	g, pin := e.pin()
	if g == nil {
		return Info{}
	}
	defer g.pins.release(pin)
	return Info{Snapshot: g.name, Manifest: g.Manifest, Bytes: g.Bytes(), Opened: g.opened}
}

// pin pins the open generation, or returns nil where there is none.
func (e *Engine) pin() (*generation, uint32) {
	for {
		g := e.state.Load().gen
		if g == nil {
			return nil, 0
		}
		if shard, ok := g.pins.acquire(); ok {
			return g, shard
		}
	}
}
