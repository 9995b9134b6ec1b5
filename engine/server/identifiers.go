package server

import (
	"bytes"
	"encoding/hex"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
)

// identifiers serves GET /v1/identifiers: every identifier of the person that
// a customer is. A client without such a grant for any tenant is told so; a
// grant for other tenants than the one asked for tells nothing.
func (s *Server) identifiers(ctx *fasthttp.RequestCtx, q *request) *problem {
	if !q.caller.identifiers {
		return problemNotGranted
	}
	asked, p := q.parseQuery(ctx.URI().QueryString())
	if p != nil {
		return p
	}
	tenant, customer, _ := bytes.Cut(asked.customer, []byte{':'})
	if len(tenant) == 0 || len(customer) == 0 {
		return problemCustomer
	}
	if p := s.begin(q); p != nil {
		return p
	}
	defer q.session.End()
	list, err := q.session.Identifiers(string(tenant), string(customer))
	if err != nil {
		// The engine has counted the fault; its words are the operator's.
		if s.faults.pass(time.Now()) {
			s.log.Error("list identifiers", "error", err)
		}
		return problemFault
	}
	q.out = append(q.out[:0], `{"customer":`...)
	q.out = appendBytes(q.out, asked.customer)
	q.out = append(q.out, ',')
	if list.Reason != engine.Matched {
		q.out = append(appendNone(q.out, list.Reason), '}')
		return nil
	}
	q.out = append(q.out, `"status":"matched","person":"`...)
	q.out = hex.AppendEncode(q.out, list.Person[:])
	q.out = append(q.out, `","identifiers":[`...)
	for i := range list.Identifiers {
		if i > 0 {
			q.out = append(q.out, ',')
		}
		q.out = appendIdentifier(q.out, &list.Identifiers[i])
	}
	q.out = append(q.out, `],"snapshot":`...)
	q.out = append(appendString(q.out, q.session.Snapshot()), '}')
	return nil
}

var problemCustomer = &problem{status: 400, detail: "customer is TENANT:CUSTOMER, as in ?customer=acme:C-123"}

func appendIdentifier(dst []byte, id *engine.Identifier) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, id.ID)
	dst = append(dst, `,"method":"`...)
	dst = append(dst, id.Method.String()...)
	dst = append(dst, `","source":`...)
	dst = appendString(dst, id.Source)
	dst = append(dst, `,"seen":"`...)
	dst = appendDate(dst, int64(id.Seen))
	return append(dst, `"}`...)
}
