package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Charts are drawn in units of a view box this wide.
const chartWidth = 640.0

// barChart is a chart of bars: lying ones with their labels before them, or
// standing ones with their labels below.
type barChart struct {
	Title, Note   string
	Head          string // of the table's first column
	Height        float64
	Bars          []bar
	Standing      bool
	Empty         bool   // nothing of it is shown
	Second, Third string // heads of more columns of the table, or ""
}

// bar is one row of the chart and of its table.
type bar struct {
	Label, Short string
	Value, Share string
	More         string // Third's cell
	Class        string // of the bar's colour
	Known        bool
	X, Y, W, H   float64
	Inner        float64 // the width of a part drawn inside a lying bar
	LabelX       float64
	LabelY       float64
	ValueX       float64
	ValueY       float64
}

const (
	labelWidth = 190.0 // of a lying bar's label
	valueWidth = 130.0 // of the number after it
	rowHeight  = 34.0
	barHeight  = 20.0
)

// lying lays bars out under one another; a whole of n fills the width.
func (c *barChart) lying(counts []Count, inner []Count, whole int64) {
	room := chartWidth - labelWidth - valueWidth
	c.Empty = true
	for i := range c.Bars {
		b := &c.Bars[i]
		b.X, b.Y, b.H = labelWidth, float64(i)*rowHeight+(rowHeight-barHeight)/2, barHeight
		b.Short, b.LabelX, b.LabelY = short(b.Label, labelWidth-14), labelWidth-10, b.Y+barHeight/2+5
		b.Known, b.Value = counts[i].shown, counts[i].String()
		if b.Known && whole > 0 {
			b.W = room * float64(counts[i].n) / float64(whole)
			c.Empty = false
		}
		if inner != nil && inner[i].shown && whole > 0 {
			b.Inner = room * float64(inner[i].n) / float64(whole)
		}
		b.ValueX, b.ValueY = b.X+max(b.W, b.Inner)+8, b.LabelY
	}
	c.Height = float64(len(c.Bars)) * rowHeight
}

// standing lays bars out beside one another; the highest fills the height.
func (c *barChart) standing(counts []Count, height float64) {
	var most int64
	for _, n := range counts {
		most = max(most, n.n)
	}
	step := chartWidth / float64(max(len(c.Bars), 6))
	c.Standing, c.Empty = true, most == 0
	for i := range c.Bars {
		b := &c.Bars[i]
		b.Known, b.Value = counts[i].shown, counts[i].String()
		b.W, b.X = step*0.72, float64(i)*step+step*0.14
		if most > 0 {
			b.H = height * float64(counts[i].n) / float64(most)
		}
		b.Y = 24 + height - b.H
		b.Short = b.Label
		b.LabelX, b.LabelY = b.X+b.W/2, height+42
		b.ValueX, b.ValueY = b.LabelX, b.Y-7
	}
	c.Height = height + 52
}

// reachChart shows own data beside what partners add.
func reachChart(a audienceView) barChart {
	c := barChart{Title: "Reach: own data alone, and with partners", Note: "people with at least one digital id", Head: "Links of", Second: "Share"}
	var counts []Count
	labels := map[string]string{"first": "Own data alone", "second": "+ second party", "third": "+ third party"}
	for i, p := range a.Parties {
		class := "gain"
		if i == 0 {
			class = "own"
		}
		c.Bars = append(c.Bars, bar{Label: labels[p.Name], Class: class, Share: p.People.percentOf(a.People)})
		counts = append(counts, p.People)
	}
	c.Bars = append(c.Bars, bar{Label: "Everybody", Class: "all", Share: a.People.percentOf(a.People)})
	counts = append(counts, a.People)
	c.lying(counts, nil, a.People.n)
	return c
}

// exclusiveChart shows each source, and inside it what no other source has.
func exclusiveChart(a audienceView) barChart {
	c := barChart{
		Title: "What each source adds", Note: "people with a digital id that the source links; inner bar: who have none without it",
		Head: "Source", Second: "Share", Third: "Only thanks to it",
	}
	var counts, only []Count
	for _, s := range a.Sources {
		c.Bars = append(c.Bars, bar{
			Label: s.Source, Class: "source", Share: s.People.percentOf(a.People), More: s.Only.String(),
		})
		counts, only = append(counts, s.People), append(only, s.Only)
	}
	c.lying(counts, only, a.Reached.n)
	return c
}

func namedChart(title, note, head string, list []namedCount, whole Count) barChart {
	c := barChart{Title: title, Note: note, Head: head, Second: "Share"}
	var counts []Count
	for _, n := range list {
		c.Bars = append(c.Bars, bar{Label: strings.ReplaceAll(n.Name, "_", " "), Class: "own", Share: n.People.percentOf(whole)})
		counts = append(counts, n.People)
	}
	c.lying(counts, nil, whole.n)
	return c
}

func consentChart(a audienceView) barChart {
	c := barChart{Title: "Consent that expires", Note: "people, counted from the report's day", Head: "Within", Second: "Share"}
	var counts []Count
	for _, w := range a.Consent {
		c.Bars = append(c.Bars, bar{Label: fmt.Sprintf("%d days", w.Days), Class: "warn", Share: w.People.percentOf(a.People)})
		counts = append(counts, w.People)
	}
	var most int64
	for _, n := range counts {
		most = max(most, n.n)
	}
	c.lying(counts, nil, most)
	return c
}

func devicesChart(a audienceView) barChart {
	return binChart(barChart{Title: "Devices a person", Note: "people by how many digital ids they have", Head: "Digital ids"}, a.Devices, a.People, "own")
}

func sizesChart(p personsView) barChart {
	return binChart(barChart{Title: "Size of persons", Note: "persons by how many identifiers they have", Head: "Identifiers"}, p.Sizes, p.People, "size")
}

func binChart(c barChart, bins []bin, whole Count, class string) barChart {
	c.Second = "Share"
	var counts []Count
	for _, b := range bins {
		short := b.label()
		if b.To == 0 && b.From > 0 {
			short = fmt.Sprintf("%d+", b.From)
		}
		c.Bars = append(c.Bars, bar{Label: short, Class: class, Share: b.People.percentOf(whole)})
		counts = append(counts, b.People)
	}
	c.standing(counts, 180)
	return c
}

// short cuts a label to what is surely no wider than so many units of a view
// box, in the bold of any font that a browser may take.
func short(s string, width float64) string {
	used, fits := 0.0, 0
	for at, r := range s {
		if fits = at; used+glyph(r)+glyph('…') > width {
			break
		}
		used += glyph(r)
		fits = at + utf8.RuneLen(r)
	}
	if fits >= len(s) || textWidth(s) <= width {
		return s
	}
	return s[:fits] + "…"
}

func textWidth(s string) (w float64) {
	for _, r := range s {
		w += glyph(r)
	}
	return w
}

// glyph is an upper bound of a letter's width, at the charts' 14 units.
func glyph(r rune) float64 {
	switch {
	case r == 'm' || r == 'w' || r == 'M' || r == 'W' || r == '@' || r == '%' || r == '…':
		return 16
	case r < 0x80 && !unicode.IsUpper(r):
		return 10
	case r < 0x2e80:
		return 13
	}
	return 18
}
