package engine_test

import (
	"strings"
	"testing"

	"github.com/matchd/matchd/engine"
)

// persons knows which person of a pool an id shown in an id space stands for.
// It fails where one id stands for two persons, two ids of one id space for
// one person, or an id shows in two id spaces.
type persons struct {
	byID map[engine.PersonID]spacePerson
	ids  map[spacePerson]engine.PersonID
}

type spacePerson struct {
	space  string
	person int
}

func (p *persons) clear() {
	*p = persons{map[engine.PersonID]spacePerson{}, map[spacePerson]engine.PersonID{}}
}

// number returns the number of the person that id stands for in the id space
// of c, and -1 for no id. An id that is new is taken for want.
func (p *persons) number(t testing.TB, id engine.PersonID, c engine.Client, want int) int {
	t.Helper()
	if id == (engine.PersonID{}) {
		return -1
	}
	if p.byID == nil {
		p.clear()
	}
	is, have := p.byID[id]
	if !have {
		is = spacePerson{spaceOf(c), want}
		if other, ok := p.ids[is]; ok {
			t.Errorf("person %d has two ids in space %q, %v and %v", want, is.space, other, id)
		}
		p.byID[id], p.ids[is] = is, id
	}
	if is.space != spaceOf(c) {
		t.Errorf("person id %v shows in id spaces %q and %q", id, is.space, spaceOf(c))
	}
	return is.person
}

// read turns an engine's answer into one that can be compared.
func (p *persons) read(t testing.TB, s *engine.Session, b *engine.Batch, a *engine.Answer, c engine.Client, want int) answer {
	t.Helper()
	out := answer{Reason: a.Reason, Person: p.number(t, s.Person(a), c, want)}
	if a.Matched() != (a.Reason == engine.Matched) {
		t.Errorf("Matched is %t for %s", a.Matched(), a.Reason)
	}
	for i := range b.Profiles(a) {
		q := &b.Profiles(a)[i]
		var codes []string
		for _, n := range b.Segments(q) {
			codes = append(codes, s.Segment(n))
		}
		out.Profiles = append(out.Profiles, profile{
			Tenant: s.Tenant(q.Tenant).Name, Customer: string(b.Customer(q)), Kind: q.Kind,
			Segments: strings.Join(codes, "|"), Path: strength{q.Strength.Method, q.Strength.Seen}, Expires: q.Expires,
		})
	}
	return out
}
