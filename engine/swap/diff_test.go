package swap_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/matchd/matchd/engine/swap"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

func ident(r *rand.Rand) string {
	return fmt.Sprintf("%s:%d", spaces[r.IntN(len(spaces))].Name, r.IntN(30))
}

// scattered is some persons with some of 90 identifiers.
func scattered(r *rand.Rand) []person {
	ids := map[string]bool{}
	out := map[byte2]*person{}
	for range 60 {
		id, of := ident(r), byte2(r.IntN(25)+1)
		if ids[id] {
			continue
		}
		ids[id] = true
		if out[of] == nil {
			out[of] = &person{id: of, segments: [][]uint32{nil, {0}, {1, 2}, {2}}[r.IntN(4)]}
		}
		out[of].ids = append(out[of].ids, id)
	}
	var list []person
	for _, p := range out {
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b person) int { return int(a.id) - int(b.id) })
	return list
}

func owners(list []person) map[string]byte2 {
	out := map[string]byte2{}
	for _, p := range list {
		for _, id := range p.ids {
			out[id] = p.id
		}
	}
	return out
}

func nameOf(id snapshot.PersonID) string { return "p" + id.String()[:4] }

// naive relates persons by maps: those with no, with several others, and those
// whose id none of the others has.
func naive(from, to []person) (none, several []swap.PersonChange, renamed int64) {
	owner := owners(to)
	for _, p := range from {
		others := map[byte2]bool{}
		for _, id := range p.ids {
			if o, ok := owner[id]; ok {
				others[o] = true
			}
		}
		c := swap.PersonChange{Person: nameOf(p.id.person()), Identifiers: len(p.ids)}
		if len(others) == 0 {
			none = append(none, c)
			continue
		}
		if !others[p.id] {
			renamed++
		}
		if len(others) > 1 {
			for o := range others {
				c.Others = append(c.Others, nameOf(o.person()))
			}
			slices.Sort(c.Others)
			several = append(several, c)
		}
	}
	return none, several, renamed
}

func worst(list []swap.PersonChange, n int) string {
	slices.SortStableFunc(list, func(a, b swap.PersonChange) int { return b.Identifiers - a.Identifiers })
	return shown(list[:min(n, len(list))])
}

func shown(list []swap.PersonChange) (out string) {
	for _, c := range list {
		out += fmt.Sprint(c.Person, c.Identifiers, c.Others, "\n")
	}
	return out
}

func sizes(list []person) (reach, segments map[string]int64) {
	reach, segments = map[string]int64{}, map[string]int64{}
	for _, p := range list {
		for _, s := range p.segments {
			segments["acme:"+codes[s]]++
		}
	}
	for id := range owners(list) {
		for _, s := range spaces {
			if len(id) > len(s.Name) && id[:len(s.Name)+1] == s.Name+":" {
				reach[s.Name]++
			}
		}
	}
	return reach, segments
}

func TestDiffIsTheNaiveOne(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for range 40 {
		before, after := scattered(r), scattered(r)
		d := must(swap.Diff(open(t, secret, before), open(t, secret, after), nameOf, 3))(t)
		lost, split, renamed := naive(before, after)
		gained, merged, _ := naive(after, before)
		for _, c := range []struct {
			what string
			n    int64
			list []swap.PersonChange
			want []swap.PersonChange
		}{
			{"lost", d.Lost, d.WorstLost, lost},
			{"split", d.Split, d.WorstSplit, split},
			{"gained", d.Gained, d.WorstGained, gained},
			{"merged", d.Merged, d.WorstMerged, merged},
		} {
			if c.n != int64(len(c.want)) || shown(c.list) != worst(c.want, 3) {
				t.Errorf("%s: %d of %d\n%s\nwant\n%s", c.what, c.n, len(c.want), shown(c.list), worst(c.want, 3))
			}
		}
		if d.Renamed != renamed {
			t.Errorf("%d renamed, want %d", d.Renamed, renamed)
		}
		reach0, segments0 := sizes(before)
		reach1, segments1 := sizes(after)
		for _, c := range d.Reach {
			if c.Before != reach0[c.Of] || c.After != reach1[c.Of] {
				t.Errorf("reach %+v, want %d and %d", c, reach0[c.Of], reach1[c.Of])
			}
		}
		for _, c := range d.Segments {
			if c.Before != segments0[c.Of] || c.After != segments1[c.Of] {
				t.Errorf("segment %+v, want %d and %d", c, segments0[c.Of], segments1[c.Of])
			}
		}
	}
}

func TestDiffUnderTwoKeys(t *testing.T) {
	if _, err := swap.Diff(open(t, secret, crowd(2)), open(t, index.Secret{7}, crowd(2)), nameOf, 1); err == nil {
		t.Error("hashes under two keys were compared")
	}
}
