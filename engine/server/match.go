package server

import (
	"encoding/hex"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
)

// match serves GET /v1/match: all ids are one question.
func (s *Server) match(ctx *fasthttp.RequestCtx, q *request) *problem {
	if _, p := q.parseQuery(ctx.URI().QueryString()); p != nil {
		return p
	}
	if len(q.ids) == 0 {
		return problemNoID
	}
	if p := s.begin(ctx, q, 1); p != nil {
		return p
	}
	defer q.view.End()
	if err := q.view.Resolve(q.ids); err != nil {
		return problemTooLarge // engine.ErrTooLarge, and no other
	}
	part := q.view.Decided()
	a := part.Resolved()
	q.out = appendBytes(append(q.out[:0], `{"id":`...), q.ids[a.Asked])
	q.out = append(q.out, ',')
	q.out = appendAnswer(q.out, part, a)
	if !a.Matched() {
		q.out = append(q.out, '}')
		return nil
	}
	q.out = q.appendWhere(q.out, part)
	also := false
	for i := range q.view.Parts() {
		o := &q.view.Parts()[i]
		if o == part || !o.Resolved().Matched() {
			continue
		}
		q.out = appendAlso(q.out, &also)
		q.out = appendAnswer(q.out, o, o.Resolved())
		q.out = append(q.appendWhere(q.out, o), '}')
	}
	q.out = append(endAlso(q.out, also), '}')
	return nil
}

// appendAlso begins one more match, of a person in another store.
func appendAlso(dst []byte, begun *bool) []byte {
	if *begun {
		return append(dst, `,{`...)
	}
	*begun = true
	return append(dst, `,"also":[{`...)
}

func endAlso(dst []byte, begun bool) []byte {
	if begun {
		dst = append(dst, ']')
	}
	return dst
}

// appendWhere appends the store, where the client is answered from several, and
// the snapshot that a match is from.
func (q *request) appendWhere(dst []byte, p *engine.Part) []byte {
	dst = q.appendStore(dst, p)
	return appendString(append(dst, `,"snapshot":`...), p.Snapshot())
}

func (q *request) appendStore(dst []byte, p *engine.Part) []byte {
	if len(q.view.Parts()) > 1 {
		dst = appendString(append(dst, `,"store":`...), p.Store)
	}
	return dst
}

var problemNoID = &problem{status: 400, detail: "the query has no id, as in ?id=maid:6d92078a-8246-4ba4-ae5b-76104861e7dc"}

var problemBodyIDs = &problem{status: 400, detail: "a POST has its ids in the body, not in the query"}

// matchBatch serves POST /v1/match: each id is a question of its own.
func (s *Server) matchBatch(ctx *fasthttp.RequestCtx, q *request) *problem {
	if q.encoded {
		return problemEncoding
	}
	if _, p := q.parseQuery(ctx.URI().QueryString()); p != nil {
		return p
	}
	if len(q.ids) > 0 {
		return problemBodyIDs
	}
	if p := q.parseIDs(ctx.Request.Body()); p != nil {
		return p
	}
	if p := s.begin(ctx, q, len(q.ids)); p != nil {
		return p
	}
	defer q.view.End()
	if err := q.view.Match(q.ids); err != nil {
		return problemTooLarge // engine.ErrTooLarge, and no other
	}
	q.out = append(q.out[:0], `{"results":[`...)
	for i := range q.ids {
		if i > 0 {
			q.out = append(q.out, ',')
		}
		q.out = append(q.out, `{"id":`...)
		if len(q.text) == 0 {
			// Parsing found all ids clean: they go out as they came in.
			q.out = append(append(append(q.out, '"'), q.ids[i]...), '"')
		} else {
			q.out = appendBytes(q.out, q.ids[i])
		}
		q.out = append(q.out, ',')
		if q.appendResult(i); len(q.out) > maxAnswer {
			return problemTooLarge
		}
	}
	parts := q.view.Parts()
	q.out = append(q.out, `],"snapshot":`...)
	q.out = appendString(q.out, parts[0].Snapshot())
	if len(parts) > 1 {
		q.out = append(q.out, `,"snapshots":{`...)
		for i := range parts {
			if i > 0 {
				q.out = append(q.out, ',')
			}
			q.out = append(appendString(q.out, parts[i].Store), ':')
			q.out = appendString(q.out, parts[i].Snapshot())
		}
		q.out = append(q.out, '}')
	}
	q.out = append(q.out, '}')
	return nil
}

