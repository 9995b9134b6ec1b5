package livetest

import (
	"slices"
	"strings"
	"time"
)

// Model is a list of changes. What holds is worked out from all of them, without
// regard to their order but in that an erasure counts from the latest that was
// said of the customer before, as docs/live.md has it in words.
type Model struct {
	world *World
	by    map[string][]*Change // by what they name: a customer, an identifier, a pair
	ids   map[string]bool
	said  map[string]time.Time // by customer: the latest of its links, segments and consents
}

// Model makes a model without changes.
func (w *World) Model() *Model {
	return &Model{world: w, by: map[string][]*Change{}, ids: map[string]bool{}, said: map[string]time.Time{}}
}

// Has reports whether a change of an id is there.
func (m *Model) Has(id string) bool { return m.ids[id] }

// Refuses reports whether a change is not taken after those that are there, since
// it names a customer who is erased, or was so at its time.
func (m *Model) Refuses(c *Change) bool {
	for _, customer := range named(c) {
		list := m.of(customer, time.Time{}, "erase", "opt_in")
		tenant, _, _ := strings.Cut(customer, ":")
		if denied(list, tenant) || slices.ContainsFunc(list, func(x *Change) bool { return x.Type == "erase" && !x.At.Before(c.At) }) {
			return true
		}
	}
	return false
}

// named are the customers that a link, a segment or a consent names.
func named(c *Change) (list []string) {
	switch c.Type {
	case "opt_out", "opt_in", "erase":
		return nil
	case "link", "unlink":
		for _, id := range [...]string{c.Left, c.Right} {
			if customer, ok := strings.CutPrefix(id, "crm."); ok {
				list = append(list, customer)
			}
		}
		return list
	}
	return []string{c.Customer}
}

// Add adds a change, unless one of its id is there, and returns the time from
// which it counts.
func (m *Model) Add(c *Change) time.Time {
	if m.ids[c.ID] {
		return c.At
	}
	m.ids[c.ID] = true
	for _, customer := range named(c) {
		if c.At.After(m.said[customer]) {
			m.said[customer] = c.At
		}
	}
	if c.Type == "erase" {
		if m.said[c.Customer].After(c.At) && !m.lifted(c) {
			later := *c
			later.At = m.said[c.Customer]
			c = &later
		}
		if !m.said[c.Customer].After(c.At) {
			delete(m.said, c.Customer)
		}
	}
	about := c.Identifier + c.Customer
	if c.Left != "" {
		about = pair(c.Left, c.Right)
	}
	m.by[about] = append(m.by[about], c)
	return c.At
}

// lifted reports whether an erasure is lifted already when it comes.
func (m *Model) lifted(c *Change) bool {
	return slices.ContainsFunc(m.by[c.Customer], func(x *Change) bool { return x.Type == "opt_in" && x.Tenant == c.Tenant && x.At.After(c.At) })
}

func pair(a, b string) string { return min(a, b) + " " + max(a, b) }

// Answers are those to a client of a tenant that sees all that is the tenant's,
// by identifier: of each of the tenant's persons, in order.
func (m *Model) Answers(tenant string, now time.Time) (ids, answers []string) {
	for _, p := range m.world.Of(tenant) {
		for _, id := range p.Identifiers() {
			ids = append(ids, id)
			answers = append(answers, m.answer(p, id, now))
		}
	}
	return ids, answers
}

// Answer is that to one of a person's identifiers, for its tenant: a reason, or
// "matched" and the segments after a space, by commas.
func (m *Model) answer(p *Person, asked string, now time.Time) string {
	cut, erased := m.erased(p)
	switch {
	case m.optedOut(asked, p.Tenant):
		return "opted_out"
	case erased, !m.leads(p, asked, cut):
		return "unknown"
	}
	if why := m.consent(p, cut, now); why != "" {
		return why
	}
	return "matched " + strings.Join(m.segments(p, cut, now), ",")
}

// of returns the changes about something that are of certain types and later
// than a moment.
func (m *Model) of(about string, after time.Time, types ...string) (list []*Change) {
	for _, c := range m.by[about] {
		if slices.Contains(types, c.Type) && c.At.After(after) {
			list = append(list, c)
		}
	}
	return list
}

