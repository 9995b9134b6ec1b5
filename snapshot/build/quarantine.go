package build

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot/resolve"
)

// cutLink is a line of quarantine.ndjson: a link that joins nobody, and why.
type cutLink struct {
	Reason string  `json:"reason"`
	Left   cutSide `json:"left"`
	Right  cutSide `json:"right"`
	Method string  `json:"method"`
	Source string  `json:"source"`
	Party  string  `json:"party"`
	First  string  `json:"first_observed"`
	Last   string  `json:"last_observed"`
}

// cutSide is one end of a link that was cut, and whose it is.
type cutSide struct {
	Identifier string `json:"identifier"`
	// Shared says that the identifier serves nobody: several people use it.
	Shared bool `json:"shared,omitempty"`
	// Identifiers is how many the end's person has; 0 where that is not known,
	// since the end is beyond a link that was too weak.
	Identifiers int `json:"identifiers"`
	// Customers are the first of the person's customers.
	Customers []string `json:"customers,omitempty"`
}

// shownCustomers is how many customers of a side are listed.
const shownCustomers = 3

// quarantine writes the links of a set that were cut, as lines.
func (w *personWorker) quarantine(group int, nodes []groupNode, links []groupLink, res *resolve.Result) error {
	edge := 0
	for i := range links {
		l := &links[i]
		reason := l.cut
		if reason == resolve.Kept {
			reason = res.Cuts[edge]
			edge++
		}
		if reason == resolve.Kept {
			continue
		}
		w.result.cuts[reason]++
		source := w.r.sources[l.source]
		line, err := json.Marshal(cutLink{
			Reason: reasonName(reason),
			Left:   w.side(nodes, l.a, res), Right: w.side(nodes, l.b, res),
			Method: l.method.String(), Source: source.Name, Party: source.Party.String(),
			First: l.first.String(), Last: l.last.String(),
		})
		if err != nil {
			return err
		}
		if err := w.cuts.Put(group, append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// side describes one end of a link.
func (w *personWorker) side(nodes []groupNode, number uint32, res *resolve.Result) cutSide {
	if id, ok := w.r.g.crowded[number]; ok {
		return cutSide{Identifier: w.text(id.ns, id.value), Shared: true, Identifiers: 1}
	}
	at := placeOf(nodes, number)
	if at == len(nodes) || nodes[at].number != number {
		id := w.r.g.far[number]
		return cutSide{Identifier: w.text(id.ns, id.value)}
	}
	s := cutSide{Identifier: w.text(nodes[at].ns, nodes[at].value), Shared: res.Shared[at]}
	from, _ := slices.BinarySearchFunc(w.members, res.Person[at], func(m member, person uint32) int { return cmp.Compare(m.person, person) })
	for _, m := range w.members[from:] {
		if m.person != res.Person[at] {
			break
		}
		s.Identifiers++
		if n := &nodes[m.node]; n.profile != nil && len(s.Customers) < shownCustomers {
			s.Customers = append(s.Customers, w.text(n.ns, n.value))
		}
	}
	return s
}

func (w *personWorker) text(ns index.NamespaceID, value []byte) string {
	return string(w.r.ns.AppendText(nil, ns, value))
}
