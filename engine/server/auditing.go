package server

import (
	"strings"

	"github.com/matchd/matchd/engine/audit"
)

// auditListing notes that a client asks for the identifiers of a customer, in
// each store that it is answered from. The customer is written as a pseudonym,
// under the store's key.
func (s *Server) auditListing(q *request, customer []byte) *problem {
	if q.noted { // it is answered anew, see serve
		return nil
	}
	for i := range q.view.Parts() {
		part := &q.view.Parts()[i]
		_, err := s.audit.Append(audit.Entry{
			Actor: q.caller.name, Action: audit.IdentifiersList, Subject: part.Pseudonym(string(customer)),
			Detail: map[string]string{"store": part.Store},
		})
		if err != nil {
			s.log.Error("the audit log takes no entry, so no identifiers are listed", "error", err)
			return problemAudit
		}
	}
	q.noted = true
	return nil
}

// auditAdmin notes that somebody administers.
func (s *Server) auditAdmin(actor, action string) *problem {
	if _, err := s.audit.Append(audit.Entry{Actor: actor, Action: action}); err != nil {
		s.log.Error("the audit log takes no entry, so nothing is done", "error", err)
		return problemAudit
	}
	return nil
}

// auditClients notes that the clients are other ones. It does not stop that: a
// revoked key must not live on for want of a log.
func (s *Server) auditClients(added, removed, changed []string) {
	_, err := s.audit.Append(audit.Entry{
		Actor: "daemon", Action: audit.ConfigReload,
		Detail: map[string]string{
			"added": strings.Join(added, ", "), "removed": strings.Join(removed, ", "), "changed": strings.Join(changed, ", "),
		},
	})
	if err != nil {
		s.log.Error("the audit log takes no entry of the changed clients", "error", err)
	}
}
