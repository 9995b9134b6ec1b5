package engine_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// world is a pool beside what one client may see of it at one moment.
type world struct {
	*pool
	client engine.Client
	now    time.Time
	r      *rand.Rand
	// unasked are texts that lead to what the client may see, in this world
	// alone: links of others made them identifiers of somebody whom it knows.
	unasked map[string]bool
}

// newWorld is a copy of p, as the client sees it at now.
func newWorld(p *pool, c engine.Client, now time.Time, r *rand.Rand) *world {
	q := *p
	q.tenants, q.spaces, q.segments = slices.Clone(p.tenants), slices.Clone(p.spaces), slices.Clone(p.segments)
	q.ids, q.links, q.profiles = slices.Clone(p.ids), slices.Clone(p.links), slices.Clone(p.profiles)
	for i := range q.profiles {
		q.profiles[i].segments = slices.Clone(q.profiles[i].segments)
	}
	return &world{pool: &q, client: c, now: now, r: r, unasked: map[string]bool{}}
}

// rules knows who may see what, and no paths.
func (w *world) rules() *model { return &model{pool: w.pool} }

// grantOf is the grant that the client has for a tenant at the moment.
func (w *world) grantOf(tenant int) (g engine.Grant, held, shares bool) {
	g, held = w.rules().grant(w.client, w.now, w.tenants[tenant].Name)
	_, shares = needs(w.client, g)
	return g, held, held && shares
}

// secrets are changes to a world that its client cannot see, each of which
// reports whether there was something to change.
var secrets = map[string]func(*world) bool{
	"profile of a tenant without a grant":    (*world).changeUngranted,
	"profile that is not shared":             (*world).changeWithheld,
	"profile that is denied":                 (*world).changeDenied,
	"purpose that nobody asks for":           (*world).changePurposes,
	"customer of a tenant without a grant":   func(w *world) bool { return w.addCustomer(false) },
	"customer who is not shared":             func(w *world) bool { return w.addCustomer(true) },
	"how a hidden customer is linked":        (*world).relinkHidden,
	"what only a hidden customer has":        (*world).addBehindHidden,
	"what only somebody else's file has":     (*world).addFromForeignFile,
	"stranger":                               (*world).addStranger,
	"segment that is not granted":            (*world).changeSegments,
	"segment that nobody is in":              (*world).addCode,
	"customer id that is not shown":          (*world).renameCustomer,
	"identifier of an unseen namespace":      (*world).addUnseen,
	"link that is weaker than what is there": (*world).addWeakLink,
	"where a link is from":                   (*world).changeProvenance,
	"terms of a tenant":                      (*world).changeTerms,
	"tenant":                                 (*world).addTenant,
}

// someProfile picks a profile for which the condition holds.
func (w *world) someProfile(holds func(poolProfile) bool) *poolProfile {
	for _, i := range w.r.Perm(len(w.profiles)) {
		if holds(w.profiles[i]) {
			return &w.profiles[i]
		}
	}
	return nil
}

func (w *world) ungranted(q poolProfile) bool {
	_, held, _ := w.grantOf(q.tenant)
	return !held
}

func (w *world) withheld(q poolProfile) bool { return w.rules().withheld(w.client, w.now, q) }

// redraw makes q another profile of its customer, of which the condition holds
// too.
func (w *world) redraw(q *poolProfile, holds func(poolProfile) bool) bool {
	for range 30 {
		if other := w.randomProfile(w.r, q.id, q.tenant, false); holds(other) {
			*q = other
			return true
		}
	}
	return false
}

func (w *world) changeUngranted() bool {
	q := w.someProfile(w.ungranted)
	return q != nil && w.redraw(q, w.ungranted)
}

func (w *world) changeWithheld() bool {
	q := w.someProfile(w.withheld)
	return q != nil && w.redraw(q, w.withheld)
}

// changeDenied keeps the reason, which the client is told.
func (w *world) changeDenied() bool {
	m := w.rules()
	q := w.someProfile(func(q poolProfile) bool {
		return !w.ungranted(q) && !w.withheld(q) && m.ruling(w.client, w.now, q) != engine.Matched
	})
	if q == nil {
		return false
	}
	reason := m.ruling(w.client, w.now, *q)
	return w.redraw(q, func(o poolProfile) bool { return m.ruling(w.client, w.now, o) == reason })
}

