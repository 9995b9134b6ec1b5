package snapshot

import (
	"errors"
	"reflect"
	"slices"
	"testing"
)

// samePerson compares persons in all that they have.
func samePerson(a, b *Person) bool {
	x, y := *a, *b
	for _, p := range []*Person{&x, &y} {
		if len(p.Spares) == 0 {
			p.Spares = nil
		}
		if len(p.Links) == 0 {
			p.Links = nil
		}
	}
	return reflect.DeepEqual(x, y)
}

// Persons are those that were written, all of them, whichever memory they are
// read from, also where a shard's hot records and cold blocks are many.
func TestPersonsAreWhatWasWritten(t *testing.T) {
	d, m := sampleDicts(t), sampleMeta(1, 2, 1)
	m.Oldest -= 100
	persons := append(samplePersons(t, d, 3000), clonePersons(typical(t, d, IdentifierHasher(sampleSecret()), 30_000))...)
	slices.SortFunc(persons, func(a, b *Person) int { return slices.Compare(a.ID[:], b.ID[:]) })
	dir := t.TempDir()
	_, hash := writeSnapshot(t, OS{}, dir, m, d, persons)
	for _, memory := range []Memory{Map, Copy, Once} {
		s, err := Open(dir, hash, memory)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.hot[0]) < 2*partSize || s.cold[0].len() < 2*dictBlocks {
			t.Fatalf("%d bytes of hot records and %d cold blocks are too few", len(s.hot[0]), s.cold[0].len())
		}
		if err := s.Verify(IdentifierHasher(sampleSecret())); err != nil {
			t.Errorf("memory %s: %v", memory, err)
		}
		seen := 0
		for p, err := range s.Persons(0, IdentifierHasher(sampleSecret())) {
			if err != nil {
				t.Fatal(err)
			}
			if seen == len(persons) || !samePerson(p, persons[seen]) {
				t.Fatalf("memory %s: person %d is\n%+v", memory, seen, p)
			}
			seen++
		}
		if seen != len(persons) {
			t.Errorf("memory %s: %d persons, want %d", memory, seen, len(persons))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Iterating takes no memory for each person, and may end early.
func TestPersonsAllocatesLittle(t *testing.T) {
	files, hash := sampleFiles(t, 1, 1, 2000)
	s := openSample(t, files, hash)
	walk := func(n int) float64 {
		return testing.AllocsPerRun(3, func() {
			seen := 0
			for _, err := range s.Persons(0, IdentifierHasher(sampleSecret())) {
				if seen++; err != nil || seen == n {
					break
				}
			}
			if seen != n {
				t.Fatalf("%d persons", seen)
			}
		})
	}
	few, all := walk(100), walk(2000)
	if all > few+100 {
		t.Errorf("%v allocations for 2000 persons, %v for 100", all, few)
	}
}

// A record or cold block that is damaged ends the iteration with an error.
func TestPersonsRefusesDamage(t *testing.T) {
	files, hash := sampleFiles(t, 1, 1, 500)
	for what, harm := range map[string]func(s *Snapshot){
		"a record":        func(s *Snapshot) { s.hot[0][len(s.hot[0])/2] ^= 1 },
		"the last record": func(s *Snapshot) { s.hot[0] = s.hot[0][:len(s.hot[0])-8] },
		"a cold block":    func(s *Snapshot) { s.cold[0].blocks[len(s.cold[0].blocks)/2] ^= 1 },
	} {
		s, err := OpenBytes(files, hash)
		if err != nil {
			t.Fatal(err)
		}
		data := s.files[1].data
		before := slices.Clone(data)
		harm(s)
		good, bad := 0, 0
		for p, err := range s.Persons(0, IdentifierHasher(sampleSecret())) {
			switch {
			case err == nil && p != nil && bad == 0:
				good++
			case errors.Is(err, ErrCorrupt) && p == nil:
				bad++
			default:
				t.Errorf("%s: %v, %v", what, p, err)
			}
		}
		if good >= 500 || bad != 1 {
			t.Errorf("%s: %d persons and %d errors", what, good, bad)
		}
		copy(data, before)
	}
}
