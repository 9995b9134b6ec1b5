package engine_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/matchd/matchd/engine"
)

// questions are all that one client asks.
type questions struct {
	batch     [][]byte    // each by itself, in one call
	alone     [][]byte    // each in a call of its own
	together  [][][]byte  // several as one
	customers [][2]string // whose identifiers are listed, by tenant
}

// questions are about everything that is in either of two worlds, but for what
// w leaves out, and about what is in neither.
func (w *world) questions(p *pool) *questions {
	var valid, others [][]byte
	add := func(space, text string) {
		if w.unseen(space) {
			others = append(others, []byte(text))
		} else {
			valid = append(valid, []byte(text))
		}
	}
	q := &questions{customers: [][2]string{{w.tenants[0].Name, "absent"}, {"nobody", "absent"}}}
	for _, side := range []*pool{p, w.pool} {
		for i, id := range side.ids {
			for _, text := range side.texts(i) {
				if !w.unasked[side.text(i)] {
					add(id.space, text)
				}
			}
			q.customers = append(q.customers, [2]string{pick(w.r, w.tenants...).Name, id.value})
			for _, t := range side.tenants {
				if id.space == "crm."+t.Name {
					q.customers = append(q.customers, [2]string{t.Name, id.value})
				}
			}
		}
	}
	for _, n := range w.spaces {
		add(n.Name, textsOf(n, randomValue(w.r, n))[0])
	}
	for _, text := range malformed {
		others = append(others, []byte(text))
	}
	q.draw(w.r, valid, others)
	return q
}

// draw asks at random, nearly two thousand times, and mostly by what may be asked by.
func (q *questions) draw(r *rand.Rand, valid, others [][]byte) {
	one := func() []byte {
		if len(valid) > 0 && r.IntN(8) > 0 {
			return pick(r, valid...)
		}
		return pick(r, others...)
	}
	for range 1600 {
		q.batch = append(q.batch, one())
	}
	for range 50 {
		q.alone = append(q.alone, one())
	}
	for range 200 {
		var ids [][]byte
		for range r.IntN(5) {
			ids = append(ids, one())
		}
		q.together = append(q.together, ids)
	}
}

// len counts the answers.
func (q *questions) len() int {
	return len(q.batch) + len(q.alone) + len(q.together) + len(q.customers)
}

// text is question i, for people.
func (q *questions) text(i int) string {
	for _, ids := range [][][]byte{q.batch, q.alone} {
		if i < len(ids) {
			return fmt.Sprintf("%q", ids[i])
		}
		i -= len(ids)
	}
	if i < len(q.together) {
		return fmt.Sprintf("%q as one", q.together[i])
	}
	return fmt.Sprintf("identifiers of %q", q.customers[i-len(q.together)])
}

// testimony is all that a client can read off the answers that it gets.
type testimony struct {
	text     []byte
	ends     []int // of each answer in text
	batch    engine.Batch
	reasons  map[engine.Reason]int
	listings int // of several identifiers
}

// answer is the answer to question i.
func (a *testimony) answer(i int) []byte {
	from := 0
	if i > 0 {
		from = a.ends[i-1]
	}
	return a.text[from:a.ends[i]]
}

// take asks all questions.
func (a *testimony) take(t *testing.T, s *engine.Session, q *questions) {
	t.Helper()
	a.text, a.ends, a.reasons, a.listings = a.text[:0], a.ends[:0], map[engine.Reason]int{}, 0
	ok(t, s.Match(&a.batch, q.batch))
	for i := range a.batch.Answers {
		a.note(t, s, &a.batch.Answers[i])
	}
	for i := range q.alone {
		ok(t, s.Match(&a.batch, q.alone[i:i+1]))
		a.note(t, s, &a.batch.Answers[0])
	}
	for _, ids := range q.together {
		one, err := s.Resolve(&a.batch, ids)
		ok(t, err)
		a.note(t, s, &one)
	}
	for _, c := range q.customers {
		a.list(t, s, c)
	}
	if len(a.ends) != q.len() {
		t.Fatalf("%d answers to %d questions", len(a.ends), q.len())
	}
}

// note takes down an answer with its person, a bucket and its profiles.
func (a *testimony) note(t *testing.T, s *engine.Session, got *engine.Answer) {
	a.reasons[got.Reason]++
	b := append(strconv.AppendInt(a.text, int64(got.Asked), 10), ' ')
	b = append(append(b, got.Reason...), ' ')
	if id := s.Person(got); id != (engine.PersonID{}) {
		b = hex.AppendEncode(b, id[:])
		bucket, err := engine.Bucket(id, "price", engine.MaxBuckets)
		if err != nil {
			t.Fatal(err)
		}
		b = strconv.AppendInt(append(b, " bucket "...), int64(bucket), 10)
	}
	for i := range a.batch.Profiles(got) {
		p := &a.batch.Profiles(got)[i]
		b = append(append(b, "; "...), s.Tenant(p.Tenant).Name...)
		b = append(append(b, ' '), a.batch.Customer(p)...)
		for _, v := range []int64{int64(p.Kind), int64(p.Strength.Method), int64(p.Strength.Seen), p.Expires} {
			b = strconv.AppendInt(append(b, ' '), v, 10)
		}
		for _, n := range a.batch.Segments(p) {
			b = append(append(b, '|'), s.Segment(n)...)
		}
	}
	a.text, a.ends = b, append(a.ends, len(b))
}

// list takes down a listing.
func (a *testimony) list(t *testing.T, s *engine.Session, customer [2]string) {
	t.Helper()
	l, err := s.Identifiers(customer[0], customer[1])
	ok(t, err)
	a.text = fmt.Appendf(a.text, "%s %v %v", l.Reason, l.Person, l.Identifiers)
	a.ends = append(a.ends, len(a.text))
	a.listings += boolInt(len(l.Identifiers) > 1)
}