// latest returns those of the latest time, and whether one of them is of a type
// or status that denies.
func latest(list []*Change) (last []*Change, denied bool) {
	for _, c := range list {
		if len(last) > 0 && c.At.After(last[0].At) {
			last = last[:0]
		}
		if len(last) == 0 || c.At.Equal(last[0].At) {
			last = append(last, c)
		}
	}
	return last, slices.ContainsFunc(last, denies)
}

func denies(c *Change) bool {
	return c.Type == "opt_out" || c.Type == "erase" || c.Type == "unlink" || c.Type == "segment_remove" || c.Status == "withdrawn"
}

// denied reports whether the latest of a tenant's changes, or of all tenants'
// together, denies.
func denied(list []*Change, tenant string) bool {
	for _, whose := range [...]string{tenant, All} {
		_, no := latest(slices.DeleteFunc(slices.Clone(list), func(c *Change) bool { return c.Tenant != whose }))
		if no {
			return true
		}
	}
	return false
}

func (m *Model) optedOut(id, tenant string) bool {
	return denied(m.of(id, time.Time{}, "opt_out", "opt_in"), tenant)
}

// erased reports when the person was erased last, for whomever and whether or
// not that was lifted, and whether it holds for the person's tenant. What was
// said of the person up to that time counts no more.
func (m *Model) erased(p *Person) (cut time.Time, now bool) {
	list := m.of(p.Name(), time.Time{}, "erase", "opt_in")
	for _, c := range list {
		if c.Type == "erase" && c.At.After(cut) {
			cut = c.At
		}
	}
	return cut, denied(list, p.Tenant)
}

// leads reports whether an identifier leads to the customer over links that are
// there, none of whose ends beyond the identifier is opted out.
func (m *Model) leads(p *Person, asked string, cut time.Time) bool {
	reached, found := map[string]bool{asked: true}, []string{asked}
	for i := 0; i < len(found); i++ {
		for _, next := range p.Identifiers() {
			if !reached[next] && m.linked(p, found[i], next, cut) && !m.optedOut(next, p.Tenant) {
				reached[next], found = true, append(found, next)
			}
		}
	}
	return reached[p.CRM] && !m.optedOut(p.CRM, p.Tenant)
}

// linked reports whether two identifiers are, by the files or by changes. What was
// said of the customer's links up to cut counts no more.
func (m *Model) linked(p *Person, a, b string, cut time.Time) bool {
	if a != p.CRM && b != p.CRM {
		cut = time.Time{}
	}
	list, no := latest(m.of(pair(a, b), cut, "link", "unlink"))
	if len(list) == 0 {
		files := pair(a, b)
		return files == pair(p.CRM, p.Email) || files == pair(p.CRM, p.Cookie)
	}
	return !no
}

// consent says why there is none, or nothing. That of the files is without an
// end.
func (m *Model) consent(p *Person, cut, now time.Time) string {
	list, withdrawn := latest(m.of(p.Name(), cut, "consent"))
	if withdrawn {
		return "no_consent"
	}
	over := false
	for _, c := range list {
		if len(c.Purposes) > 0 && !slices.Contains(c.Purposes, "use") {
			return "no_consent"
		}
		over = over || c.Until != nil && !now.Before(*c.Until)
	}
	if over {
		return "consent_expired"
	}
	return ""
}

// segments are those that the files say, and the changes whose time is not over.
func (m *Model) segments(p *Person, cut, now time.Time) (list []string) {
	for k, code := range codes {
		in := p.segments&(1<<k) != 0
		said := slices.DeleteFunc(m.of(p.Name(), cut, "segment_add", "segment_remove"), func(c *Change) bool { return c.Segment != code })
		last, removed := latest(said)
		last = slices.DeleteFunc(last, func(c *Change) bool { return denies(c) != removed })
		if len(last) > 0 && inForce(last, removed, now) {
			in = !removed
		}
		if in {
			list = append(list, code)
		}
	}
	return list
}

// inForce reports whether changes of one time say anything still: of those that
// deny the last end counts, and of others the first.
func inForce(list []*Change, denies bool, now time.Time) bool {
	open := func(c *Change) bool { return c.Until == nil || now.Before(*c.Until) }
	if denies {
		return slices.ContainsFunc(list, open)
	}
	return !slices.ContainsFunc(list, func(c *Change) bool { return !open(c) })
}