func (w *world) changePurposes() bool {
	q := w.someProfile(func(q poolProfile) bool { return !w.ungranted(q) && !w.withheld(q) && q.consent.At != 0 })
	if q == nil {
		return false
	}
	g, _, _ := w.grantOf(q.tenant)
	switch use, share := needs(w.client, g); {
	case !share:
		q.consent.Purposes ^= snapshot.Share
	case !use:
		q.consent.Purposes ^= snapshot.Use
	default:
		return false
	}
	return true
}

func (w *world) changeSegments() bool {
	hidden := func(g engine.Grant, tenant, segment int) bool {
		s := w.segments[segment]
		return int(s.Tenant) == tenant && !slices.Contains(g.Segments, engine.All) && !slices.Contains(g.Segments, s.Code)
	}
	done := false
	for i := range w.profiles {
		q := &w.profiles[i]
		g, held, _ := w.grantOf(q.tenant)
		for s := range w.segments {
			if !held || !hidden(g, q.tenant, s) || w.r.IntN(2) == 0 {
				continue
			}
			if at, there := slices.BinarySearch(q.segments, uint32(s)); there {
				q.segments = slices.Delete(q.segments, at, at+1)
			} else {
				q.segments = slices.Insert(q.segments, at, uint32(s))
			}
			done = true
		}
	}
	return done
}

// addCode declares a segment that no profile has: one of a tenant whose
// segments are all granted says nothing either.
func (w *world) addCode() bool {
	tenant := w.r.IntN(len(w.tenants))
	at, _ := slices.BinarySearchFunc(w.segments, tenant+1, func(s snapshot.Segment, t int) int { return int(s.Tenant) - t })
	if at > 0 && w.segments[at-1].Code == "ÿ" {
		return false
	}
	w.segments = slices.Insert(w.segments, at, snapshot.Segment{Tenant: uint16(tenant), Code: "ÿ"})
	for i := range w.profiles {
		for k := range w.profiles[i].segments {
			if s := &w.profiles[i].segments[k]; int(*s) >= at {
				*s++
			}
		}
	}
	return true
}

// renameCustomer leaves the order of the profiles as it is.
func (w *world) renameCustomer() bool {
	q := w.someProfile(func(q poolProfile) bool {
		g, held, _ := w.grantOf(q.tenant)
		return held && !g.Customers && w.unseen(w.ids[q.id].space)
	})
	if q == nil {
		return false
	}
	w.ids[q.id].value += "!"
	return true
}

// unseen reports whether no grant covers a namespace.
func (w *world) unseen(space string) bool {
	m := w.rules()
	return !slices.ContainsFunc(w.tenants, func(t snapshot.Tenant) bool { return m.sees(w.client, w.now, t.Name, space) })
}

// blind reports whether the client may ask by nothing.
func (w *world) blind() bool {
	return !slices.ContainsFunc(w.spaces, func(n index.Namespace) bool { return !w.unseen(n.Name) })
}

// changeTerms: what a tenant relies on is its own affair, and sharing needs
// consent whatever it is.
func (w *world) changeTerms() bool {
	done := false
	for i := range w.tenants {
		if _, held, shares := w.grantOf(i); !held || shares {
			t := &w.tenants[i]
			t.LegalBasis, t.ConsentMaxAge = pick(w.r, bases...), 1+w.r.IntN(60)
			done = true
		}
	}
	return done
}

// addTenant puts a tenant among the others, whose numbers change, with a
// customer.
func (w *world) addTenant() bool {
	if slices.ContainsFunc(w.tenants, func(t snapshot.Tenant) bool { return t.Name == "newcomer" }) {
		return false
	}
	at := w.r.IntN(len(w.tenants) + 1)
	w.tenants = slices.Insert(w.tenants, at, snapshot.Tenant{
		Name: "newcomer", Domain: "newcomer.example", LegalBasis: pick(w.r, bases...), ConsentMaxAge: 36,
	})
	w.spaces = slices.Insert(w.spaces, w.r.IntN(len(w.spaces)+1), index.Namespace{Name: "crm.newcomer"})
	for i := range w.segments {
		if s := &w.segments[i]; int(s.Tenant) >= at {
			s.Tenant++
		}
	}
	for i := range w.profiles {
		if q := &w.profiles[i]; q.tenant >= at {
			q.tenant++
		}
	}
	return w.addCustomerOf(at, w.r.IntN(len(w.ids)))
}

// isCustomerOf returns the tenant whose customer id an identifier is, or -1.
func (w *world) isCustomerOf(id int) int {
	name, _ := strings.CutPrefix(w.ids[id].space, "crm.")
	return slices.IndexFunc(w.tenants, func(t snapshot.Tenant) bool { return t.Name == name })
}
