package livebench

import (
	"fmt"
	"math/rand/v2"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// open begins a session without an overlay, one beside an empty one, and one
// beside live. end ends those.
func open(e *engine.Engine, live *overlay.Overlay) (sides []*bench.Answerer, end func(), err error) {
	end = func() {
		for _, s := range sides {
			s.Session.End()
		}
	}
	for _, o := range []*overlay.Overlay{nil, overlay.New(0), live} {
		e.SetOverlay(o)
		s, err := e.Begin(bench.WorldClient.Name)
		if err != nil {
			end()
			return nil, nil, err
		}
		sides = append(sides, &bench.Answerer{Session: s})
	}
	return sides, end, nil
}

// draw draws as many identifiers as a side is asked in a round.
func (c Config) draw(w *world.World, asked Asked) [][]byte {
	random := rand.New(rand.NewPCG(c.Seed, 7))
	out := make([][]byte, c.Probes)
	for i := range out {
		at := 0
		switch changed := c.Entries * world.PerPerson; asked {
		case Hits:
			at = changed + random.IntN(w.IDs-changed)
		case Misses:
			at = w.IDs + random.IntN(w.IDs)
		case Changed:
			at = random.IntN(changed)
		}
		out[i] = w.AppendText(nil, at)
	}
	return out
}

// overlay has one entry for each of the first persons.
func (c Config) overlay(w *world.World, store *snapshot.Store) (*overlay.Overlay, error) {
	secret, err := store.Secret()
	if err != nil {
		return nil, err
	}
	names := &event.Names{Hasher: snapshot.IdentifierHasher(secret), Key: secret.ID(), Tenants: []string{world.Tenant}}
	if err := store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) (err error) {
		names.Namespaces, err = index.NewNamespaces(s.Namespaces.All())
		return err
	}); err != nil {
		return nil, err
	}
	b := overlay.NewBuilder(0)
	for person := range c.Entries {
		change, err := changeOf(w, names, person)
		if err != nil {
			return nil, err
		}
		b.Add(&change)
	}
	live := b.Build()
	if live.Len() != c.Entries {
		return nil, fmt.Errorf("livebench: the overlay has %d entries, and not %d", live.Len(), c.Entries)
	}
	return live, nil
}

// changeOf is the live change of a person.
func changeOf(w *world.World, names *event.Names, person int) (overlay.Change, error) {
	e := event.Bound{At: w.AsOf().UnixNano() + int64(person), Client: bench.WorldClient.Name}
	switch person % 3 {
	case 0:
		key, _, err := names.Namespaces.AppendKey(nil, w.AppendText(nil, person*world.PerPerson))
		if err != nil {
			return overlay.Change{}, err
		}
		e.Type, e.Tenant, e.Key, e.Hash = event.OptOut, world.Tenant, names.Key, names.Hasher.Sum(key)
	case 1:
		e.Type, e.Segment = event.SegmentAdd, "segment.199"
	default:
		e.Type, e.Granted, e.Purposes = event.Consent, true, snapshot.Use
	}
	if e.Type != event.OptOut {
		e.Subject = string(w.AppendCustomer(nil, person))
	}
	return overlay.NewChange(uint64(person+1), e, names)
}
