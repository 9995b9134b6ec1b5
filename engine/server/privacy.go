package server

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/proof"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// StoreHoldings is what a store has of a person.
type StoreHoldings struct {
	Store string `json:"store"`
	engine.Holdings
}

// StoreReceipt is where an erasure is in the log of a store.
type StoreReceipt struct {
	Store string    `json:"store"`
	Log   string    `json:"log"`
	Seq   uint64    `json:"seq"`
	Time  time.Time `json:"time"`
	Hash  string    `json:"hash"`
	Known bool      `json:"known,omitempty"` // it was sent before
}

// handlePrivacy adds the routes for who answers to people. Identifiers are in the
// body, as a form, and never in an URL, which others write down:
//
//	POST /admin/v1/privacy/show          id=NAMESPACE:VALUE
//	POST /admin/v1/privacy/erase         tenant=T&customer=T:ID[&id=ID]
//	GET  /admin/v1/privacy/certificate?seq=N[&store=NAME]
func (s *Server) handlePrivacy(mux *http.ServeMux) {
	mux.HandleFunc("POST /admin/v1/privacy/show", s.servePrivacyShow)
	mux.HandleFunc("POST /admin/v1/privacy/erase", s.servePrivacyErase)
	mux.HandleFunc("GET /admin/v1/privacy/certificate", s.serveCertificate)
}

// privateForm reads a form that has each of the fields at most once, and the
// required ones.
func privateForm(r *http.Request, required []string, more ...string) error {
	if r.URL.RawQuery != "" {
		return badParam("this path takes no query: send the fields as a form")
	}
	r.Body = http.MaxBytesReader(nil, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		return badParam("the body is no form, or too long")
	}
	for name, values := range r.PostForm {
		if !slices.Contains(required, name) && !slices.Contains(more, name) || len(values) != 1 {
			return badParam("a field is unknown, or twice there")
		}
	}
	for _, name := range required {
		if r.PostForm.Get(name) == "" {
			return badParam("the field " + name + " is missing")
		}
	}
	return nil
}

func badForm(w http.ResponseWriter, err error) {
	(&problem{status: http.StatusBadRequest, detail: err.Error()}).writeHTTP(w)
}

// chosen are the stores that a request is about: the one it names, or all.
func (s *Server) chosen(r *http.Request) ([]engine.Pool, error) {
	name := r.FormValue("store")
	if name == "" {
		return s.pools.All(), nil
	}
	p, err := s.store(name)
	return []engine.Pool{p}, err
}

// auditPerson notes that somebody does something about a person, under the
// store's pseudonym.
func (s *Server) auditPerson(r *http.Request, p engine.Pool, action, id string, detail map[string]string) *problem {
	pseudonym, err := p.Pseudonym(strings.TrimPrefix(id, index.CRMPrefix))
	if err != nil {
		return &problem{status: http.StatusInternalServerError, detail: s.named(p, "its key cannot be read")}
	}
	detail["store"] = p.Name
	return s.auditAdministered(audit.Entry{Actor: s.administrator(r), Action: action, Subject: pseudonym, Detail: detail})
}

func (s *Server) servePrivacyShow(w http.ResponseWriter, r *http.Request) {
	if err := privateForm(r, []string{"id"}, "store"); err != nil {
		badForm(w, err)
		return
	}
	chosen, err := s.chosen(r)
	if err != nil {
		badForm(w, err)
		return
	}
	id, out := r.PostForm.Get("id"), []StoreHoldings{}
	var none error
	for _, p := range chosen {
		if p := s.auditPerson(r, p, audit.PrivacyShow, id, map[string]string{}); p != nil {
			p.writeHTTP(w)
			return
		}
		h, err := p.Holdings(id)
		switch {
		case errors.Is(err, engine.ErrNotReady):
			problemNotReady.writeHTTP(w)
			return
		case errors.Is(err, snapshot.ErrCorrupt):
			(&problem{status: http.StatusInternalServerError, detail: s.named(p, err.Error())}).writeHTTP(w)
			return
		case err != nil: // it is none of this store's identifiers
			none = err
			continue
		}
		out = append(out, StoreHoldings{p.Name, h})
	}
	if len(out) == 0 {
		badForm(w, badParam("id: "+none.Error()))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, map[string]any{"stores": out})
}

