package resolve

import (
	"cmp"
	"slices"

	"github.com/matchd/matchd/snapshot"
)

// crowds is rule 2.
func (m *naive) crowds() {
	for n, node := range m.nodes {
		users := map[Node]int{}
		for _, l := range m.links {
			for _, e := range l.ends() {
				user := m.nodes[e[1]]
				if e[0] == n && (node.Kind == Device || node.Kind.contact() && user.Kind == Customer) {
					users[user]++
				}
			}
		}
		for user, count := range users {
			if node.Kind == Device && user.Kind == Device {
				if count > 10*m.rules.MaxIdentifiers {
					m.shared[n] = true
				}
				continue
			}
			if node.Kind == Device && count > m.rules.MaxOnDevice || node.Kind != Device && count > m.rules.MaxOnContact {
				m.shared[n] = true
			}
		}
	}
	for _, l := range m.links {
		if m.shared[l.a] || m.shared[l.b] {
			l.reason = TooMany
		}
	}
}

// inRecord returns a link's customer and contact, where it is of a record.
func (m *naive) inRecord(l *naiveLink) (customer, contact int, ok bool) {
	for _, e := range l.ends() {
		if l.method == snapshot.Authenticated && l.reason == Kept && m.nodes[e[0]].Kind == Customer && m.nodes[e[1]].Kind.contact() {
			return e[0], e[1], true
		}
	}
	return 0, 0, false
}

// records returns the contacts in the records of a set's customers, by kind.
func (m *naive) records(set []int) map[Kind]map[int]bool {
	out := map[Kind]map[int]bool{Email: {}, Phone: {}, Postal: {}}
	for _, l := range m.links {
		if customer, contact, ok := m.inRecord(l); ok && slices.Contains(set, customer) {
			out[m.nodes[contact].Kind][contact] = true
		}
	}
	return out
}

// compare returns in how many kinds of contact two sets agree, in how many
// they differ, whether email is one of these, and how many kinds the set with
// fewer has.
func (m *naive) compare(a, b []int) (agree, differ int, emails bool, fewer int) {
	x, y := m.records(a), m.records(b)
	kindsX, kindsY := 0, 0
	for k := range x {
		if len(x[k]) > 0 {
			kindsX++
		}
		if len(y[k]) > 0 {
			kindsY++
		}
		common := false
		for contact := range x[k] {
			common = common || y[k][contact]
		}
		if common {
			agree++
		} else if len(x[k]) > 0 && len(y[k]) > 0 {
			differ++
			emails = emails || k == Email
		}
	}
	return agree, differ, emails, min(kindsX, kindsY)
}

// toldApart: a tenant has a record in each set, and says that they are two
// people's.
func (m *naive) toldApart(a, b []int) bool {
	for _, x := range a {
		for _, y := range b {
			agree, differ, _, _ := m.compare([]int{x}, []int{y})
			if m.nodes[x].Kind == Customer && m.nodes[x] == m.nodes[y] && differ >= 1 && agree <= 1 {
				return true
			}
		}
	}
	return false
}

// customers is rule 3.
func (m *naive) customers() {
	type choice struct{ a, b, agree, differ int }
	var choices []choice
	for a := range m.nodes {
		for b := range a {
			if m.nodes[a].Kind == Customer && m.nodes[b].Kind == Customer {
				if agree, differ, _, _ := m.compare([]int{a}, []int{b}); agree > 0 {
					choices = append(choices, choice{b, a, agree, differ})
				}
			}
		}
	}
	slices.SortFunc(choices, func(x, y choice) int {
		return cmp.Or(cmp.Compare(y.agree, x.agree), cmp.Compare(x.differ, y.differ), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	for _, c := range choices {
		agree, differ, emails, fewer := m.compare(m.set(c.a), m.set(c.b))
		same := agree >= 2 || agree == 1 && differ <= 1 && !emails
		if agree == 1 && m.oneTenant(c.a, c.b) {
			same = differ == 0 && fewer == 1
		}
		if same && !m.toldApart(m.set(c.a), m.set(c.b)) && !m.one(c.a, c.b) && m.fits(c.a, c.b) {
			m.join(c.a, c.b)
		}
	}
}

// ofContact lists the links of records that have a contact, and their customers.
func (m *naive) ofContact(n int) (links []*naiveLink, by []int) {
	for _, l := range m.links {
		if customer, contact, ok := m.inRecord(l); ok && contact == n {
			links, by = append(links, l), append(by, customer)
		}
	}
	return links, by
}

// shareContacts is rule 4. It reports whether a contact is several people's.
func (m *naive) shareContacts() (some bool) {
	for n := range m.nodes {
		links, by := m.ofContact(n)
		var others []*naiveLink
		latest := m.rules.Shared == SharedLatest
		for i, l := range links {
			if !m.one(by[i], by[0]) {
				others = append(others, l)
				latest = latest && l.compare(links[0]) > 0
			}
		}
		if others == nil {
			continue
		}
		some = true
		if !latest {
			m.shared[n] = true
			others = links
		}
		for _, l := range others {
			l.reason = SharedID
		}
	}
	return some
}

// contacts joins what rule 4 leaves, strongest first.
func (m *naive) contacts() {
	for _, l := range m.links {
		_, contact, ok := m.inRecord(l)
		links, by := m.ofContact(contact)
		if !ok || l != links[0] {
			continue
		}
		if m.fits(contact, by[0]) {
			m.join(by[0], contact)
			continue
		}
		for _, l := range links {
			l.reason = TooLarge
		}
	}
}
