package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// A store that was moved to another key knows the opt-outs and erasures of before
// by hashes under the keys that it had then. What hangs on such a hash is given to
// the identifier's hash of today where both are known: the snapshot says so of the
// identifiers in it, live changes of those that they name. Of any other identifier
// a lookup finds both when it is asked for.

// rename gives what hangs on former hashes to the identifiers of a snapshot, and
// to those that live changes name.
func (g *generation) rename(o *overlay.Overlay) *overlay.Overlay {
	if len(g.former) == 0 {
		return o
	}
	list := slices.Clone(g.Renamed)
	for e := range o.All() {
		list = g.appendRenamed(list, o, e.Text(), e.Hash)
	}
	return o.Rename(list)
}

// renameNamed is rename for what a group of changes names.
func (g *generation) renameNamed(o *overlay.Overlay, changes []overlay.Change) *overlay.Overlay {
	if len(g.former) == 0 {
		return o
	}
	var list []snapshot.Renamed
	for i := range changes {
		b := &changes[i].Event
		left, right := changes[i].Ends()
		switch b.Type {
		case event.Link, event.Unlink:
			list = g.appendRenamed(list, o, []byte(b.Left), left)
			list = g.appendRenamed(list, o, []byte(b.Right), right)
		case event.SegmentAdd, event.SegmentRemove, event.Consent:
			list = g.appendRenamed(list, o, []byte(b.Subject), left)
		}
	}
	if len(list) == 0 {
		return o
	}
	return o.Rename(list)
}

// appendRenamed appends the former hashes of an identifier on which something
// hangs. text is the identifier's, or empty.
func (g *generation) appendRenamed(list []snapshot.Renamed, o *overlay.Overlay, text []byte, now index.Hash) []snapshot.Renamed {
	if len(text) == 0 {
		return list
	}
	key, _, err := g.Namespaces.AppendKey(nil, text)
	if err != nil {
		return list // the store has no such namespace any more
	}
	for _, former := range g.former {
		if h := former.Sum(key); has(o, h) {
			list = append(list, snapshot.Renamed{Old: h, New: now})
		}
	}
	return list
}

func has(o *overlay.Overlay, h index.Hash) bool {
	_, ok := o.Get(h)
	return ok
}

// knows refuses a snapshot that was not made with all hashes of other keys in the
// log: who opted out or was erased under one of them may be in it, and nobody knows
// as whom. So it is where the snapshot does not know the key, and where a store
// of before the move took changes after it, or its follower had them later.
// c.mu is held.
func (c *Changes) knows(g *generation) error {
	remedy := "build one, or move the store by matchd rekey once more"
	if c.follower != nil {
		remedy = "give this store the leader's"
	}
	through := g.Knows(c.log.ID().String())
	for _, key := range slices.Sorted(maps.Keys(c.used)) {
		seq, made := c.used[key], fmt.Sprintf("with the log up to %d", through)
		switch known := slices.Contains(g.FormerKeys, key); {
		case key == g.KeyID, known && seq <= through:
			continue
		case !known:
			made = "without that key"
		}
		return fmt.Errorf("%w: the log has opt-outs or erasures of key %s up to change %d, and the snapshot was made %s: %s", overlay.ErrKey, key, seq, made, remedy)
	}
	return nil
}

// contains reports whether an identifier is in a snapshot, by its hash under the
// store's key or a former one.
func contains(s *snapshot.Snapshot, h index.Hash) (bool, error) {
	at, _ := slices.BinarySearchFunc(s.Renamed, snapshot.Renamed{Old: h}, snapshot.Renamed.Compare)
	for ; at < len(s.Renamed) && s.Renamed[at].Old == h; at++ {
		if there, err := s.Contains(s.Renamed[at].New); there || err != nil {
			return there, err
		}
	}
	return s.Contains(h)
}

// dropUnknown leaves a change those of its former hashes on which something hangs:
// those of others, who are named for the first time, are in no record.
func dropUnknown(o *overlay.Overlay, b *event.Bound) {
	b.Former = slices.DeleteFunc(b.Former, func(h index.Hash) bool { return !has(o, h) })
	if len(b.Former) == 0 {
		b.Former = nil
	}
}

// formerHash is the hash under a former key of the identifier of a slot, on which
// something hangs.
type formerHash struct {
	of   *slot
	hash index.Hash
}

// hashFormer hashes the identifier whose key was read last under the former keys.
func (s *Session) hashFormer(b *Batch, t *slot) {
	if s.live == nil || t.state != slotFound {
		return
	}
	for _, former := range s.gen.former {
		if h := former.Sum(b.key); has(s.live, h) {
			b.former = append(b.former, formerHash{t, h})
		}
	}
}

// formerly reports whether the identifier of a slot is withheld from a tenant,
// and opted out, by what hangs on former hashes.
func (s *Session) formerly(b *Batch, t *slot, tenant string) (withheld, optedOut bool) {
	for _, f := range b.former {
		if f.of != t {
			continue
		}
		if e, ok := s.live.Get(f.hash); ok {
			withheld, optedOut = withheld || e.Withheld(tenant), optedOut || e.OptedOut(tenant)
		}
	}
	return withheld, optedOut
}