// appendResult appends the answer to identifier i, after its id.
func (q *request) appendResult(i int) {
	parts := q.view.Parts()
	if len(parts) == 1 {
		q.out = append(appendAnswer(q.out, &parts[0], &parts[0].Answers[i]), '}')
		return
	}
	part := q.view.Deciding(i)
	q.out = appendAnswer(q.out, part, &part.Answers[i])
	if part.Answers[i].Matched() {
		q.out = q.appendStore(q.out, part)
	}
	also := false
	for k := range parts {
		o := &parts[k]
		if o == part || !o.Answers[i].Matched() {
			continue
		}
		q.out = appendAlso(q.out, &also)
		q.out = append(q.appendStore(appendAnswer(q.out, o, &o.Answers[i]), o), '}')
	}
	q.out = append(endAlso(q.out, also), '}')
}

// maxAnswer bounds the JSON of a batch, in bytes: segments have numbers in a
// batch of the engine, and codes here.
const maxAnswer = 2 * engine.MaxBatchBytes

// appendAnswer appends the members that say what one store answers.
func appendAnswer(dst []byte, part *engine.Part, a *engine.Answer) []byte {
	if !a.Matched() {
		return appendNone(dst, a)
	}
	dst = append(dst, `"status":"matched","person":"`...)
	person := part.Person(a)
	dst = hex.AppendEncode(dst, person[:])
	dst = append(dst, `","profiles":[`...)
	profiles := part.Profiles(a)
	for i := range profiles {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendProfile(dst, part, &profiles[i])
	}
	dst = append(dst, ']')
	if a.Live {
		dst = append(dst, `,"live":true`...)
	}
	return dst
}

// appendNone appends the members that say why there is no answer.
func appendNone(dst []byte, a *engine.Answer) []byte {
	dst = appendReason(dst, a.Reason)
	if a.Reason == engine.Suppressed {
		dst = append(dst, `,"signal":"`...)
		dst = append(append(dst, a.Signal.String()...), '"')
	}
	return dst
}

func appendReason(dst []byte, r engine.Reason) []byte {
	dst = append(dst, `"status":"none","reason":"`...)
	return append(append(dst, r...), '"')
}

func appendProfile(dst []byte, part *engine.Part, p *engine.Profile) []byte {
	dst = append(dst, `{"tenant":`...)
	dst = appendString(dst, part.Tenant(p.Tenant).Name)
	if customer := part.Customer(p); len(customer) > 0 { // it is shown
		dst = appendBytes(append(dst, `,"customer":`...), customer)
	}
	dst = append(dst, `,"kind":"`...)
	dst = append(dst, p.Kind.String()...)
	dst = append(dst, `","segments":[`...)
	for i, id := range part.Segments(p) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, part.Segment(id))
	}
	dst = append(dst, `],"method":"`...)
	dst = append(dst, p.Strength.Method.String()...)
	dst = append(dst, `","seen":"`...)
	dst = appendDate(dst, int64(p.Strength.Seen))
	if p.Expires != 0 && p.Expires <= lastTime {
		dst = append(dst, `","expires_at":"`...)
		dst = time.Unix(p.Expires, 0).UTC().AppendFormat(dst, time.RFC3339)
	}
	return append(dst, `"}`...)
}

// lastTime is the last second that RFC 3339 can write, 9999-12-31T23:59:59Z.
// What expires later does not expire.
const lastTime = 253402300799
