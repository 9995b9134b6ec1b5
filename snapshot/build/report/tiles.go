package report

import "strconv"

// tile is one large number.
type tile struct {
	Label, Value, Note string
	Known              bool
}

func newTile(label string, c Count, note string) tile {
	return tile{Label: label, Value: c.String(), Note: note, Known: c.shown}
}

// share is the note under a part of somebody.
func shareNote(c, whole Count, of string) string {
	if _, ok := c.of(whole); !ok {
		return ""
	}
	return c.percentOf(whole) + " of " + of
}

// tiles are a tenant's first numbers.
func tiles(t tenantView) []tile { return audienceTiles("Customers", "customers", t.Customers) }

func prospectTiles(t tenantView) []tile {
	return audienceTiles("Prospects", "prospects", t.Prospects)
}

func audienceTiles(label, name string, a audienceView) []tile {
	return []tile{
		newTile(label, a.People, "distinct people"),
		newTile("With a digital id", a.Reached, shareNote(a.Reached, a.People, name)),
		newTile("By own data alone", a.Own, shareNote(a.Own, a.People, name)),
	}
}

// recordTiles are the single customer view.
func recordTiles(t tenantView) []tile {
	return []tile{
		newTile("Customer records", t.Records, "as delivered, one a customer id"),
		newTile("Distinct customers", t.Customers.People, "after resolution"),
		newTile("Duplicates", t.Duplicates, shareNote(t.Duplicates, t.Records, "records")),
	}
}

// num writes a coordinate to a tenth of a unit.
func num(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }
