package gen

import (
	"encoding/hex"
	"strings"
	"time"
)

const (
	maxPeople     = 4    // in a household
	severalPeople = 0.63 // the share of households of two people or more, by householdSize
)

// household is a home, the people in it, what the brands know of them and what the links say of them.
type household struct {
	number   uint64
	outsider bool // known to no tenant
	people   []person
	profiles []profile
	links    []link
	ids      []identifier // of this household, in order of first use
	byName   map[string]int

	sharedTablet   string   // the identifier of a tablet that is everybody's, or empty
	sharedComputer *browser // of a computer that is everybody's, or nil
	sharedInbox    bool     // of the first two people
	disturbed      bool     // a false or a junk row was made of its rows

	street, postcode, city string
}

// identifier is a canonical name, and the people it is truly of: bit i is people[i].
type identifier struct {
	name   string
	owners uint8
}

func everybody(h *household) uint8 { return 1<<len(h.people) - 1 }

// id is the place in h.ids of the identifier called name, which belongs to owners.
func (h *household) id(name string, owners uint8) int {
	if at, ok := h.byName[name]; ok {
		return at
	}
	h.ids = append(h.ids, identifier{name, owners})
	h.byName[name] = len(h.ids) - 1
	return len(h.ids) - 1
}

// drawHousehold draws household number, with at most left customers of the first tenant.
func (g *generator) drawHousehold(number uint64, left int) *household {
	h := &household{number: number, byName: map[string]int{}, outsider: g.chance(g.Outsiders)}
	g.drawAddress(h)
	size := g.householdSize()
	for range size {
		g.addPerson(h)
	}
	if size > 1 {
		g.drawSharing(h)
	}
	for who := range h.people {
		left -= g.addProfiles(h, who, left)
	}
	for who := range h.people {
		g.addLinks(h, who)
	}
	return h
}

// householdSize follows the sizes of French households, with the largest left out.
func (g *generator) householdSize() int {
	switch u := g.rng.Float64(); {
	case u < 1-severalPeople:
		return 1
	case u < 0.72:
		return 2
	case u < 0.90:
		return 3
	default:
		return maxPeople
	}
}

// drawSharing decides what a family has in common. Those who share a device are reached together or not at all,
// so that the device is seen with all of them, which is what makes it hard.
func (g *generator) drawSharing(h *household) {
	if g.chance(g.SharedInbox / severalPeople) {
		h.sharedInbox = true
		h.people[0].hasEmail = true
		h.people[1].hasEmail = true
		h.people[1].email = h.people[0].email
	}
	if !g.chance(g.SharedDevice / severalPeople) {
		return
	}
	if g.chance(0.6) {
		h.sharedTablet = "maid:" + g.uuid()
	} else {
		h.sharedComputer = &browser{owners: everybody(h)}
	}
	for i := range h.people {
		h.people[i].coverage = h.people[0].coverage
	}
}

// uuid is a random version 4 UUID, in lower case.
func (g *generator) uuid() string {
	var b [16]byte
	g.random(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

func (g *generator) random(b []byte) {
	for i := range b {
		b[i] = byte(g.rng.Uint32())
	}
}

// daysAgo is a time between from and to days before AsOf, to the second.
func (g *generator) daysAgo(from, to int) time.Time {
	const day = 24 * 60 * 60
	return g.AsOf.Add(-time.Duration(from*day+g.rng.IntN((to-from)*day)) * time.Second)
}
