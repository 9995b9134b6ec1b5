package rekey

import (
	"fmt"
	"slices"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// held is what of a log is known by hashes alone.
type held struct {
	log  string // its id, empty where there is none
	seq  uint64 // of its last record
	hash eventlog.Hash
	// keys are the ids of the keys of the hashes, ascending.
	keys []string
	// hashes are all that something hangs on: identifiers that were opted out or
	// in, customers who were erased or let back, and their contacts; ascending.
	hashes []index.Hash
}

// readHeld reads a log, all of whose hashes must be of keys that the store has, or
// of the one that it is to be moved to: that is a copy from before the move.
func readHeld(log *eventlog.Log, keys snapshot.Keys, to *index.Secret) (h held, err error) {
	if log == nil {
		return h, nil
	}
	h.log = log.ID().String()
	h.seq, _, h.hash = log.Last()
	err = log.Scan(0, func(r eventlog.Record) error {
		if r.Kind != eventlog.Event || r.Redacted {
			return nil
		}
		b, err := event.Decode(r.Body)
		if err != nil {
			return fmt.Errorf("record %d: %w", r.Seq, err)
		}
		if b.Key == "" {
			return nil // its identifiers are texts
		}
		if !slices.Contains(h.keys, b.Key) {
			if !has(keys, b.Key) && (to == nil || to.ID() != b.Key) {
				return fmt.Errorf("record %d: %w: they are of key %s: if the store is a copy from before it was moved to that key, give it with --key-file; if it was moved further since, put that key into the store's folder keys as %s.key, and give the one of today", r.Seq, overlay.ErrKey, b.Key, b.Key)
			}
			h.keys = append(h.keys, b.Key)
		}
		h.hashes = append(append(append(h.hashes, b.Hash), b.Contacts...), b.Former...)
		return nil
	})
	if err != nil {
		return h, fmt.Errorf("live changes: %w", err)
	}
	slices.Sort(h.keys)
	slices.SortFunc(h.hashes, index.Hash.Compare)
	h.hashes = slices.Compact(h.hashes)
	return h, nil
}

// has reports whether something hangs on a hash.
func (h *held) has(x index.Hash) bool {
	_, found := slices.BinarySearchFunc(h.hashes, x, index.Hash.Compare)
	return found
}

// has reports whether a store has a key, or had it.
func has(keys snapshot.Keys, id string) bool {
	return keys.Secret.ID() == id || slices.ContainsFunc(keys.Former, func(f index.Secret) bool { return f.ID() == id })
}
