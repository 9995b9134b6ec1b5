package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"

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
	// 64 MiB.
	CacheBytes int64
	// Log is told of swaps and refusals; the default discards.
	Log *slog.Logger
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
	if o.LinkMaxAge < 0 || o.CacheBytes < 0 {
		return fmt.Errorf("engine: link age %d and cache of %d bytes must not be negative", o.LinkMaxAge, o.CacheBytes)
	}
	return nil
}

// Engine answers lookups from the current snapshot of a store.
type Engine struct {
	opts  Options
	state atomic.Pointer[state]
	stats stats

	// cold holds decoded cold blocks, by generation, shard and block. It
	// lives as long as the engine: closing one under its readers panics.
	cold *ristretto.Cache[uint64, []byte]

	swap    sync.Mutex // held by whoever changes state
	numbers uint64     // of generations
	open    sync.WaitGroup
	closed  bool
}

// New makes an engine without a snapshot; [Engine.Reload] opens the first.
func New(o Options) (*Engine, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	cold, err := ristretto.NewCache(&ristretto.Config[uint64, []byte]{
		NumCounters: max(1000, o.CacheBytes/coldBlockGuess*10),
		MaxCost:     o.CacheBytes,
		BufferItems: 64,
		Cost:        func(b []byte) int64 { return int64(len(b)) },
	})
	if err != nil {
		return nil, fmt.Errorf("engine: cache: %w", err)
	}
	e := &Engine{opts: o, cold: cold}
	e.state.Store(&state{})
	return e, nil
}

// coldBlockGuess is about the size of a decoded cold block, for the cache.
const coldBlockGuess = 16 << 10

// Close ends the engine: its sessions must have ended, and none can begin.
func (e *Engine) Close() error {
	e.swap.Lock()
	defer e.swap.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	if old := e.state.Swap(&state{}); old.gen != nil {
		old.gen.pins.retire()
	}
	e.open.Wait()
	e.cold.Close()
	return nil
}

// SetClients replaces all clients, at once for sessions that begin later. It
// keeps no reference to clients.
func (e *Engine) SetClients(clients []Client) error {
	clients = slices.Clone(clients)
	for i := range clients {
		clients[i] = clients[i].clone()
	}
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
	e.swap.Lock()
	defer e.swap.Unlock()
	e.state.Store(newState(e.state.Load().gen, clients))
	return nil
}

func newState(g *generation, clients []Client) *state {
	s := &state{gen: g, clients: clients, access: make(map[string]*access, len(clients))}
	if g == nil {
		return s
	}
	for _, c := range clients {
		s.access[c.Name] = c.compile(g.Snapshot, g.secret)
	}
	return s
}

// Reload opens the store's current snapshot if it is not the open one, and
// swaps it in. On error the engine goes on with what it has; the refusal is
// counted. changed reports whether there was a swap.
func (e *Engine) Reload() (changed bool, err error) {
	e.swap.Lock()
	defer e.swap.Unlock()
	if e.closed {
		return false, errors.New("the engine is closed")
	}
	cur, err := e.opts.Store.Current()
	if errors.Is(err, snapshot.ErrNoSnapshot) {
		return false, err // nothing there to refuse
	}
	if err == nil {
		if g := e.state.Load().gen; g != nil && g.current.Name == cur.Name && bytes.Equal(g.current.Manifest, cur.Manifest) {
			return false, nil
		}
		err = e.load(cur)
	}
	e.stats.reloaded(err)
	return err == nil, err
}

func (e *Engine) load(cur snapshot.Current) error {
	secret, err := e.opts.Store.Secret()
	if err != nil {
		return err
	}
	snap, err := e.opts.Store.Open(cur, e.opts.Memory)
	if err != nil {
		return err
	}
	e.numbers++
	g := &generation{
		Snapshot: snap, number: e.numbers, name: snap.Name(), current: cur,
		secret: secret, hasher: IdentifierHasher(secret), opened: e.opts.Now(),
		maxAge: min(snap.LinkMaxAge, cmpOr(e.opts.LinkMaxAge, math.MaxInt)),
	}
	e.open.Add(1)
	g.pins = newPins(func() {
		// Unmapping takes its time, and the last reader is somebody's request.
		go func() {
			defer e.open.Done()
			if err := snap.Close(); err != nil {
				e.opts.Log.Error("close snapshot", "snapshot", g.name, "error", err)
			}
		}()
	})
	old := e.state.Load()
	e.state.Store(newState(g, old.clients))
	if old.gen != nil {
		old.gen.pins.retire()
	}
	e.opts.Log.Info("serving snapshot", "snapshot", g.name, "identifiers", snap.Counts.Identifiers, "persons", snap.Counts.Persons)
	return nil
}

func cmpOr(v, otherwise int) int {
	if v != 0 {
		return v
	}
	return otherwise
}

// Watch reloads whenever the store names another snapshot, looking every
// interval, until ctx ends. A snapshot that was refused is not tried again
// until CURRENT changes.
func (e *Engine) Watch(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	refused := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		cur, err := e.opts.Store.Current()
		if errors.Is(err, snapshot.ErrNoSnapshot) {
			continue
		}
		tried := cur.Name + " " + cur.Manifest.String()
		if err != nil {
			tried = err.Error() // CURRENT itself cannot be read
		}
		if tried == refused {
			continue
		}
		refused = ""
		if _, err := e.Reload(); err != nil {
			refused = tried
			e.opts.Log.Error("refused snapshot", "snapshot", cur.Name, "error", err)
		}
	}
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
