package gen

import (
	"fmt"
	"strings"
)

// junkValues are what trackers send where they have no id.
var junkValues = []string{
	"00000000-0000-0000-0000-000000000000", "null", "${UID}", "[UID]", "undefined", "-1", "",
}

var junkEmails = []string{"n/a", "camille.durand", "test@@example.com", "@example.com", "null", "nobody@"}

// spoilProfile makes the row of a profile, the n-th of its file, into a test record that no build may take: without
// an id, with a time that is none, or with nothing to know anybody by.
func (g *generator) spoilProfile(row []string, n int) {
	const id, email, phone = 0, 2, 3 // of crmColumns, and of hashedColumns
	row[id] = fmt.Sprintf("TEST-%d", n)
	switch g.rng.IntN(3) {
	case 0:
		row[id] = ""
	case 1:
		consentAt := len(row) - 3
		row[consentAt] = "31/02/2026"
	default:
		row[email], row[phone] = junkEmails[g.rng.IntN(len(junkEmails))], ""
	}
}

// junkLink is the row of link l with junk on one side.
func (g *generator) junkLink(l link, left, right string) []string {
	spoilt := &right
	if g.chance(0.3) {
		spoilt = &left
	}
	namespace, _, _ := strings.Cut(*spoilt, ":")
	*spoilt = namespace + ":" + junkValues[g.rng.IntN(len(junkValues))]
	return g.linkRow(l, left, right)
}

// recent holds identifiers of households just written, by namespace: somebody else to be taken for.
type recent map[string][]string

// remembered is how many identifiers of a namespace are held. It bounds memory, whatever the number of customers.
const remembered = 64

// remember holds the identifiers of h that were seen lately: what partners take for somebody else's they have just
// seen, and not years ago.
func (r recent) remember(h *household) {
	seen := make([]bool, len(h.ids))
	for _, l := range h.links {
		seen[l.left] = seen[l.left] || !l.aged
		seen[l.right] = seen[l.right] || !l.aged
	}
	for at, id := range h.ids {
		if !seen[at] {
			continue
		}
		namespace, _, _ := strings.Cut(id.name, ":")
		if held := r[namespace]; len(held) < remembered {
			r[namespace] = append(held, id.name)
		} else {
			held[(int(h.number)+at)%remembered] = id.name
		}
	}
}

// falseLink is sometimes a row like that of link l, with one side taken from another household. Tenants know their
// own logins: the rows of partners only.
func (g *generator) falseLink(h *household, l link) ([]string, bool) {
	if l.file >= fileLogins || !g.chance(g.FalseLinks/(1-g.FalseLinks)) {
		return nil, false
	}
	left, right := h.ids[l.left].name, h.ids[l.right].name
	wrong := &right
	if g.chance(0.5) {
		wrong = &left
	}
	namespace, _, _ := strings.Cut(*wrong, ":")
	others := g.recent[namespace]
	if len(others) == 0 {
		return nil, false
	}
	*wrong = others[g.rng.IntN(len(others))]
	g.shown.disturb(*wrong)
	return g.linkRow(l, left, right), true
}
