package server

import (
	"bytes"
	"encoding/hex"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
)

// identifiers serves GET /v1/identifiers: every identifier of the person that
// a customer is. A grant for other tenants than the one asked for tells nothing.
func (s *Server) identifiers(ctx *fasthttp.RequestCtx, q *request) *problem {
	asked, p := q.parseQuery(ctx.URI().QueryString())
	if p != nil {
		return p
	}
	tenant, customer, _ := bytes.Cut(asked.customer, []byte{':'})
	if len(tenant) == 0 || len(customer) == 0 {
		return problemCustomer
	}
	if p := s.begin(ctx, q, 1); p != nil {
		return p
	}
	defer q.view.End()
	if p := s.auditListing(q, asked.customer); p != nil {
		return p
	}
	q.out = append(appendBytes(append(q.out[:0], `{"customer":`...), asked.customer), ',')
	first, reason, signal := len(q.out), engine.Unknown, privacy.None
	also := false
	for i := range q.view.Parts() {
		part := &q.view.Parts()[i]
		list, err := part.Identifiers(string(tenant), string(customer))
		if err != nil {
			// The engine has counted the fault; its words are the operator's.
			if s.faults.pass(time.Now()) {
				s.log.Error("list identifiers", "error", err)
			}
			return problemFault
		}
		if list.Reason != engine.Matched {
			if list.Reason.Outweighs(reason) {
				reason, signal = list.Reason, list.Signal
			}
			continue
		}
		if len(q.out) > first {
			q.out = appendAlso(q.out, &also)
		}
		q.out = appendListing(q.out, &list)
		if q.out = q.appendWhere(q.out, part); also {
			q.out = append(q.out, '}')
		}
	}
	if len(q.out) == first {
		q.out = appendNone(q.out, &engine.Answer{Reason: reason, Signal: signal})
	}
	q.out = append(endAlso(q.out, also), '}')
	return nil
}

var problemCustomer = &problem{status: 400, detail: "customer is TENANT:CUSTOMER, as in ?customer=acme:C-123"}

func appendListing(dst []byte, list *engine.Listing) []byte {
	dst = append(dst, `"status":"matched","person":"`...)
	dst = hex.AppendEncode(dst, list.Person[:])
	dst = append(dst, `","identifiers":[`...)
	for i := range list.Identifiers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendIdentifier(dst, &list.Identifiers[i])
	}
	return append(dst, ']')
}

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
