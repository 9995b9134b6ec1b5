package engine_test

import (
	"slices"
	"strings"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// newID adds an identifier that is not there yet to a person.
func (w *world) newID(space string, person int) int {
	for {
		id := poolID{space: space, value: randomValue(w.r, w.spaceOf(space)), person: person}
		if !slices.ContainsFunc(w.ids, func(o poolID) bool { return o.space == id.space && o.value == id.value }) {
			w.ids = append(w.ids, id)
			return len(w.ids) - 1
		}
	}
}

// join adds a link that is not there yet.
func (w *world) join(l poolLink) bool {
	if w.linked(l) {
		return false
	}
	w.links = append(w.links, l)
	return true
}

// linked reports whether the same source says the same of two identifiers.
func (w *world) linked(l poolLink) bool {
	return slices.ContainsFunc(w.links, func(o poolLink) bool {
		return o.a == l.a && o.b == l.b && o.method == l.method && o.source == l.source
	})
}

// foreignSource picks the file of a tenant whose identifiers the client may not
// list.
func (w *world) foreignSource() (int, bool) {
	m := w.rules()
	for _, i := range w.r.Perm(len(w.sources)) {
		if tenant, own := strings.CutPrefix(w.sources[i].Name, "crm."); own {
			if g, _ := m.grant(w.client, w.now, tenant); !g.Identifiers {
				return i, true
			}
		}
	}
	return 0, false
}

// unlisted gives a link a source that the client cannot see: any, where it
// lists no identifiers.
func (w *world) unlisted(l *poolLink) (ok bool) {
	if w.lists() {
		l.source, ok = w.foreignSource()
		return ok
	}
	return true
}

// lists reports whether the client may list identifiers.
func (w *world) lists() bool {
	for i := range w.tenants {
		if g, _, _ := w.grantOf(i); g.Identifiers {
			return true
		}
	}
	return false
}

// addCustomer adds a customer of a tenant without a grant, or of one that
// shares, to a person of others.
func (w *world) addCustomer(shared bool) bool {
	for _, i := range w.r.Perm(len(w.tenants)) {
		if _, held, shares := w.grantOf(i); held == shared && shares == shared {
			return w.addCustomerOf(i, w.r.IntN(len(w.ids)))
		}
	}
	return false
}

// addCustomerOf hangs a new customer of a tenant onto an identifier, and
// perhaps onto another one of its person, where that makes no path stronger.
func (w *world) addCustomerOf(tenant, onto int) bool {
	m := newModel(w.pool)
	id := w.newID(index.CRMPrefix+w.tenants[tenant].Name, w.ids[onto].person)
	q := poolProfile{id: id, tenant: tenant}
	_, held, _ := w.grantOf(tenant)
	if held && !w.redraw(&q, w.withheld) || !held && !w.redraw(&q, w.ungranted) {
		w.ids = w.ids[:id]
		return false
	}
	w.profiles = append(w.profiles, q)
	first := w.randomLink(w.r, onto, id)
	w.join(first)
	if other := w.r.IntN(id); w.ids[other].person == w.ids[id].person && other != onto {
		second := w.randomLink(w.r, other, id)
		path, joined := m.reach(onto, w.now)[other]
		if joined && !(strength{first.method, first.last}.beats(path) && strength{second.method, second.last}.beats(path)) {
			w.join(second)
		}
	}
	return true
}

// hidden picks a customer who is not shared, or whose tenant is not granted.
func (w *world) hidden() (id int, ok bool) {
	q := w.someProfile(func(q poolProfile) bool { return w.ungranted(q) || w.withheld(q) })
	if q == nil {
		return 0, false
	}
	return q.id, true
}

// relinkHidden changes the one link that a hidden customer hangs by.
func (w *world) relinkHidden() bool {
	id, ok := w.hidden()
	if !ok || !w.unseen(w.ids[id].space) { // asked by, it leads to others by that link
		return false
	}
	at := -1
	for i, l := range w.links {
		if l.a == id || l.b == id {
			if at >= 0 {
				return false
			}
			at = i
		}
	}
	if at < 0 {
		return false
	}
	w.links[at] = w.randomLink(w.r, w.links[at].a, w.links[at].b)
	return true
}

// addBehindHidden links a new identifier to a hidden customer alone.
func (w *world) addBehindHidden() bool {
	id, ok := w.hidden()
	return ok && w.addUnasked(w.randomLink(w.r, id, 0))
}

// addFromForeignFile links a new identifier to any by a file of a tenant whose
// identifiers the client may not list.
func (w *world) addFromForeignFile() bool {
	l := w.randomLink(w.r, w.r.IntN(len(w.ids)), 0)
	var ok bool
	l.source, ok = w.foreignSource()
	return ok && w.addUnasked(l)
}

func (w *world) addUnasked(l poolLink) bool {
	space := pick(w.r, w.spaces...).Name
	if strings.HasPrefix(space, "crm.") {
		return false
	}
	l.b = w.newID(space, w.ids[l.a].person)
	w.unasked[w.text(l.b)] = true
	return w.join(l)
}

// addUnseen links an identifier of a namespace that no grant covers to any.
func (w *world) addUnseen() bool {
	space := pick(w.r, w.spaces...).Name
	l := w.randomLink(w.r, w.r.IntN(len(w.ids)), 0)
	if !w.unseen(space) || !w.unlisted(&l) {
		return false
	}
	l.b = w.newID(space, w.ids[l.a].person)
	return w.join(l)
}

// addWeakLink adds a link between two identifiers that a path joins which is
// as strong.
func (w *world) addWeakLink() bool {
	m := newModel(w.pool)
	for range 100 {
		a, b := w.r.IntN(len(w.ids)), w.r.IntN(len(w.ids))
		l := w.randomLink(w.r, min(a, b), max(a, b))
		if path, joined := m.reach(l.a, w.now)[l.b]; joined && a != b && !(strength{l.method, l.last}).beats(path) {
			return w.unlisted(&l) && w.join(l)
		}
	}
	return false
}

// changeProvenance changes when links were first seen, and by whom where the
// client cannot see that.
func (w *world) changeProvenance() bool {
	for i := range w.links {
		l := &w.links[i]
		l.first = l.last - snapshot.Day(w.r.IntN(30))
		other := *l
		other.source = w.r.IntN(len(w.sources))
		if !w.lists() && !w.linked(other) {
			*l = other
		}
	}
	return len(w.links) > 0
}

// addStranger adds a person of whom the client may see nothing.
func (w *world) addStranger() bool {
	from := len(w.ids)
	for range 1 + w.r.IntN(6) {
		id := w.newID(pick(w.r, w.spaces...).Name, w.persons)
		tenant := w.isCustomerOf(id)
		if tenant < 0 {
			continue
		}
		q := poolProfile{id: id, tenant: tenant}
		if w.redraw(&q, func(q poolProfile) bool { return w.ungranted(q) || w.withheld(q) }) {
			w.profiles = append(w.profiles, q)
		}
	}
	w.persons++
	w.connect(w.r, from)
	return true
}
