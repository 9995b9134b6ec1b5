package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/matchd/matchd/engine/audit"
)

// auditor writes the audit log. What it could not note of clients it keeps, and
// notes before anything else.
type auditor struct {
	log *audit.Log // nil keeps nothing

	mu   sync.Mutex // held while entries are written
	owed []audit.Entry
}

// maxOwed bounds what is kept.
const maxOwed = 10_000

func (a *auditor) note(entries ...audit.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.owed) > 0 {
		if _, err := a.log.Append(a.owed[0]); err != nil {
			return err
		}
		a.owed = a.owed[1:]
	}
	for _, e := range entries {
		if _, err := a.log.Append(e); err != nil {
			return err
		}
	}
	return nil
}

// owe is note for what has been done whatever the log says of it.
func (a *auditor) owe(entries ...audit.Entry) error {
	a.mu.Lock()
	if len(a.owed)+len(entries) <= maxOwed {
		a.owed = append(a.owed, entries...)
	}
	a.mu.Unlock()
	return a.note()
}

// auditListing notes that a client asks for the identifiers of a customer, in
// each store that it is answered from. The customer is written as a pseudonym,
// under the store's key.
func (s *Server) auditListing(q *request, customer []byte) *problem {
	if q.noted { // it is answered anew, see serve
		return nil
	}
	var entries []audit.Entry
	for i := range q.view.Parts() {
		part := &q.view.Parts()[i]
		entries = append(entries, audit.Entry{
			Actor: q.caller.name, Action: audit.IdentifiersList, Subject: part.Pseudonym(string(customer)),
			Detail: map[string]string{"store": part.Store},
		})
	}
	if err := s.audit.note(entries...); err != nil {
		if s.faults.pass(time.Now()) {
			s.log.Error("the audit log takes no entry, so no identifiers are listed", "error", err)
		}
		return problemAudit
	}
	q.noted = true
	return nil
}

// auditAdmin notes that somebody administers.
func (s *Server) auditAdmin(actor, action string) *problem {
	return s.auditAdministered(audit.Entry{Actor: actor, Action: action})
}

func (s *Server) auditAdministered(e audit.Entry) *problem {
	if err := s.audit.note(e); err != nil {
		s.log.Error("the audit log takes no entry, so nothing is done", "error", err)
		return problemAudit
	}
	return nil
}

// auditClients notes that the clients are other ones. It does not stop that: a
// revoked key must not live on for want of a log.
func (s *Server) auditClients(old, now []Client) {
	var entries []audit.Entry
	had := map[string]Client{}
	for _, c := range old {
		had[c.Name] = c
	}
	for _, c := range now {
		before, ok := had[c.Name]
		delete(had, c.Name)
		switch {
		case !ok:
			entries = append(entries, clientEntry(audit.ClientAdd, c))
		case !reflect.DeepEqual(before, c):
			entries = append(entries, clientEntry(audit.ClientChange, c))
		}
	}
	for _, c := range old {
		if _, gone := had[c.Name]; gone {
			entries = append(entries, clientEntry(audit.ClientRevoke, c))
		}
	}
	s.owe(entries...)
}

// auditStart notes with what clients the daemon starts.
func (s *Server) auditStart(clients []Client) {
	s.owe(audit.Entry{Actor: "daemon", Action: audit.DaemonStart, Detail: map[string]string{
		"clients": strconv.Itoa(len(clients)), "digest": digest(clients),
	}})
}

func (s *Server) owe(entries ...audit.Entry) {
	if err := s.audit.owe(entries...); err != nil {
		s.log.Error("the audit log takes no entry; what there is to note about clients is kept until it does", "error", err)
	}
}

func clientEntry(action string, c Client) audit.Entry {
	return audit.Entry{Actor: "daemon", Action: action, Subject: c.Name, Detail: map[string]string{"key": c.Key.ID(), "digest": digest(c)}}
}

// digest tells settings apart: 16 hexadecimal digits of the SHA-256 of their
// JSON.
func digest(settings any) string {
	text, err := json.Marshal(settings)
	if err != nil {
		panic(err) // they are plain values
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
