package report

import (
	"cmp"
	"slices"
)

// areaPanel is one diagram of sets as discs. Discs and what two of them share
// have areas in proportion to people; all panels of a report have one scale.
type areaPanel struct {
	W, H  float64
	Title string
	Discs []disc
	Notes []string
}

type disc struct {
	circle
	Class, Label   string
	LabelX, LabelY float64
}

// maxPairs is how many pairs are drawn where there are too many segments for
// one diagram.
const maxPairs = 6

// areas draws the overlaps of segments: two or three in one diagram where
// discs can show them, otherwise the pairs that share most, two discs each.
// What has a withheld number is not drawn.
func areas(s segmentsView) []areaPanel {
	if len(s.Segments) == 3 {
		if p, ok := three(s); ok {
			return []areaPanel{p}
		}
	}
	type pair struct{ i, j int }
	var pairs []pair
	for j := range s.Segments {
		for i := range j {
			if s.Segments[i].drawn() && s.Segments[j].drawn() && s.Overlaps[i][j].shown && s.Overlaps[i][j].n > 0 {
				pairs = append(pairs, pair{i, j})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return -cmp.Compare(s.Overlaps[a.i][a.j].n, s.Overlaps[b.i][b.j].n) })
	pairs = pairs[:min(len(pairs), maxPairs)]
	const w, h, margin = 320, 190, 10
	scale := 0.0
	for _, p := range pairs { // the scale that all of them fit
		cs := euler2(s.Segments[p.i].People.n, s.Segments[p.j].People.n, s.Overlaps[p.i][p.j].n)
		if fits := fit(cs[:], w, h-40, margin, 0); scale == 0 || fits < scale {
			scale = fits
		}
	}
	var out []areaPanel
	for _, p := range pairs {
		a, b, both := s.Segments[p.i], s.Segments[p.j], s.Overlaps[p.i][p.j]
		cs := euler2(a.People.n, b.People.n, both.n)
		fit(cs[:], w, h-40, margin, scale)
		panel := areaPanel{W: w, H: h, Title: both.String() + " in both", Discs: []disc{
			{circle: cs[0], Class: "d0", Label: a.key(w), LabelX: w / 2, LabelY: h - 26},
			{circle: cs[1], Class: "d1", Label: b.key(w), LabelX: w / 2, LabelY: h - 8},
		}}
		panel.Notes = []string{a.name() + ": " + a.People.String(), b.name() + ": " + b.People.String()}
		out = append(out, panel)
	}
	return out
}

// key is the line under a diagram so wide.
func (s segmentView) key(width float64) string {
	people := " · " + s.People.String()
	return short(s.name(), width-20-textWidth(people)) + people
}

func (s segmentView) drawn() bool { return s.People.shown && s.People.n > 0 }

func three(s segmentsView) (p areaPanel, ok bool) {
	var sizes, both [3]int64
	for i, x := range [3][2]int{{0, 1}, {0, 2}, {1, 2}} {
		n := s.Overlaps[x[0]][x[1]]
		if !s.Segments[i].drawn() || !n.shown {
			return p, false
		}
		sizes[i], both[i] = s.Segments[i].People.n, n.n
	}
	cs, ok := euler3(sizes, both)
	if !ok {
		return p, false
	}
	p = areaPanel{W: 520, H: 340, Title: "three segments"}
	fit(cs[:], p.W, p.H-66, 10, 0)
	for i, c := range cs {
		label := s.Segments[i].name() + " · " + s.Segments[i].People.String()
		p.Discs = append(p.Discs, disc{
			circle: c, Class: [3]string{"d0", "d1", "d2"}[i],
			Label: s.Segments[i].key(p.W), LabelX: p.W / 2, LabelY: p.H - 46 + 20*float64(i),
		})
		p.Notes = append(p.Notes, label)
	}
	return p, true
}

// heatCell is one cell of the matrix: the people in both segments, and their
// share of the row's.
type heatCell struct {
	People, Share string
	Class         string // h0 to h9, by the share, or "own", or "none"
}

// heat is the matrix of overlaps, row by row.
func heat(s segmentsView) [][]heatCell {
	out := make([][]heatCell, len(s.Segments))
	for i := range s.Segments {
		for j := range s.Segments {
			n := s.Overlaps[i][j]
			cell := heatCell{People: n.String(), Share: n.percentOf(s.Segments[i].People), Class: "none"}
			if share, ok := n.of(s.Segments[i].People); ok {
				cell.Class = "h" + string(rune('0'+min(9, int(share*10))))
			}
			if i == j {
				cell.Class, cell.Share = "self", ""
			}
			out[i] = append(out[i], cell)
		}
	}
	return out
}
