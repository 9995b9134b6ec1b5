package server

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
)

// shownSegment is a segment of a tenant, or, without a code, the tenant.
type shownSegment struct{ tenant, code string }

func (a shownSegment) compare(b shownSegment) int {
	if c := strings.Compare(a.tenant, b.tenant); c != 0 {
		return c
	}
	return strings.Compare(a.code, b.code)
}

// segments serves GET /v1/segments: the union, by tenant, of the segments of
// the visitor's profiles, and the visitor's bucket in an experiment.
func (s *Server) segments(ctx *fasthttp.RequestCtx, q *request) *problem {
	asked, p := q.parseQuery(ctx.URI().QueryString())
	if p != nil {
		return p
	}
	if len(q.ids) == 0 {
		return problemNoID
	}
	if asked.hasExperiment != asked.hasBuckets {
		return problemExperiment
	}
	if p := s.begin(q); p != nil {
		return p
	}
	defer q.session.End()
	a, err := q.session.Resolve(&q.batch, q.ids)
	if err != nil {
		return problemTooLarge // engine.ErrTooLarge, and no other
	}
	bucket := 0
	if asked.hasExperiment {
		// Asked for where nobody matched, too: a wrong experiment is an error
		// for every visitor.
		if bucket, err = engine.Bucket(q.session.Person(&a), borrow(asked.experiment), asked.buckets); err != nil {
			return badRequest("%v", err)
		}
	}
	if !a.Matched() {
		q.out = append(appendNone(append(q.out[:0], '{'), a.Reason), '}')
		return nil
	}
	q.gather(&a)
	q.out = append(q.out[:0], `{"status":"matched","segments":{`...)
	q.out = appendSegments(q.out, q.shown)
	q.out = append(q.out, '}')
	if asked.hasExperiment {
		q.out = append(q.out, `,"bucket":`...)
		q.out = appendInt(q.out, bucket)
	}
	q.out = append(q.out, '}')
	return nil
}

var problemExperiment = &problem{status: 400, detail: "experiment and buckets go together: give both or neither"}

// borrow is b as a string for a call that does not keep it.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// gather collects the answer's tenants and segments, sorted.
func (q *request) gather(a *engine.Answer) {
	q.shown = q.shown[:0]
	profiles := q.batch.Profiles(a)
	for i := range profiles {
		p := &profiles[i]
		tenant := q.session.Tenant(p.Tenant).Name
		q.shown = append(q.shown, shownSegment{tenant: tenant})
		for _, id := range q.batch.Segments(p) {
			q.shown = append(q.shown, shownSegment{tenant, q.session.Segment(id)})
		}
	}
	slices.SortFunc(q.shown, shownSegment.compare)
	q.shown = slices.Compact(q.shown)
}

// appendSegments appends the members of the object of segments. A tenant
// stands before its segments.
func appendSegments(dst []byte, sorted []shownSegment) []byte {
	for i, s := range sorted {
		if s.code == "" {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, s.tenant), `:[`...)
		} else {
			if sorted[i-1].code != "" {
				dst = append(dst, ',')
			}
			dst = appendString(dst, s.code)
		}
		if i+1 == len(sorted) || sorted[i+1].tenant != s.tenant {
			dst = append(dst, ']')
		}
	}
	return dst
}
