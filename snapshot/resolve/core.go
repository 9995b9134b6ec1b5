package resolve

import (
	"cmp"
	"math/bits"
	"slices"
)

// core is the scratch memory of joining customers.
type core struct {
	crowds     []uint64
	records    []record // of a contact together, from the strongest to the weakest
	byCustomer []record
	seen       []bool // by contact: the first set of a comparison has it
	choices    []choice
}

// record says that a customer's own record has a contact.
type record struct {
	contact, customer, pair uint32
	best                    uint32 // 1 + the strongest pair of a record that has the contact
}

// choice is two customers who have a contact in common.
type choice struct {
	a, b          uint32
	agree, differ int
}

// Crowded returns which of two linked nodes is used by the other: a device by
// an anchor, a contact by a customer. Each user of one class, as Class has it,
// is taken for somebody else. ok is false where neither is used.
func Crowded(a, b Node) (usedIsA, ok bool) {
	switch {
	case a.Kind == Device && b.Kind != Device, a.Kind.contact() && b.Kind == Customer:
		return true, true
	case b.Kind == Device && a.Kind != Device, b.Kind.contact() && a.Kind == Customer:
		return false, true
	}
	return false, false
}

// Class is the kind of a user and, of a customer, the tenant: nobody is taken
// to be several of one class.
func (n Node) Class() uint32 { return uint32(n.Kind)<<16 | uint32(n.Tenant) }

// hub is how many times a person's identifiers one device may be linked to: a
// person clears cookies for years, and a hub has thousands.
const hub = 10

// Limit is how many users of one class a node of that kind may have.
func (r Rules) Limit(used, user Kind) int {
	switch {
	case used != Device:
		return r.MaxOnContact
	case user == Device:
		return hub * r.MaxIdentifiers
	}
	return r.MaxOnDevice
}

// limit shares the nodes that have too many users of one class.
func (r *Resolver) limit() {
	list := r.core.crowds[:0]
	for i := range r.pairs {
		p := &r.pairs[i]
		usedIsA, ok := Crowded(r.nodes[p.a], r.nodes[p.b])
		devices := r.nodes[p.a].Kind == Device && r.nodes[p.b].Kind == Device
		if devices || ok && usedIsA {
			list = append(list, uint64(p.a)<<32|uint64(r.nodes[p.b].Class()))
		}
		if devices || ok && !usedIsA {
			list = append(list, uint64(p.b)<<32|uint64(r.nodes[p.a].Class()))
		}
	}
	slices.Sort(list)
	r.core.crowds = list
	for i, same := 0, 0; i < len(list); i++ {
		if same++; i == 0 || list[i] != list[i-1] {
			same = 1
		}
		if node := list[i] >> 32; same > r.rules.Limit(r.nodes[node].Kind, Kind(uint32(list[i])>>16)) {
			r.shared[node] = true
		}
	}
	for i := range r.pairs {
		if p := &r.pairs[i]; r.shared[p.a] || r.shared[p.b] {
			p.reason = TooMany
		}
	}
}

// joinCustomers makes one set of customers whose own records say that they are
// one, see sameCustomer, and of the contacts in them. A contact of customers
// who are not one is shared, and says nothing of any of them: so what was
// joined is joined again without it, until no more is found.
func (r *Resolver) joinCustomers() {
	for {
		r.listRecords()
		r.choose()
		for _, c := range r.core.choices {
			a, b := r.sets.Find(c.a), r.sets.Find(c.b)
			if a != b && r.fits(a, b) && r.sameCustomer(a, b) {
				r.join(a, b)
			}
		}
		if !r.eachContact(r.shareContact) {
			break
		}
		r.separate()
	}
	r.eachContact(r.joinContact)
}

// eachContact calls f with the records of each contact, and reports whether
// one of the calls says so.
func (r *Resolver) eachContact(f func([]record) bool) (some bool) {
	for list := r.core.records; len(list) > 0; {
		n := 1
		for n < len(list) && list[n].contact == list[0].contact {
			n++
		}
		some = f(list[:n]) || some
		list = list[n:]
	}
	return some
}

// listRecords lists the contacts of customers' own records: those of a contact
// together, from the contact with the strongest one on.
func (r *Resolver) listRecords() {
	c := &r.core
	c.records = c.records[:0]
	for i := range r.pairs {
		p := &r.pairs[i]
		if p.reason != Kept || !r.own(p) {
			continue
		}
		contact, customer := p.a, p.b
		if r.nodes[p.a].Kind == Customer {
			contact, customer = p.b, p.a
		}
		if r.best[contact] == 0 {
			r.best[contact] = uint32(i) + 1
		}
		c.records = append(c.records, record{contact, customer, uint32(i), r.best[contact]})
	}
	slices.SortFunc(c.records, func(x, y record) int {
		return cmp.Or(cmp.Compare(x.best, y.best), cmp.Compare(x.pair, y.pair))
	})
	for _, x := range c.records {
		r.best[x.contact] = 0
	}
	c.byCustomer = append(c.byCustomer[:0], c.records...)
	slices.SortFunc(c.byCustomer, func(x, y record) int {
		return cmp.Or(cmp.Compare(x.customer, y.customer), cmp.Compare(x.contact, y.contact))
	})
	c.seen = resize(c.seen, len(r.nodes))
}

// of returns the records of one customer.
func (c *core) of(customer uint32) []record {
	from, _ := slices.BinarySearchFunc(c.byCustomer, customer, func(x record, customer uint32) int { return cmp.Compare(x.customer, customer) })
	to := from
	for to < len(c.byCustomer) && c.byCustomer[to].customer == customer {
		to++
	}
	return c.byCustomer[from:to]
}