func (s *Server) servePrivacyErase(w http.ResponseWriter, r *http.Request) {
	if err := privateForm(r, []string{"tenant", "customer"}, "id", "store"); err != nil {
		badForm(w, err)
		return
	}
	chosen, err := s.chosen(r)
	if err != nil {
		badForm(w, err)
		return
	}
	e, err := erasure(r)
	if err != nil {
		badForm(w, badParam(err.Error()))
		return
	}
	receipts, p := s.erase(r, chosen, &e)
	if p != nil {
		p.writeHTTP(w)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"receipts": receipts})
}

var problemNoTenant = &problem{status: http.StatusNotFound, detail: "no store that takes live changes has the tenant"}

// erase has those of the chosen stores take an erasure that have the tenant.
func (s *Server) erase(r *http.Request, chosen []engine.Pool, e *event.Event) (receipts []StoreReceipt, _ *problem) {
	d, err := s.pools.DeliverAmong(chosen, []event.Event{*e}, func(p engine.Pool, e *event.Event) bool { return hasAny(p, e.Concerns()) })
	switch {
	case errors.Is(err, engine.ErrNotReady):
		return nil, problemTaker
	case err != nil: // there is no log
		return nil, problemNoTenant
	}
	if p := s.following(d); p != nil {
		return nil, p
	}
	for _, p := range chosen {
		if !d.Reaches(p.Name) {
			continue
		}
		if p := s.auditPerson(r, p, audit.PrivacyErase, e.Customer, map[string]string{"tenant": e.Tenant}); p != nil {
			return nil, p
		}
	}
	out, err := d.Take("admin/" + s.administrator(r))
	switch {
	case err != nil:
		return nil, problemLog
	case out[0].Err != nil:
		c := change{Delivered: out[0]}
		return nil, &problem{status: http.StatusBadRequest, detail: c.why()}
	}
	for _, t := range out[0].Taken {
		receipts = append(receipts, StoreReceipt{t.Store, t.Log.String(), t.Seq, t.Time, t.Hash.String(), t.Known})
	}
	if len(receipts) == 0 {
		return nil, problemNoTenant
	}
	return receipts, nil
}

// erasure is the change that a request asks for.
func erasure(r *http.Request) (event.Event, error) {
	id := r.PostForm.Get("id")
	if id == "" {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		id = "privacy-" + hex.EncodeToString(b[:])
	}
	text, err := json.Marshal(map[string]string{
		"id": id, "type": event.Erase.String(), "tenant": r.PostForm.Get("tenant"), "customer": r.PostForm.Get("customer"),
	})
	if err != nil {
		return event.Event{}, err
	}
	return event.Parse(text)
}

// hasAny reports whether a store has one of some tenants.
func hasAny(p engine.Pool, tenants []string) bool {
	return slices.ContainsFunc(p.Tenants(), func(t snapshot.Tenant) bool {
		return slices.Contains(tenants, t.Name) || slices.Contains(tenants, event.All)
	})
}

func (s *Server) serveCertificate(w http.ResponseWriter, r *http.Request) {
	p, err := s.swapStore(r, []string{"seq", "store"})
	if err != nil {
		badForm(w, err)
		return
	}
	seq, err := strconv.ParseUint(r.FormValue("seq"), 10, 64)
	if err != nil {
		badForm(w, badParam("seq is the number of the erasure, as its receipt has it"))
		return
	}
	if p.Changes() == nil {
		problemNoLog.writeHTTP(w)
		return
	}
	entry := audit.Entry{Actor: s.administrator(r), Action: audit.PrivacyCertify, Subject: p.Name, Detail: map[string]string{"seq": strconv.FormatUint(seq, 10)}}
	if p := s.auditAdministered(entry); p != nil {
		p.writeHTTP(w)
		return
	}
	c, err := p.Changes().Certificate(seq)
	switch {
	case errors.Is(err, proof.ErrNoErasure):
		(&problem{status: http.StatusNotFound, detail: s.named(p, err.Error())}).writeHTTP(w)
	case err != nil:
		s.log.Error("a certificate cannot be made", "store", p.Name, "error", err)
		(&problem{status: http.StatusInternalServerError, detail: s.named(p, "the log cannot be read")}).writeHTTP(w)
	default:
		writeJSON(w, http.StatusOK, c)
	}
}
