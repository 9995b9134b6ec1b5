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
	if b := q.caller.client.Browser; b != nil {
		if p := q.identify(ctx, b); p != nil {
			return p
		}
	} else if len(q.ids) == 0 {
		return problemNoID
	}
	if asked.hasExperiment != asked.hasBuckets {
		return problemExperiment
	}
	if p := s.begin(ctx, q, 1); p != nil {
		return p
	}
	defer q.view.End()
	part, a, p := s.resolve(q)
	if p != nil {
		return p
	}
	bucket := 0
	if asked.hasExperiment {
		// Asked for where nobody matched, too: a wrong experiment is an error
		// for every visitor.
		var err error
		if bucket, err = engine.Bucket(part.Person(a), borrow(asked.experiment), asked.buckets); err != nil {
			return badRequest("%v", err)
		}
	}
	if !a.Matched() {
		q.out = append(appendNone(append(q.out[:0], '{'), a), '}')
		return nil
	}
	q.gather()
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

// gather collects the tenants and segments of all that matched, sorted.
func (q *request) gather() {
	q.shown = q.shown[:0]
	for i := range q.view.Parts() {
		part := &q.view.Parts()[i]
		profiles := part.Profiles(part.Resolved())
		for k := range profiles {
			p := &profiles[k]
			tenant := part.Tenant(p.Tenant).Name
			q.shown = append(q.shown, shownSegment{tenant: tenant})
			for _, id := range part.Segments(p) {
				q.shown = append(q.shown, shownSegment{tenant, part.Segment(id)})
			}
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