// choose lists the pairs of customers who have a contact in common, the best
// first.
func (r *Resolver) choose() {
	c := &r.core
	c.choices = c.choices[:0]
	for i, x := range c.records {
		for _, y := range c.records[i+1:] {
			if y.contact != x.contact {
				break
			}
			c.choices = append(c.choices, choice{a: min(x.customer, y.customer), b: max(x.customer, y.customer)})
		}
	}
	// Two customers with several contacts in common are compared once.
	slices.SortFunc(c.choices, func(x, y choice) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) })
	c.choices = slices.Compact(c.choices)
	for i := range c.choices {
		ch := &c.choices[i]
		with := r.compare(ch.a, ch.b)
		ch.agree, ch.differ = bits.OnesCount8(with.common), with.differ()
	}
	slices.SortFunc(c.choices, func(x, y choice) int {
		return cmp.Or(cmp.Compare(y.agree, x.agree), cmp.Compare(x.differ, y.differ), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
}

// sameCustomer reports whether the records of two sets are of one person: they
// agree in two kinds of contact, or in one and do not differ. Records of one
// tenant that differ are never made one by way of others, and with one kind
// alone they must leave nothing open that would tell two people with one inbox
// apart: one of them says no more than that kind. Records of different tenants
// may differ in a phone number or an address: people give one shop this number
// and another that one. With different emails and one phone they are a family.
func (r *Resolver) sameCustomer(a, b uint32) bool {
	c := r.compare(a, b)
	sameTenant := r.sameTenant(r.sets.Find(a), r.sets.Find(b))
	switch {
	case sameTenant && r.toldApart(a, b):
		return false
	case bits.OnesCount8(c.common) != 1:
		return c.common != 0
	case sameTenant:
		return c.a == c.common || c.b == c.common
	}
	return c.differs()&(1<<Email) == 0 && c.differ() <= 1
}

// toldApart reports whether a tenant's own records, one of each set, differ in
// a kind of contact and do not agree in two.
func (r *Resolver) toldApart(a, b uint32) (apart bool) {
	r.members(r.sets.Find(a), func(x uint32) bool {
		r.members(r.sets.Find(b), func(y uint32) bool {
			if r.nodes[x].Kind == Customer && r.nodes[y] == r.nodes[x] {
				c := r.compareRecords(x, y)
				apart = c.differ() > 0 && bits.OnesCount8(c.common) < 2
			}
			return !apart
		})
		return !apart
	})
	return apart
}

// compareRecords compares the records of two customers.
func (r *Resolver) compareRecords(x, y uint32) (c comparison) {
	a, b := r.core.of(x), r.core.of(y)
	for _, of := range a {
		c.a |= 1 << r.nodes[of.contact].Kind
	}
	for _, of := range b { // both are in order
		kind := uint8(1) << r.nodes[of.contact].Kind
		c.b |= kind
		for len(a) > 0 && a[0].contact < of.contact {
			a = a[1:]
		}
		if len(a) > 0 && a[0].contact == of.contact {
			c.common |= kind
		}
	}
	return c
}

// comparison is the kinds of contact that two sets of customers have, and
// those of which they have one in common; a bit for each kind.
type comparison struct{ a, b, common uint8 }

// differs are the kinds of which both have some, and none in common.
func (c comparison) differs() uint8 { return c.a & c.b &^ c.common }

// differ counts them.
func (c comparison) differ() int { return bits.OnesCount8(c.differs()) }

// compare compares the contacts in the records of two sets of customers.
func (r *Resolver) compare(a, b uint32) (c comparison) {
	seen := r.core.seen
	r.contacts(a, func(x uint32) { seen[x] = true; c.a |= 1 << r.nodes[x].Kind })
	r.contacts(b, func(x uint32) {
		c.b |= 1 << r.nodes[x].Kind
		if seen[x] {
			c.common |= 1 << r.nodes[x].Kind
		}
	})
	r.contacts(a, func(x uint32) { seen[x] = false })
	return c
}

// contacts calls f with each contact in the records of a set's customers.
func (r *Resolver) contacts(set uint32, f func(contact uint32)) {
	r.members(r.sets.Find(set), func(n uint32) bool {
		if r.nodes[n].Kind == Customer {
			for _, x := range r.core.of(n) {
				f(x.contact)
			}
		}
		return true
	})
}

// shareContact cuts a contact that is in the records of several people from
// them, or under the policy latest from all but the one whose link is
// strongest. It reports whether it did.
func (r *Resolver) shareContact(records []record) bool {
	first := r.sets.Find(records[0].customer)
	several := slices.ContainsFunc(records, func(x record) bool { return r.sets.Find(x.customer) != first })
	if !several {
		return false
	}
	latest := r.rules.Shared == SharedLatest && r.clearly(records)
	r.shared[records[0].contact] = !latest
	for _, x := range records {
		if !latest || r.sets.Find(x.customer) != first {
			r.pairs[x.pair].reason = SharedID
		}
	}
	return true
}

// joinContact joins a contact to the person whose records have it.
func (r *Resolver) joinContact(records []record) bool {
	fits := r.fits(records[0].contact, records[0].customer)
	if fits {
		r.join(records[0].contact, records[0].customer)
	} else {
		for _, x := range records {
			r.pairs[x.pair].reason = TooLarge
		}
	}
	return fits
}

// clearly reports whether the first record's customer is linked more strongly
// than any other person.
func (r *Resolver) clearly(records []record) bool {
	best := &r.pairs[records[0].pair]
	for _, x := range records[1:] {
		p := &r.pairs[x.pair]
		if r.sets.Find(x.customer) != r.sets.Find(records[0].customer) && p.strength == best.strength && p.sources == best.sources {
			return false
		}
	}
	return true
}
