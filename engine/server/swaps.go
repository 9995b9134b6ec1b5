package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/snapshot"
)

// StoreSwaps is a store, what is served of it and what was done.
type StoreSwaps struct {
	Store string `json:"store"`
	// Changed is whether another snapshot is served than before.
	Changed bool `json:"changed"`
	engine.SwapStatus
}

// handleSwaps adds the routes that say which snapshot is served, each of one
// store, which store=NAME names where there are several:
//
//	GET  /admin/v1/snapshots             of all stores
//	POST /admin/v1/swap?force=true
//	POST /admin/v1/rollback
//	POST /admin/v1/pin?snapshot=NAME
//	POST /admin/v1/unpin
func (s *Server) handleSwaps(mux *http.ServeMux) {
	mux.HandleFunc("GET /admin/v1/snapshots", s.serveSnapshots)
	for _, a := range []struct {
		path, action string
		params       []string
		do           func(p engine.Pool, r *http.Request) error
	}{
		{"swap", audit.AdminSwap, []string{"force"}, func(p engine.Pool, r *http.Request) error {
			force, err := strconv.ParseBool(r.FormValue("force"))
			if err != nil && r.FormValue("force") != "" {
				return badParam("force is true or false")
			}
			_, err = p.Swap(force)
			return err
		}},
		{"rollback", audit.AdminRollback, nil, func(p engine.Pool, _ *http.Request) error {
			_, err := p.Rollback()
			return err
		}},
		{"pin", audit.AdminPin, []string{"snapshot"}, func(p engine.Pool, r *http.Request) error { return p.Pin(r.FormValue("snapshot")) }},
		{"unpin", audit.AdminUnpin, nil, func(p engine.Pool, _ *http.Request) error {
			_, err := p.Unpin()
			return err
		}},
	} {
		mux.HandleFunc("POST /admin/v1/"+a.path, func(w http.ResponseWriter, r *http.Request) {
			s.serveSwap(w, r, a.action, append(a.params, "store"), a.do)
		})
	}
}

// badParam is an error about a parameter.
type badParam string

func (e badParam) Error() string { return string(e) }

func (s *Server) serveSwap(w http.ResponseWriter, r *http.Request, action string, params []string, do func(engine.Pool, *http.Request) error) {
	p, err := s.swapStore(r, params)
	if err != nil {
		(&problem{status: http.StatusBadRequest, detail: err.Error()}).writeHTTP(w)
		return
	}
	entry := audit.Entry{Actor: s.administrator(r), Action: action, Subject: p.Name, Detail: map[string]string{}}
	for name, values := range r.Form {
		if name != "store" {
			entry.Detail[name] = values[0]
		}
	}
	if p := s.auditAdministered(entry); p != nil {
		p.writeHTTP(w)
		return
	}
	before := p.Info().Snapshot
	if err := do(p, r); err != nil {
		s.log.Error(action, "store", p.Name, "error", err)
		(&problem{status: swapCode(err), detail: s.named(p, err.Error())}).writeHTTP(w)
		return
	}
	st, err := p.SwapStatus()
	if err != nil {
		(&problem{status: http.StatusInternalServerError, detail: s.named(p, err.Error())}).writeHTTP(w)
		return
	}
	writeJSON(w, http.StatusOK, StoreSwaps{p.Name, st.Serving != before, st})
}

// swapCode is the status of an error: 409 for what the store's state forbids.
func swapCode(err error) int {
	var refused *engine.RefusedError
	var bad badParam
	switch {
	case errors.As(err, &bad), errors.Is(err, fs.ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, snapshot.ErrCorrupt):
		return http.StatusInternalServerError
	case errors.Is(err, fs.ErrNotExist):
		return http.StatusNotFound
	case errors.As(err, &refused), errors.Is(err, snapshot.ErrNoSnapshot), errors.Is(err, engine.ErrNothingBefore), errors.Is(err, engine.ErrNotReady):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

// swapStore finds the store that a request is about, and checks that it has no
// other parameters than params, each once.
func (s *Server) swapStore(r *http.Request, params []string) (p engine.Pool, err error) {
	if err := r.ParseForm(); err != nil {
		return p, badParam("the query cannot be read")
	}
	for name, values := range r.Form {
		if !slices.Contains(params, name) || len(values) != 1 || len(values[0]) > 256 {
			return p, badParam(fmt.Sprintf("a parameter is unknown, twice there or too long; there are %v", params))
		}
	}
	name := r.FormValue("store")
	if all := s.pools.All(); len(all) == 1 && name == "" {
		return all[0], nil
	}
	return s.store(name)
}

// store finds the store of a name.
func (s *Server) store(name string) (engine.Pool, error) {
	for _, p := range s.pools.All() {
		if p.Name == name {
			return p, nil
		}
	}
	return engine.Pool{}, badParam("store is the name of one of the stores that the config lists")
}

func (s *Server) serveSnapshots(w http.ResponseWriter, _ *http.Request) {
	out := []StoreSwaps{}
	for _, p := range s.pools.All() {
		st, err := p.SwapStatus()
		if err != nil {
			(&problem{status: http.StatusInternalServerError, detail: s.named(p, err.Error())}).writeHTTP(w)
			return
		}
		out = append(out, StoreSwaps{Store: p.Name, SwapStatus: st})
	}
	writeJSON(w, http.StatusOK, map[string]any{"stores": out})
}
