package server

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestTLSReload(t *testing.T) {
	w := newTLSWorld(t, false)
	r := start(t, Options{TLS: &w.TLSOptions})
	config := w.caller(t)
	kept := r.openTLS(t, config)
	if got := r.certificate(t, config); got != "first" {
		t.Errorf("the certificate is %s", got)
	}
	w.renew(t, "second")
	waitFor(t, func() bool { return r.certificate(t, config) == "second" }) // nobody has to say so
	w.renew(t, "third")
	must(t, r.ReloadTLS())
	if got := r.certificate(t, config); got != "third" {
		t.Errorf("the certificate is %s after a reload", got)
	}
	write(t, w.KeyFile, "nonsense")
	if err := r.ReloadTLS(); err == nil || !strings.Contains(err.Error(), w.KeyFile) {
		t.Errorf("nonsense: got %v", err)
	}
	if got := r.certificate(t, config); got != "third" {
		t.Errorf("the certificate is %s after a failed reload", got)
	}
	if got := kept.get("/v1/match?id=" + maidOne); got.status != 200 || got.close {
		t.Errorf("a connection that was there: got %+v", got)
	}
	must(t, start(t, Options{}).ReloadTLS())
}

// The roots are changed: who leads to the new ones comes in, and who led to
// the old ones alone is out, with an old ticket and an open connection too.
func TestClientCAReload(t *testing.T) {
	w := newTLSWorld(t, true)
	r := start(t, Options{TLS: &w.TLSOptions})
	others := newAuthority(t, "others", nil)
	old, other := w.caller(t), w.config(newAuthority(t, "between", others).credentials(t, bidder("ssp.test")))
	old.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	r.openTLS(t, old)
	again, err := r.secure(t, old)
	must(t, err)
	if !again.ConnectionState().DidResume {
		t.Error("no session was resumed: the test shows nothing")
	}
	kept, idle := keep(t, again), r.openTLS(t, old)
	if refused(t, r, other) == nil {
		t.Error("another authority's caller came in too early")
	}

	write(t, w.ClientCAFile, w.clients.root()+others.root())
	must(t, r.ReloadTLS())
	if got := kept.get("/v1/match?id=" + maidOne); got.status != 200 || got.close {
		t.Errorf("who is still trusted: got %+v", got)
	}
	stays := r.openTLS(t, other)

	write(t, w.ClientCAFile, others.root())
	must(t, r.ReloadTLS())
	for _, c := range []*keptConn{kept, idle} {
		if got := readReplies(t, c.br); len(got) != 0 {
			t.Errorf("an open connection: got %+v", got)
		}
	}
	if refused(t, r, old) == nil {
		t.Error("the old authority's caller still comes in")
	}
	if got := stays.get("/v1/match?id=" + maidOne); got.status != 200 || got.close {
		t.Errorf("who is trusted: got %+v", got)
	}
	r.openTLS(t, other)
}

// The roots are changed between a caller's hello and its certificate.
func TestClientCAReloadDuringAHandshake(t *testing.T) {
	w := newTLSWorld(t, true)
	r := start(t, Options{TLS: &w.TLSOptions})
	config := w.config(nil)
	pair := w.clients.credentials(t, bidder("dsp.test"))
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		write(t, w.ClientCAFile, newAuthority(t, "others", nil).root())
		return &pair[0], r.ReloadTLS()
	}
	if refused(t, r, config) == nil {
		t.Error("came in by the old roots")
	}
	r.empty(t)
}

// A caller that is no longer trusted while its request runs gets its answer;
// the next one, if it was sent already, says that it is the last.
func TestClientCAReloadDuringARequest(t *testing.T) {
	w := newTLSWorld(t, true)
	s, err := New(Options{Pools: readyPools(t), Clients: testClients(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", TLS: &w.TLSOptions})
	must(t, err)
	s.lookup = func(ctx *fasthttp.RequestCtx, q *request) *problem {
		if strings.Contains(string(ctx.URI().QueryString()), "reload") {
			write(t, w.ClientCAFile, w.servers.root())
			if err := s.ReloadTLS(); err != nil {
				t.Error(err)
			}
		}
		return s.serveV1(ctx, q)
	}
	r := run(t, s)
	c := r.openTLS(t, w.caller(t))
	const rest = "id=" + maidOne + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\n\r\n"
	_, err = io.WriteString(c, "GET /v1/match?reload&"+rest+"GET /v1/match?"+rest+"GET /v1/match?"+rest)
	must(t, err)
	got := readReplies(t, c.br)
	if len(got) != 2 || got[0].status != 200 || got[1].status != 200 || !got[1].close {
		t.Errorf("got %+v", got)
	}
}

// A certificate that runs out ends its connections, and no others.
func TestCallersExpire(t *testing.T) {
	w := newTLSWorld(t, true)
	r := start(t, Options{TLS: &w.TLSOptions})
	long := bidder("long.test")
	long.NotBefore, long.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(48*time.Hour)
	short, stays := r.openTLS(t, w.caller(t)), r.openTLS(t, w.config(w.clients.credentials(t, long)))
	r.inspectTLS(time.Now())
	if got := short.get("/v1/match?id=" + maidOne); got.status != 200 || got.close {
		t.Errorf("too early: got %+v", got)
	}
	r.inspectTLS(time.Now().Add(24 * time.Hour))
	if got := readReplies(t, short.br); len(got) != 0 {
		t.Errorf("an expired caller: got %+v", got)
	}
	if got := stays.get("/v1/match?id=" + maidOne); got.status != 200 || got.close {
		t.Errorf("another caller: got %+v", got)
	}
}

// refused makes a handshake and reads once, and returns the error: in TLS 1.3
// a caller learns only then whether its certificate was taken.
func refused(t *testing.T, r *running, config *tls.Config) error {
	t.Helper()
	c, err := r.secure(t, config)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(c, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
}
