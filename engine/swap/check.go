package swap

import (
	"fmt"
	"maps"
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// How much of a snapshot is read.
const (
	// SegmentSample is how many records the sizes of segments are taken from. A
	// snapshot of no more persons is counted in full.
	SegmentSample = 500_000
	// PersonSample is how many persons are looked up in the new snapshot.
	PersonSample = 10_000
)

// Side is a snapshot and the hasher of its identifiers.
type Side struct {
	*snapshot.Snapshot
	Hasher index.Hasher
}

// Report is what a check found.
type Report struct {
	// Findings are the bounds that the new snapshot is beyond: none is well.
	Findings []Finding `json:"findings"`
	// Compared is whether there was a snapshot to compare with.
	Compared bool `json:"compared"`
	// Persons sampled, of which an identifier is still there, and those of
	// which most that are lead to another id.
	Sampled   int64 `json:"persons_sampled"`
	IDsChange int64 `json:"person_ids_changed"`
	// Recent lookups that were of somebody; of nobody now; of another person.
	Canary  int64 `json:"canary"`
	Lost    int64 `json:"canary_lost"`
	Changed int64 `json:"canary_changed"`
}

// Check compares a snapshot with the one that serves, old, which is nil where
// none does. recent are hashes under old's key. Findings are in the order of
// [Reasons]. The error is of a snapshot that cannot be read.
func Check(old *Side, now Side, recent []index.Hash, b Bounds) (r Report, err error) {
	r.Findings = []Finding{}
	err = snapshot.Guard(func() error {
		b.absolute(&r.Findings, &now.Counts)
		if old == nil {
			return nil
		}
		r.Compared = true
		return r.compare(*old, now, recent, b)
	})
	return r, err
}

// absolute checks what needs nothing to compare with.
func (b Bounds) absolute(to *[]Finding, c *snapshot.Counts) {
	if c.Identifiers == 0 || c.Persons == 0 {
		*to = append(*to, Finding{Empty, "", "there is nobody in it"})
	}
	if c.Largest > int64(b.LargestPerson) {
		*to = append(*to, Finding{Largest, "", fmt.Sprintf("the largest person has %d identifiers, and may have %d", c.Largest, b.LargestPerson)})
	}
}

func (r *Report) compare(old, now Side, recent []index.Hash, b Bounds) error {
	before, after, to := &old.Counts, &now.Counts, &r.Findings
	sameKey := old.KeyID == now.KeyID
	if !sameKey {
		*to = append(*to, Finding{Key, "", fmt.Sprintf("it is under key %s and the one that serves under key %s: persons and lookups cannot be compared", now.KeyID, old.KeyID)})
	}
	b.fell(to, Identifiers, "", before.Identifiers, after.Identifiers, b.IdentifiersShrink)
	b.rose(to, Identifiers, "", before.Identifiers, after.Identifiers, b.IdentifiersGrow)
	b.fell(to, Persons, "", before.Persons, after.Persons, b.PersonsShrink)
	b.rose(to, Persons, "", before.Persons, after.Persons, b.PersonsGrow)
	for _, ns := range slices.Sorted(maps.Keys(before.ByNamespace)) {
		b.fell(to, Reach, ns, before.ByNamespace[ns], after.ByNamespace[ns], b.ReachShrink)
	}
	if err := r.segments(old, now, b); err != nil {
		return err
	}
	if before.Persons >= int64(b.Minimum) {
		few := b
		few.Minimum = 1 // the largest person counts identifiers, of one person
		few.rose(to, Largest, "", before.Largest, after.Largest, b.LargestGrow)
	}
	if !sameKey {
		return nil
	}
	if err := r.persons(old, now); err != nil {
		return err
	}
	b.share(to, IDs, "persons whose id changed", r.IDsChange, r.Sampled, b.IDsChanged)
	if err := r.canary(old, now, recent); err != nil {
		return err
	}
	// The canary is a sample of at most RecentSize, whatever the store's size.
	small := b
	small.Minimum = min(b.Minimum, RecentSize/16)
	small.share(to, Canary, "recent lookups that are of nobody any more", r.Lost, r.Canary, b.CanaryLost)
	small.share(to, Canary, "recent lookups that are of another person", r.Changed, r.Canary, b.CanaryChanged)
	return nil
}

func (r *Report) segments(old, now Side, b Bounds) error {
	before, err := Segments(old.Snapshot, SegmentSample)
	if err != nil {
		return err
	}
	after, err := Segments(now.Snapshot, SegmentSample)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		b.fell(&r.Findings, Segment, name, before[name], after[name], b.SegmentShrink)
	}
	return nil
}

// persons looks a sample of the old persons up in the new snapshot.
func (r *Report) persons(old, now Side) error {
	var l Lookup
	return sample(old, PersonSample, func(id snapshot.PersonID, hashes []index.Hash) error {
		there, same := 0, 0
		for _, h := range hashes {
			got, ok, err := l.Person(now.Snapshot, h)
			if err != nil {
				return fmt.Errorf("the new snapshot: %w", err)
			}
			if ok {
				there++
			}
			if ok && got == id {
				same++
			}
		}
		if there > 0 {
			r.Sampled++
			if 2*same < there {
				r.IDsChange++
			}
		}
		return nil
	})
}

// canary asks both snapshots for the recent lookups.
func (r *Report) canary(old, now Side, recent []index.Hash) error {
	var l Lookup
	for _, h := range recent {
		before, ok, err := l.Person(old.Snapshot, h)
		if err != nil {
			return fmt.Errorf("the old snapshot: %w", err)
		}
		if !ok {
			continue
		}
		r.Canary++
		after, ok, err := l.Person(now.Snapshot, h)
		switch {
		case err != nil:
			return fmt.Errorf("the new snapshot: %w", err)
		case !ok:
			r.Lost++
		case after != before:
			r.Changed++
		}
	}
	return nil
}
