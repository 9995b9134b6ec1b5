package server

import "net/http"

// auditor notes what the audit log is to tell. The zero value notes nothing.
type auditor struct{}

func (a *auditor) listing(q *request, tenant, customer []byte) error { return nil }

func (a *auditor) administration(r *http.Request, action string) error { return nil }
