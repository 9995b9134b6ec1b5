package swap

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/matchd/matchd/snapshot"
)

// Change is a count before and after.
type Change struct {
	Of     string `json:"of,omitempty"`
	Before int64  `json:"before"`
	After  int64  `json:"after"`
}

// PersonChange is what became of a person, or what one came from.
type PersonChange struct {
	// Person is called as the caller of [Diff] names persons.
	Person string `json:"person"`
	// Identifiers is how many the person has.
	Identifiers int `json:"identifiers"`
	// Others are the persons that it was made of, or that it became: at most
	// [MaxOthers] are named.
	Others []string `json:"others,omitempty"`

	id snapshot.PersonID
}

// MaxOthers is how many other persons a change names.
const MaxOthers = 16

// Difference is what changed from one snapshot to another. Persons are told by
// the identifiers that both have, not by their ids.
type Difference struct {
	From        string   `json:"from"`
	To          string   `json:"to"`
	Identifiers Change   `json:"identifiers"`
	Persons     Change   `json:"persons"`
	Reach       []Change `json:"reach"`
	Segments    []Change `json:"segments"`
	// Gained persons have no identifier that the old snapshot has, lost ones
	// none that the new one has.
	Gained int64 `json:"gained"`
	Lost   int64 `json:"lost"`
	// Merged persons of the new snapshot have identifiers of several old ones;
	// the identifiers of split old ones are of several new ones.
	Merged int64 `json:"merged"`
	Split  int64 `json:"split"`
	// Renamed persons of the old snapshot are not lost, and nobody who has one of
	// their identifiers has their id.
	Renamed int64 `json:"renamed"`
	// The largest changes of each kind, by identifiers.
	WorstGained []PersonChange `json:"worst_gained"`
	WorstLost   []PersonChange `json:"worst_lost"`
	WorstMerged []PersonChange `json:"worst_merged"`
	WorstSplit  []PersonChange `json:"worst_split"`
}

// Diff compares two snapshots of one key. It reads both in full, and keeps one
// person and the worst changes of each kind in memory. name is what a person is
// called in the result. An error wraps [snapshot.ErrCorrupt] where one of them
// cannot be read.
func Diff(a, b Side, name func(snapshot.PersonID) string, worst int) (*Difference, error) {
	if a.KeyID != b.KeyID {
		return nil, fmt.Errorf("%s is under key %s and %s under key %s: their identifiers cannot be compared", a.Name(), a.KeyID, b.Name(), b.KeyID)
	}
	d := &Difference{
		From: a.Name(), To: b.Name(),
		Identifiers: Change{"", a.Counts.Identifiers, b.Counts.Identifiers},
		Persons:     Change{"", a.Counts.Persons, b.Counts.Persons},
		Reach:       changes(a.Counts.ByNamespace, b.Counts.ByNamespace),
	}
	err := snapshot.Guard(func() error {
		before, err := Segments(a.Snapshot, a.Counts.Persons+1)
		if err != nil {
			return err
		}
		after, err := Segments(b.Snapshot, b.Counts.Persons+1)
		if err != nil {
			return err
		}
		d.Segments = changes(before, after)
		return d.persons(a, b, name, worst)
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// changes pairs counts by name.
func changes(before, after map[string]int64) []Change {
	all := maps.Clone(before)
	maps.Copy(all, after)
	out := []Change{}
	for _, of := range slices.Sorted(maps.Keys(all)) {
		out = append(out, Change{of, before[of], after[of]})
	}
	return out
}

func (d *Difference) persons(a, b Side, name func(snapshot.PersonID) string, worst int) error {
	lost, split := top{name: name, limit: worst}, top{name: name, limit: worst}
	err := relate(a, b, func(p *snapshot.Person, others []snapshot.PersonID) {
		switch len(others) {
		case 0:
			d.Lost++
			lost.add(p, nil)
			return
		case 1:
		default:
			d.Split++
			split.add(p, others)
		}
		if !slices.Contains(others, p.ID) {
			d.Renamed++
		}
	})
	if err != nil {
		return err
	}
	gained, merged := top{name: name, limit: worst}, top{name: name, limit: worst}
	err = relate(b, a, func(p *snapshot.Person, others []snapshot.PersonID) {
		switch len(others) {
		case 0:
			d.Gained++
			gained.add(p, nil)
		case 1:
		default:
			d.Merged++
			merged.add(p, others)
		}
	})
	d.WorstGained, d.WorstLost, d.WorstMerged, d.WorstSplit = gained.list(), lost.list(), merged.list(), split.list()
	return err
}

// relate calls f with each person of from and the persons of to that have its
// identifiers, by id, each once. Both are valid during the call.
func relate(from, to Side, f func(p *snapshot.Person, others []snapshot.PersonID)) error {
	var (
		l      Lookup
		others []snapshot.PersonID
	)
	for shard := range from.RecordShards {
		for p, err := range from.Snapshot.Persons(shard, from.Hasher) {
			if err != nil {
				return err
			}
			others = others[:0]
			for i := range p.Nodes {
				id, ok, err := l.Person(to.Snapshot, p.Nodes[i].Hash)
				if err != nil {
					return err
				}
				if ok {
					others = append(others, id)
				}
			}
			slices.SortFunc(others, compareIDs)
			others = slices.Compact(others)
			f(p, others)
		}
	}
	return nil
}

func compareIDs(a, b snapshot.PersonID) int { return bytes.Compare(a[:], b[:]) }

// top keeps the largest changes, of the same size those with the lower ids.
type top struct {
	name  func(snapshot.PersonID) string
	limit int
	kept  []PersonChange // the largest first
}

func (t *top) add(p *snapshot.Person, others []snapshot.PersonID) {
	c := PersonChange{Identifiers: len(p.Nodes), id: p.ID}
	at, _ := slices.BinarySearchFunc(t.kept, c, func(a, b PersonChange) int {
		return cmp.Or(cmp.Compare(b.Identifiers, a.Identifiers), compareIDs(a.id, b.id))
	})
	if at >= t.limit {
		return
	}
	c.Person = t.name(p.ID)
	for _, o := range others[:min(len(others), MaxOthers)] {
		c.Others = append(c.Others, t.name(o))
	}
	t.kept = slices.Insert(t.kept, at, c)
	t.kept = t.kept[:min(len(t.kept), t.limit)]
}

func (t *top) list() []PersonChange { return append([]PersonChange{}, t.kept...) }
