package engine

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/resolve"
)

// ErrNoChanges says that a store takes no live changes.
var ErrNoChanges = errors.New("no log of live changes is configured")

// Changes takes the live changes of a store: what [Changes.Take] has accepted is
// in a log on disk, and answers obey it, whatever snapshot is open.
type Changes struct {
	engine *Engine
	log    Log
	key    string
	former []event.FormerKey // that the store had before
	used   map[string]uint64 // the last records with hashes of each of them, by id
	// follower follows another daemon, or is nil where the store takes its changes
	// itself.
	follower *follower

	// taking is held to read where changes are on their way, from what they are bound
	// by to the disk: none is bound by another snapshot than it is applied beside.
	taking sync.RWMutex
	mu     sync.Mutex // held while what follows is changed
	names  *event.Names
	gen    *generation // that the rest is beside
	changed
	through uint64 // the last record that was handed over, or read

	customers customers // of changes on their way

	ledger    ledger
	keeper    keeper
	redacting sync.WaitGroup
	redact    chan struct{} // holds one where there is something to redact
	closed    chan struct{}
}

// OpenChanges opens the log of the store's live changes in a folder, which it
// makes where there is none, and has the engine's answers obey them. It is
// called once, before the engine is used; [Engine.Close] closes the log. The
// folder should not lie in the store: a store that is restored must not take
// opt-outs back. A log whose hashes are of another key than the store's is
// refused.
func (e *Engine) OpenChanges(dir string) error { return e.openChanges(dir, nil) }

// openChanges opens the log of changes that the store takes itself, or follows.
func (e *Engine) openChanges(dir string, f *follower) error {
	keys, err := e.opts.Store.Keys()
	if err != nil {
		return err
	}
	c := &Changes{engine: e, key: keys.Secret.ID(), former: event.FormerKeys(keys), used: map[string]uint64{}, follower: f, redact: make(chan struct{}, 1), closed: make(chan struct{})}
	if f != nil {
		f.changes = c
	}
	c.keeper.kick = make(chan struct{}, 1)
	opts := e.opts.changes
	opts.Now, opts.Logger, opts.Replay, opts.Applied = e.opts.Now, e.opts.Log, c.check, c.applied
	f.options(&opts)
	log, err := eventlog.Open(dir, opts)
	if err != nil {
		return err
	}
	c.log = log
	if err := bind(e.opts.Store, log.ID()); err != nil {
		return errors.Join(err, log.Close())
	}
	e.reload.Lock()
	defer e.reload.Unlock()
	e.changes = c
	c.redacting.Go(c.redactErased)
	defer f.start(log)
	g := e.state.Load().gen
	if g == nil {
		return nil
	}
	live, err := c.adopt(g)
	if err != nil {
		return err
	}
	e.setChanged(live)
	c.adopted()
	return nil
}

// Changes returns what takes the store's live changes, or nil.
func (e *Engine) Changes() *Changes { return e.changes }

// check looks at a record while the log is opened.
func (c *Changes) check(r eventlog.Record) error {
	c.ledger.arrive(&r)
	return c.fits(r)
}

// fits refuses a record that is not of the store.
func (c *Changes) fits(r eventlog.Record) error {
	if !whole(&r) {
		return nil
	}
	b, err := event.Decode(r.Body)
	if err != nil {
		return err
	}
	if b.Key == "" || b.Key == c.key {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if names := (event.Names{Key: c.key, Former: c.former}); !names.Knows(b.Key) {
		return fmt.Errorf("%w: the log belongs to a store whose key is %s, and this one's is %s", overlay.ErrKey, b.Key, c.key)
	}
	if c.gen != nil && r.Seq > c.gen.Knows(c.log.ID().String()) {
		return fmt.Errorf("%w: the snapshot was made before it came, under key %s: give this store the leader's, and start anew", overlay.ErrKey, b.Key)
	}
	c.used[b.Key] = max(c.used[b.Key], r.Seq)
	return nil
}

// whole reports whether a record has a change in it.
func whole(r *eventlog.Record) bool { return r.Kind == eventlog.Event && !r.Redacted }

// Outcome is what became of one change.
type Outcome struct {
	// Receipt says where the change is; its Err, if not nil, why it was refused:
	// nothing of it is applied.
	eventlog.Receipt
}

// Take takes changes of a client. It returns once those that are right are on
// disk, and obeyed by every lookup that begins later. A change that was taken
// before under the same id does nothing, and has the first one's receipt. One
// that names a customer who is erased is refused with [ErrErased]: whoever hands
// it over may be told, as the customer is its own. The error is [ErrNotReady],
// [ErrFollower], or wraps [eventlog.ErrFailed]: then it is not known what was
// taken, and all may be sent again.
func (c *Changes) Take(client string, list []event.Event) ([]Outcome, error) {
	if c.follower != nil {
		return nil, ErrFollower
	}
	d := Delivery{list: list, to: []addressee{{changes: c, takes: slices.Repeat([]bool{true}, len(list))}}}
	delivered, err := d.Take(client)
	if err != nil {
		return nil, err
	}
	out := make([]Outcome, len(list))
	for i, o := range delivered {
		if out[i].Err = o.Err; o.Err == nil {
			out[i] = Outcome{o.Taken[0].Receipt}
		}
	}
	return out, nil
}

// bindsTo are the names that changes are bound to now, or nil where no snapshot is
// open.
func (c *Changes) bindsTo() *event.Names {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.names
}

// entry is what the log keeps of a change.
func (c *Changes) entry(names *event.Names, o *overlay.Overlay, client string, e *event.Event) (eventlog.Entry, error) {
	b, err := e.Bind(names, client, c.engine.opts.Now())
	if err != nil {
		return eventlog.Entry{}, err
	}
	dropUnknown(o, &b)
	refused := heed(o, names, &b, e.At.IsZero())
	if e.Type == event.Erase {
		if b.Contacts, err = c.engine.contacts(b.Hash); err != nil {
			return eventlog.Entry{}, fmt.Errorf("the customer's contacts cannot be read: %w", err)
		}
	}
	said, err := json.Marshal(e) // as it was said, without the time of arrival
	if err != nil {
		return eventlog.Entry{}, err
	}
	digest := sha256.Sum256(said)
	return eventlog.Entry{Token: token(client, e), Digest: [16]byte(digest[:]), Body: b.Append(nil), Refused: refused}, nil
}

// token is what a change is known by when it is sent again.
func token(client string, e *event.Event) [16]byte {
	h := sha256.Sum256(append([]byte(client+"\x00"), e.ID...))
	return [16]byte(h[:])
}

// contacts are the hashes of the contact identifiers in a customer's own
// record, ascending.
func (e *Engine) contacts(customer index.Hash) (list []index.Hash, err error) {
	s, _, err := e.ownSession()
	if err != nil {
		return nil, err
	}
	g := s.gen
	defer g.pins.release(s.pin)
	err = snapshot.Guard(func() error {
		f, err := s.at(customer)
		if err != nil || f == nil {
			return err
		}
		cold, err := s.coldOf(f)
		if err != nil {
			return err
		}
		var key []byte
		for _, k := range cold.Links {
			other := k.A + k.B - uint32(f.at)
			if k.Method != snapshot.Authenticated || int(k.A) != f.at && int(k.B) != f.at {
				continue
			}
			id := cold.Identifiers[other]
			if kind := resolve.KindOf(g.Namespaces.At(id.Namespace)); kind <= resolve.Customer {
				continue
			}
			key = g.Namespaces.AppendKeyOf(key[:0], id.Namespace, id.Value)
			list = append(list, g.hasher.Sum(key))
		}
		return nil
	})
	slices.SortFunc(list, index.Hash.Compare)
	return slices.Compact(list), err
}

// ownSession is a session of the engine's own, for no client, that reads what is
// open; and the clients. Its pin is to be released.
func (e *Engine) ownSession() (Session, []Client, error) {
	for {
		st := e.state.Load()
		if st.gen == nil {
			return Session{}, nil, ErrNotReady
		}
		if pin, ok := st.gen.pins.acquire(); ok {
			return Session{engine: e, gen: st.gen, live: st.overlay, beside: st.persons, pin: pin}, st.clients, nil
		}
	}
}

// Err is nil, or says why no changes are taken any more; it wraps
// [eventlog.ErrFailed].
func (c *Changes) Err() error { return c.log.Err() }

// Log is the log, to be read.
func (c *Changes) Log() Log { return c.log }

func (c *Changes) close() error {
	if c == nil {
		return nil
	}
	c.follower.end()
	close(c.closed)
	c.redacting.Wait()
	return c.log.Close()
}

// Key is the id of the key of the log's hashes.
func (c *Changes) Key() string { return c.key }
