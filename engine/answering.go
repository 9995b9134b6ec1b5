package engine

import (
	"github.com/matchd/matchd/engine/persons"
	"github.com/matchd/matchd/snapshot"
)

// answer confirms the record of a slot, which is the current one but for an
// error of reading it, and appends the slot's answer.
func (s *Session) answer(b *Batch, t *slot, err error) {
	r, fault := &b.current, false
	asks, told := s.may(b, t)
	for ; t.state == slotFound; err = s.next(b, t) {
		if err != nil {
			fault = true
			continue
		}
		b.records++
		at := r.Find(t.hash)
		if at < 0 {
			continue
		}
		if g := s.groupOf(r); g != nil {
			s.answerBeside(b, t, g, asks, told)
		} else {
			s.answerFrom(b, t, at, asks, told)
		}
		return
	}
	if b.live.asked && t.state.absent() {
		if g := s.beside.OfOther(t.hash); g != nil {
			s.answerBeside(b, t, g, asks, told)
			return
		}
	}
	a := Answer{Reason: Unknown, fault: fault}
	switch t.state {
	case slotInvalid:
		a.Reason = Invalid
	case slotSuppressed:
		a.Reason, a.Signal = Suppressed, s.forbids()
	case slotDecoy:
		s.decoy(b, t, err)
	}
	if told && a.Reason == Unknown && !a.fault {
		a.Reason = OptedOut
	}
	b.Answers = append(b.Answers, a)
}

// groupOf is the group that live links have made of a record's person, or nil.
// Something live hangs on an identifier of each such person.
func (s *Session) groupOf(r *snapshot.Record) *persons.Group {
	if s.beside.Len() == 0 || !s.live.MayAny(r.Confirms()) {
		return nil
	}
	return s.beside.Of(r.ID)
}

// answerFrom appends the answer to an identifier that is identifier at of the
// current record.
func (s *Session) answerFrom(b *Batch, t *slot, at int, asks bitset, told bool) {
	b.Answers = append(b.Answers, Answer{Reason: Unknown, person: b.current.ID, from: len(b.profiles), to: len(b.profiles)})
	a := &b.Answers[len(b.Answers)-1]
	s.decide(b, a, asks, s.access.shares[t.namespace], at)
	if told && !a.Matched() && !a.fault {
		*a = Answer{Reason: OptedOut, from: a.from, to: a.from}
	}
}

// answerBeside appends the answer to an identifier of a group that live links
// have made.
func (s *Session) answerBeside(b *Batch, t *slot, g *persons.Group, asks bitset, told bool) {
	p, at := g.Find(t.hash)
	if p == nil { // it was somebody's
		a := Answer{Reason: Unknown, from: len(b.profiles), to: len(b.profiles)}
		if told {
			a.Reason = OptedOut
		}
		b.Answers = append(b.Answers, a)
		return
	}
	b.current = *p.Record
	s.answerFrom(b, t, at, asks, told)
	if a := &b.Answers[len(b.Answers)-1]; a.Matched() {
		a.Live = p.Live
	}
}

// decoy does for an absent identifier what is done for one that belongs to
// somebody whom the client may not know of, so that the two take equally long:
// it reads the record of somebody, and decides that nothing of it may be seen.
func (s *Session) decoy(b *Batch, t *slot, err error) {
	if err != nil {
		return // it is not what was asked about
	}
	b.records++
	a := Answer{from: len(b.profiles)}
	s.decide(b, &a, nil, nobody, max(b.current.Find(t.hash), 0))
}
