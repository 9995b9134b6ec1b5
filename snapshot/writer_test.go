package snapshot

import (
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/matchd/matchd/index"
)

func dropEntry(int, index.Entry) error { return nil }

// The writer refuses what the format cannot hold.
func TestWriterRefuses(t *testing.T) {
	d := sampleDicts(t)
	for what, harm := range map[string]func(p *Person){
		"no identifiers":         func(p *Person) { p.Nodes = nil },
		"a parent after it":      func(p *Person) { p.Nodes[1].Parent = 1 },
		"a root with a parent":   func(p *Person) { p.Nodes[0].Parent = 1 },
		"a namespace":            func(p *Person) { p.Nodes[1].Namespace = 99 },
		"a method":               func(p *Person) { p.Nodes[1].Method = 4 },
		"a source":               func(p *Person) { p.Nodes[1].Source = 3 },
		"a day after as_of":      func(p *Person) { p.Nodes[1].Seen = MaxDay },
		"a day before oldest":    func(p *Person) { p.Nodes[1].Seen = 1 },
		"a value":                func(p *Person) { p.Nodes[1].Value = make([]byte, 513) },
		"a spare to itself":      func(p *Person) { p.Spares = []Spare{{A: 1, B: 1, Seen: p.Nodes[0].Seen}} },
		"a spare to nothing":     func(p *Person) { p.Spares = []Spare{{A: 1, B: 99, Seen: p.Nodes[0].Seen}} },
		"a link the wrong way":   func(p *Person) { p.Links[0].A, p.Links[0].B = 1, 0 },
		"a link's days":          func(p *Person) { p.Links[0].First = p.Links[0].Last + 1 },
		"a profile's identifier": func(p *Person) { p.Profiles[0].Node = 99 },
		"a profile's tenant":     func(p *Person) { p.Profiles[0].Tenant = 2 },
		"a segment":              func(p *Person) { p.Profiles[0].Segments = []uint32{3} },
		"segments out of order":  func(p *Person) { p.Profiles[0].Segments = []uint32{1, 0} },
		"a segment twice":        func(p *Person) { p.Profiles[0].Segments = []uint32{1, 1} },
	} {
		persons := samplePersons(t, d, 20)
		p := persons[slices.IndexFunc(persons, func(p *Person) bool { return len(p.Nodes) > 3 })]
		harm(p)
		w, err := NewWriter(memFS{}, "", sampleMeta(1, 1, 1), d)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteRecords(0, slices.Values([]*Person{p}), dropEntry); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	persons := samplePersons(t, d, 20)
	for what, list := range map[string][]*Person{
		"out of order":  {persons[1], persons[0]},
		"twice":         {persons[0], persons[0]},
		"another shard": {persons[19]},
	} {
		w, err := NewWriter(memFS{}, "", sampleMeta(1, 4, 4), d)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteRecords(0, slices.Values(list), dropEntry); err == nil {
			t.Errorf("persons %s: accepted", what)
		}
		if _, _, err := w.Finish(); err == nil {
			t.Errorf("persons %s: a snapshot without all its files is finished", what)
		}
	}
}

// The way to compress is nearly the best, and the fastest of those: hashes get
// no dictionary, text that repeats does.
func TestCompressionIsChosen(t *testing.T) {
	d, m := sampleDicts(t), sampleMeta(1, 1, 1)
	m.Oldest -= 100
	for what, c := range map[string]struct {
		persons iter.Seq[*Person]
		dict    bool
	}{
		"hashes": {typical(t, d, IdentifierHasher(sampleSecret()), 20_000), false},
		"text":   {slices.Values(samplePersons(t, d, 20_000)), true},
		"few":    {slices.Values(samplePersons(t, d, 3)), false},
	} {
		fs := memFS{}
		w, err := NewWriter(fs, "", m, d)
		if err != nil {
			t.Fatal(err)
		}
		raw := 0
		err = w.WriteRecords(0, func(yield func(*Person) bool) {
			for p := range c.persons {
				if raw += len(appendCold(nil, p)); !yield(p) {
					return
				}
			}
		}, dropEntry)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parseFile("records-0000", fs.files()["records-0000"])
		if err != nil {
			t.Fatal(err)
		}
		dict, err := f.section(sectionDict)
		if err != nil {
			t.Fatal(err)
		}
		cold, err := f.section(sectionCold)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes become %d, with a dictionary of %d", what, raw, len(cold), len(dict))
		if c.dict != (len(dict) > 0) || len(cold) >= raw {
			t.Errorf("%s: %d bytes become %d, with a dictionary of %d", what, raw, len(cold), len(dict))
		}
	}
}

// What the caller does with an entry may fail, and then nothing is written; an
// index that is not of these records is not finished.
func TestWriterAndEntries(t *testing.T) {
	d, m := sampleDicts(t), sampleMeta(1, 2, 1)
	persons := samplePersons(t, d, 50)
	begin := func() *Writer {
		w, err := NewWriter(memFS{}, "", m, d)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	full := errors.New("disk full")
	calls := 0
	err := begin().WriteRecords(0, slices.Values(persons), func(int, index.Entry) error {
		if calls++; calls == 20 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || calls != 20 {
		t.Errorf("after %d entries: %v", calls, err)
	}
	for what, harm := range map[string]func(entries [][]index.Entry){
		"nothing":       func([][]index.Entry) {},
		"one missing":   func(e [][]index.Entry) { e[0] = e[0][1:] },
		"another shard": func(e [][]index.Entry) { e[0], e[1] = e[1], e[0] },
		"one twice":     func(e [][]index.Entry) { e[0][0] = e[0][1] },
	} {
		entries, w := make([][]index.Entry, 2), begin()
		err := w.WriteRecords(0, slices.Values(persons), func(i int, e index.Entry) error {
			entries[i] = append(entries[i], e)
			return nil
		})
		harm(entries)
		for i := range entries {
			if err == nil {
				err = w.WriteIndex(i, entries[i])
			}
		}
		if err == nil {
			_, _, err = w.Finish()
		}
		if (err == nil) != (what == "nothing") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The lineage tells of each person.
func TestLineageIsOfAllPersons(t *testing.T) {
	d, m := sampleDicts(t), sampleMeta(1, 1, 1)
	persons := samplePersons(t, d, 10)
	for _, c := range []struct {
		lineage Lineage
		ok      bool
	}{
		{Lineage{Kept: 6, New: 3, Split: 1, Merged: 100, Gone: 100}, true},
		{Lineage{Kept: 6, New: 3}, false},
	} {
		w, err := NewWriter(memFS{}, "", m, d)
		if err != nil {
			t.Fatal(err)
		}
		w.SetLineage(c.lineage)
		_, _, err = w.WriteAll(t.Context(), func(int) iter.Seq[*Person] { return slices.Values(persons) })
		if (err == nil) != c.ok {
			t.Errorf("%+v of 10 persons: %v", c.lineage, err)
		}
	}
	files, _ := sampleFiles(t, 1, 1, 10)
	s, err := OpenBytes(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Lineage = &Lineage{Kept: 9}
	if err := s.Verify(IdentifierHasher(sampleSecret())); !errors.Is(err, ErrCorrupt) {
		t.Errorf("verify: %v", err)
	}
}
