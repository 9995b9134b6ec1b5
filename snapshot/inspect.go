package snapshot

import (
	"math/rand/v2"

	"github.com/matchd/matchd/index"
)

// SectionSize is the size of the sections of one tag, over all files.
type SectionSize struct {
	Tag   string `json:"section"`
	Bytes int64  `json:"bytes"`
}

// Inspection describes a snapshot by measuring it.
type Inspection struct {
	Name     string   `json:"snapshot"`
	Manifest Manifest `json:"manifest"`
	Revision int      `json:"format_revision"`
	Outdated bool     `json:"outdated"` // see Snapshot.Outdated
	Bytes    int64    `json:"bytes"`
	// Renamed is how many entries the section renamed has.
	Renamed  int           `json:"renamed,omitempty"`
	Sections []SectionSize `json:"sections"` // in the order of the files
	// Fill is the share of the table's slots that are taken, Spilled the
	// share of its lines that go on in the next one.
	Fill    float64 `json:"table_fill"`
	Spilled float64 `json:"table_lines_spilled"`
	// FalsePositives is the share of absent identifiers that the filter lets
	// pass, measured over Probes random ones.
	FalsePositives float64 `json:"filter_false_positives"`
	Probes         int     `json:"filter_probes"`
}

// Inspect measures the snapshot with so many random probes of its filters.
func (s *Snapshot) Inspect(probes int) (in Inspection, err error) {
	err = Guard(func() error {
		in, err = s.inspect(probes)
		return err
	})
	return in, err
}

func (s *Snapshot) inspect(probes int) (Inspection, error) {
	in := Inspection{Name: s.Name(), Manifest: s.Manifest, Revision: int(s.manifest.header.revision), Outdated: s.Outdated(), Bytes: s.Bytes(), Renamed: len(s.Renamed), Probes: probes}
	sizes := map[string]int{}
	tail := int64(0)
	for _, f := range append([]*file{s.manifest}, s.files...) {
		sum := int64(0)
		for _, e := range f.toc {
			at, ok := sizes[e.tag]
			if !ok {
				at = len(in.Sections)
				sizes[e.tag] = at
				in.Sections = append(in.Sections, SectionSize{Tag: e.tag})
			}
			in.Sections[at].Bytes += e.length
			sum += e.length
		}
		tail += int64(len(f.data)) - sum
	}
	in.Sections = append(in.Sections, SectionSize{Tag: "headers, checksums, padding", Bytes: tail})
	var total index.TableStats
	for i, t := range s.tables {
		stats, err := t.Check(i, nil)
		if err != nil {
			return in, corrupt(indexName(i), sectionTable, -1, "%v", err)
		}
		total.Lines += stats.Lines
		total.Entries += stats.Entries
		total.Spilled += stats.Spilled
	}
	in.Fill = float64(total.Entries) / float64(total.Lines*index.LineEntries)
	in.Spilled = float64(total.Spilled) / float64(total.Lines)
	in.FalsePositives = s.falsePositives(probes)
	return in, nil
}

// falsePositives probes the filters with hashes that are in no table.
func (s *Snapshot) falsePositives(probes int) float64 {
	random := rand.New(rand.NewPCG(1, 2))
	passed := 0
	for range probes {
		h := index.Hash{Hi: random.Uint64(), Lo: random.Uint64()}
		if s.filters[s.Shard(h)].MayContain(h) {
			passed++
		}
	}
	return float64(passed) / float64(max(probes, 1))
}
