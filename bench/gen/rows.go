package gen

import (
	"strconv"
	"strings"
	"time"
)

// write puts h into the files, with the junk and the false links that are due.
func (g *generator) write(out *output, h *household) error {
	for _, f := range h.profiles {
		if err := g.writeProfile(out, h, f); err != nil {
			return err
		}
	}
	for _, l := range h.links {
		if err := g.writeLink(out, h, l); err != nil {
			return err
		}
	}
	return writeTruth(out, h)
}

func (g *generator) writeProfile(out *output, h *household, f profile) error {
	kind := crmCustomers
	switch {
	case f.prospect:
		kind = crmProspects
	case f.hashed:
		kind = crmHashed
	}
	t := out.crm[f.tenant][kind]
	row := g.profileRow(h, f)
	if err := t.write(row...); err != nil {
		return err
	}
	if !t.owesJunk(g.JunkRows) {
		return nil
	}
	g.spoilProfile(row, t.rows)
	h.disturbed = true
	g.sum.JunkRows++
	t.junk++
	return t.write(row...)
}

func (g *generator) profileRow(h *household, f profile) []string {
	kind := "customer"
	if f.prospect {
		kind = "prospect"
	}
	p := h.people[f.who]
	tail := []string{
		strings.Join(f.segments, "|"), dateField(f.consent.at), dateField(f.consent.expires), f.consent.purposes,
	}
	if f.hashed {
		row := []string{f.customer, kind, h.valueAt(f.emailAt), h.valueAt(f.phoneAt), h.postcode, "FR"}
		return append(row, tail...)
	}
	first := p.first
	if f.duplicate {
		first = strings.ToUpper(first)
	}
	row := []string{f.customer, kind, f.email, f.phone, first, p.last, h.street, h.postcode, h.city, "FR"}
	return append(row, tail...)
}

// valueAt is the value of the identifier at a place in h.ids, or empty where there is none.
func (h *household) valueAt(at int) string {
	if at < 0 {
		return ""
	}
	_, value, _ := strings.Cut(h.ids[at].name, ":")
	return value
}

func (g *generator) writeLink(out *output, h *household, l link) error {
	t := out.links[l.file]
	left, right := h.ids[l.left].name, h.ids[l.right].name
	if err := t.write(g.linkRow(l, left, right)...); err != nil {
		return err
	}
	if wrong, ok := g.falseLink(h, l); ok {
		h.disturbed = true
		g.sum.FalseLinks++
		if err := t.write(wrong...); err != nil {
			return err
		}
	}
	if !t.owesJunk(g.JunkRows) {
		return nil
	}
	h.disturbed = true
	g.sum.JunkRows++
	t.junk++
	return t.write(g.junkLink(l, left, right)...)
}

// linkRow writes the link as its partner does: the app network has advertising ids as the devices give them, some in
// upper case, and some partners give no time of day.
func (g *generator) linkRow(l link, left, right string) []string {
	if value, isMAID := strings.CutPrefix(right, "maid:"); isMAID && g.chance(0.4) {
		right = "maid:" + strings.ToUpper(value)
	}
	seen := l.seen.Format(time.RFC3339)
	if l.file == filePublisherA || l.file == fileDeviceGraph {
		seen = dateField(l.seen)
	}
	return []string{left, right, l.method, seen}
}

// writeTruth names the persons of every identifier of h.
func writeTruth(out *output, h *household) error {
	for _, id := range h.ids {
		var persons []string
		for i, p := range h.people {
			if id.owners&(1<<i) != 0 {
				persons = append(persons, "p-"+strconv.FormatUint(p.serial, 10))
			}
		}
		if err := out.truth.write(id.name, strings.Join(persons, "|")); err != nil {
			return err
		}
	}
	return nil
}

func dateField(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}
