package fold

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/eventlog/feed"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
)

// Log is a log of live changes, here or at a daemon that has it open.
type Log interface {
	ID() eventlog.ID
	// Last is the number, time and hash of the last record.
	Last() (uint64, time.Time, eventlog.Hash)
	// Scan calls f for each record after one, in order and checked. A record's
	// body is valid until f returns.
	Scan(after uint64, f func(eventlog.Record) error) error
}

// Dir is the log in a folder, which nobody may have open.
func Dir(dir string) build.LiveSource {
	return func(ns *index.Namespaces, keys snapshot.Keys) (_ *build.Live, err error) {
		if err := Exists(dir); err != nil {
			return nil, err
		}
		log, err := eventlog.Open(dir, eventlog.Options{})
		if errors.Is(err, eventlog.ErrInUse) {
			return nil, fmt.Errorf("%w: a daemon has it open: give its URL, with --live-key-file", err)
		}
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, log.Close()) }()
		return Read(log, ns, keys)
	}
}

// Stream is the log that a daemon has open, read from its stream; ctx ends the
// reading.
func Stream(ctx context.Context, client *feed.Client) build.LiveSource {
	return func(ns *index.Namespaces, keys snapshot.Keys) (*build.Live, error) {
		defer client.Close()
		log, err := client.Open(ctx)
		if err != nil {
			return nil, err
		}
		if key := log.Key(); key != keys.Secret.ID() {
			return nil, errKey(key, keys.Secret.ID())
		}
		return Read(log, ns, keys)
	}
}

// errKey tells of a log of another key than the store's.
func errKey(log, store string) error {
	return fmt.Errorf("%w: the log of live changes belongs to a store whose key is %s, and this one's is %s: build into a store with that key, see --key; if this store had it before, put it into the store's folder keys as %s.key; if the other one was moved to it, move this one too, see matchd rekey", overlay.ErrKey, log, store, log)
}

// Exists is an error unless there is a log in a folder: opening it would make one.
func Exists(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "store")); err != nil {
		return fmt.Errorf("there is no log of live changes in %s: %w", dir, err)
	}
	return nil
}

// errEnd ends a scan.
var errEnd = errors.New("end")

// Read reads a log up to the record that is the last one when it is called. What
// it tells is by hashes under the keys that the log has, the store's or former
// ones of it; a log that has hashes of another is refused.
func Read(log Log, ns *index.Namespaces, keys snapshot.Keys) (*build.Live, error) {
	last, _, hash := log.Last()
	names := &event.Names{Namespaces: ns, Hasher: snapshot.IdentifierHasher(keys.Secret), Key: keys.Secret.ID(), Former: event.FormerKeys(keys)}
	facts := overlay.NewBuilder(0)
	var made overlay.MadeBy
	err := log.Scan(0, func(r eventlog.Record) error {
		if r.Seq > last {
			return errEnd
		}
		if r.Kind != eventlog.Event || r.Redacted {
			return nil
		}
		b, err := event.Decode(r.Body)
		if err != nil {
			return fmt.Errorf("record %d: %w", r.Seq, err)
		}
		change, err := overlay.NewChange(r.Seq, b, names)
		if errors.Is(err, overlay.ErrKey) {
			return fmt.Errorf("record %d: %w", r.Seq, errKey(b.Key, names.Key))
		}
		if err != nil {
			return nil // of a namespace that the config does not have
		}
		facts.Add(&change)
		made.Add(&b)
		return nil
	})
	if err != nil && !errors.Is(err, errEnd) {
		return nil, fmt.Errorf("live changes: %w", err)
	}
	o := facts.Build()
	rules, unsaid := made.InForce(o)
	return &build.Live{
		Log: log.ID().String(), Seq: last, Hash: hash, Normalised: rules, Unsaid: unsaid,
		Links: links(o), Segments: segments(o), Consents: consents(o), OptOuts: optOuts(o), Erasures: erasures(o),
	}, nil
}

func links(o *overlay.Overlay) iter.Seq[build.LiveLink] {
	return func(yield func(build.LiveLink) bool) {
		for e := range o.All() {
			for k := range e.Links() {
				if !e.Hash.Less(k.Other) {
					continue // it is told at the other end
				}
				other, _ := o.Get(k.Other)
				if !yield(build.LiveLink{Left: string(e.Text()), Right: string(other.Text()), At: k.At, Linked: k.Linked, Method: k.Method}) {
					return
				}
			}
		}
	}
}

func segments(o *overlay.Overlay) iter.Seq[build.LiveSegment] {
	return func(yield func(build.LiveSegment) bool) {
		for e := range o.All() {
			for s := range e.Segments() {
				if !yield(build.LiveSegment{Customer: string(e.Text()), Code: string(s.Code), At: s.At, Until: s.Until, Added: s.Added}) {
					return
				}
			}
		}
	}
}

func consents(o *overlay.Overlay) iter.Seq[build.LiveConsent] {
	return func(yield func(build.LiveConsent) bool) {
		for e := range o.All() {
			c, ok := e.Consent()
			if ok && !yield(build.LiveConsent{Customer: string(e.Text()), At: c.At, Until: c.Until, Granted: c.Granted, Purposes: c.Purposes}) {
				return
			}
		}
	}
}

func optOuts(o *overlay.Overlay) iter.Seq[build.LiveOptOut] {
	return func(yield func(build.LiveOptOut) bool) {
		for e := range o.All() {
			if tenants := optedOut(e); len(tenants) > 0 && !yield(build.LiveOptOut{Identifier: e.Hash, Tenants: tenants}) {
				return
			}
		}
	}
}

// optedOut are the tenants for which an identifier is opted out.
func optedOut(e overlay.Entry) (tenants []string) {
	for x := range e.OptOuts() {
		if x.Denied {
			tenants = append(tenants, string(x.Tenant))
		}
	}
	return tenants
}

func erasures(o *overlay.Overlay) iter.Seq[build.LiveErasure] {
	return func(yield func(build.LiveErasure) bool) {
		for e := range o.All() {
			tenants := erased(e)
			if len(tenants) == 0 {
				continue
			}
			x := build.LiveErasure{Customer: e.Hash, Tenants: tenants}
			for c := range e.Contacts() {
				x.Contacts = append(x.Contacts, c.Other)
			}
			if !yield(x) {
				return
			}
		}
	}
}

// erased are the tenants for which a customer is erased.
func erased(e overlay.Entry) (tenants []string) {
	for x := range e.Erasures() {
		if x.InForce() {
			tenants = append(tenants, string(x.Tenant))
		}
	}
	return tenants
}
