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
	if p := s.begin(q); p != nil {
		return p
	}
	defer q.session.End()
	a, err := q.session.Resolve(&q.batch, q.ids)
	if err != nil {
		return problemTooLarge // engine.ErrTooLarge, and no other
	}
	q.out = appendBytes(append(q.out[:0], `{"id":`...), q.ids[a.Asked])
	q.out = q.appendResult(q.out, &a)
	if a.Matched() {
		q.out = append(q.out, `,"snapshot":`...)
		q.out = appendString(q.out, q.session.Snapshot())
	}
	q.out = append(q.out, '}')
	return nil
}

var problemNoID = &problem{status: 400, detail: "the query has no id, as in ?id=maid:6d92078a-8246-4ba4-ae5b-76104861e7dc"}

// matchBatch serves POST /v1/match: each id is a question of its own.
func (s *Server) matchBatch(ctx *fasthttp.RequestCtx, q *request) *problem {
	if q.encoded {
		return problemEncoding
	}
	if p := q.parseIDs(ctx.Request.Body()); p != nil {
		return p
	}
	if p := s.begin(q); p != nil {
		return p
	}
	defer q.session.End()
	if err := q.session.Match(&q.batch, q.ids); err != nil {
		return problemTooLarge // engine.ErrTooLarge, and no other
	}
	q.out = append(q.out[:0], `{"results":[`...)
	for i := range q.batch.Answers {
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
		q.out = append(q.appendResult(q.out, &q.batch.Answers[i]), '}')
		if len(q.out) > maxAnswer {
			return problemTooLarge
		}
	}
	q.out = append(q.out, `],"snapshot":`...)
	q.out = append(appendString(q.out, q.session.Snapshot()), '}')
	return nil
}

// maxAnswer bounds the JSON of a batch, in bytes: segments have numbers in a
// batch of the engine, and codes here.
const maxAnswer = 2 * engine.MaxBatchBytes

// appendResult appends an answer after its id, but for the closing brace.
func (q *request) appendResult(dst []byte, a *engine.Answer) []byte {
	dst = append(dst, ',')
	if !a.Matched() {
		return appendNone(dst, a.Reason)
	}
	dst = append(dst, `"status":"matched","person":"`...)
	person := q.session.Person(a)
	dst = hex.AppendEncode(dst, person[:])
	dst = append(dst, `","profiles":[`...)
	profiles := q.batch.Profiles(a)
	for i := range profiles {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = q.appendProfile(dst, &profiles[i])
	}
	return append(dst, ']')
}

// appendNone appends the members that say why there is no answer.
func appendNone(dst []byte, r engine.Reason) []byte {
	dst = append(dst, `"status":"none","reason":"`...)
	dst = append(dst, r...)
	return append(dst, '"')
}

func (q *request) appendProfile(dst []byte, p *engine.Profile) []byte {
	dst = append(dst, `{"tenant":`...)
	dst = appendString(dst, q.session.Tenant(p.Tenant).Name)
	dst = append(dst, `,"customer":`...)
	dst = appendBytes(dst, q.batch.Customer(p))
	dst = append(dst, `,"kind":"`...)
	dst = append(dst, p.Kind.String()...)
	dst = append(dst, `","segments":[`...)
	for i, id := range q.batch.Segments(p) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, q.session.Segment(id))
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
