package server

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"math/bits"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/snapshot"
)

// Paths of the health routes, on both listeners.
const (
	pathLive  = "/health/live"
	pathReady = "/health/ready"
)

// newAdmin makes the server of the admin listener.
func (s *Server) newAdmin() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(newRegistry(s), promhttp.HandlerOpts{}))
	mux.HandleFunc("POST /admin/v1/reload", s.serveReload)
	s.handleSwaps(mux)
	s.handlePrivacy(mux)
	mux.HandleFunc("GET "+pathLive, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, statusLive) })
	mux.HandleFunc("GET "+pathReady, func(w http.ResponseWriter, _ *http.Request) {
		if p := s.unready(); p != nil {
			p.writeHTTP(w)
			return
		}
		writeJSON(w, http.StatusOK, statusReady)
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return &http.Server{
		Handler:           s.administered(mux),
		ReadHeaderTimeout: 2 * time.Second,
		ReadTimeout:       5 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		// No WriteTimeout: a CPU profile or a trace takes as long as it is
		// asked to.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

// administered lets everybody of this machine administer, and others only by a
// key with the scope admin; health is no secret.
func (s *Server) administered(next http.Handler) http.Handler {
	if s.adminAt.local {
		return ofThisMachine(next, s.adminAt.network != "unix")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case pathLive, pathReady:
		default:
			c := s.keys.Load().find(bearer([]byte(r.Header.Get("Authorization"))))
			if c == nil || c.client.Certificate != "" { // no certificate is asked for here
				problemKey.writeHTTP(w)
				return
			}
			if c.scopes&ScopeAdmin == 0 {
				problemScopes[bits.TrailingZeros8(uint8(ScopeAdmin))].writeHTTP(w)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// adminListener is the admin listener, with the public one's TLS where others
// than this machine can reach it: their keys are not for the network to read.
func (s *Server) adminListener() net.Listener {
	if s.adminAt.local || s.tls == nil {
		return s.adminLn
	}
	return tls.NewListener(s.adminLn, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.tls.current.Load().config, nil },
	})
}

// ofThisMachine refuses what a page in a browser of this machine sends: it can
// reach the listener, and make a name of its own resolve to it.
func ofThisMachine(next http.Handler, named bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if named && !localHost([]byte(r.Host)) || r.Header.Get("Origin") != "" {
			problemForeign.writeHTTP(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

var problemForeign = &problem{status: 403, detail: "the admin listener is for programs of this machine, by its own name"}

// administrator names who administers, for the audit log.
func (s *Server) administrator(r *http.Request) string {
	if s.adminAt.local {
		return "local"
	}
	if c := s.keys.Load().find(bearer([]byte(r.Header.Get("Authorization")))); c != nil {
		return c.name
	}
	return "nobody"
}

// Answers of the health routes.
var (
	statusLive  = map[string]any{"status": "live"}
	statusReady = map[string]any{"status": "ready"}
)

// unready says why the server should get no requests, or returns nil.
func (s *Server) unready() *problem {
	switch {
	case s.draining.Load():
		return problemDraining
	case slices.ContainsFunc(s.pools.All(), func(p engine.Pool) bool { return p.Withdrawn() }):
		return problemWithdrawn
	case !s.pools.Ready():
		return problemNotReady
	}
	for _, p := range s.pools.All() {
		c := p.Changes()
		if c == nil {
			continue
		}
		switch {
		case c.Err() != nil:
			return problemLog
		case c.Late():
			return problemLate
		case c.Overdue():
			return problemOverdue
		}
		if f, ok := c.Following(); ok {
			if why := f.Unready(); why != "" {
				return &problem{status: 503, detail: s.named(p, why), header: retryLater}
			}
		}
	}
	return nil
}

// health serves the health routes of the public listener.
func (s *Server) health(ctx *fasthttp.RequestCtx) *problem {
	status := `{"status":"live"}`
	if string(ctx.Path()) == pathReady {
		if p := s.unready(); p != nil {
			return p
		}
		status = `{"status":"ready"}`
	}
	ctx.Response.Header.SetContentType(jsonType)
	ctx.Response.AppendBodyString(status)
	return nil
}

// serveReload opens the current snapshot of each store, where it is another
// one than is open.
func (s *Server) serveReload(w http.ResponseWriter, r *http.Request) {
	if p := s.auditAdmin(s.administrator(r), audit.AdminReload); p != nil {
		p.writeHTTP(w)
		return
	}
	type reloaded struct {
		Store    string `json:"store,omitempty"`
		Changed  bool   `json:"changed"`
		Snapshot string `json:"snapshot"`
	}
	var done []reloaded
	for _, p := range s.pools.All() {
		changed, err := p.Reload()
		switch {
		case errors.Is(err, snapshot.ErrNoSnapshot):
			(&problem{status: http.StatusConflict, detail: s.named(p, err.Error())}).writeHTTP(w)
			return
		case errors.As(err, new(*engine.RefusedError)):
			s.log.Error("refused snapshot", "store", p.Name, "error", err)
			(&problem{status: http.StatusConflict, detail: s.named(p, err.Error())}).writeHTTP(w)
			return
		case err != nil:
			s.log.Error("refused snapshot", "store", p.Name, "error", err)
			(&problem{status: http.StatusInternalServerError, detail: s.named(p, "the snapshot was refused: "+err.Error())}).writeHTTP(w)
			return
		}
		done = append(done, reloaded{p.Name, changed, p.Info().Snapshot})
	}
	if len(done) == 1 {
		done[0].Store = ""
		writeJSON(w, http.StatusOK, done[0])
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"stores": done})
}

// named says which store a text is about, where there are several.
func (s *Server) named(p engine.Pool, text string) string {
	if len(s.pools.All()) == 1 {
		return text
	}
	return "store " + p.Name + ": " + text
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller has gone, if anything
}

// writeHTTP is write for net/http.
func (p *problem) writeHTTP(w http.ResponseWriter) {
	w.Header().Set("Content-Type", problemType)
	if p.header[0] != "" {
		w.Header().Set(p.header[0], p.header[1])
	}
	w.WriteHeader(p.status)
	_, _ = w.Write(p.append(nil))
}
