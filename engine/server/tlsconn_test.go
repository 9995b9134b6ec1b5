package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestTLS(t *testing.T) {
	w := newTLSWorld(t, false)
	r := start(t, Options{TLS: &w.TLSOptions})
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		config := w.caller(t)
		config.MinVersion, config.MaxVersion = version, version
		config.NextProtos = []string{"h2", "http/1.1"}
		c, err := r.secure(t, config)
		if (err == nil) != ok {
			t.Errorf("version %x: got %v", version, err)
		}
		if err != nil {
			continue
		}
		if got := c.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
			t.Errorf("the protocol is %q", got)
		}
		kept := keep(t, c)
		for range 3 {
			if got := kept.get("/v1/match?id=" + maidOne); got.status != 200 || got.close || !strings.Contains(got.body, "matched") {
				t.Errorf("got %+v", got)
			}
		}
	}
	config := w.caller(t)
	config.NextProtos = []string{"h2"}
	if _, err := r.secure(t, config); err == nil {
		t.Error("HTTP/2 was agreed on")
	}
}

func TestMutualTLS(t *testing.T) {
	w := newTLSWorld(t, true)
	r := start(t, Options{TLS: &w.TLSOptions})
	between := newAuthority(t, "between", w.clients)
	expired, early, server, anyUse := bidder("x"), bidder("x"), daemon("x"), bidder("x")
	expired.NotBefore, expired.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	early.NotBefore, early.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	anyUse.ExtKeyUsage = nil
	noChain := &authority{cert: between.cert, key: between.key}
	impostor := newAuthority(t, "clients", nil) // of the same name
	for name, c := range map[string]struct {
		credentials []tls.Certificate
		ok          bool
	}{
		"good":                 {w.clients.credentials(t, bidder("dsp.test")), true},
		"for any use":          {w.clients.credentials(t, anyUse), true},
		"of one between":       {between.credentials(t, bidder("dsp.test")), true},
		"none":                 {nil, false},
		"without the between":  {noChain.credentials(t, bidder("dsp.test")), false},
		"of another authority": {impostor.credentials(t, bidder("dsp.test")), false},
		"the daemon's kind":    {w.servers.credentials(t, bidder("dsp.test")), false},
		"expired":              {w.clients.credentials(t, expired), false},
		"not yet valid":        {w.clients.credentials(t, early), false},
		"a server's":           {w.clients.credentials(t, server), false},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			config := w.config(nil)
			config.MaxVersion = version
			// As who means ill would: whatever the server asks for.
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if c.credentials == nil {
					return new(tls.Certificate), nil
				}
				return &c.credentials[0], nil
			}
			err := refused(t, r, config)
			if (err == nil) != c.ok {
				t.Errorf("%s, version %x: got %v", name, version, err)
			}
			// The caller is told why, and not just cut off.
			var alert tls.AlertError
			if !c.ok && !errors.As(err, &alert) && !strings.Contains(err.Error(), "remote error: tls: ") {
				t.Errorf("%s, version %x: got %v, want an alert", name, version, err)
			}
		}
	}
}

func TestPeerNames(t *testing.T) {
	names := make(chan []string, 1)
	ask := func(o Options, config *tls.Config) []string {
		o.Pools, o.Clients, o.Listen, o.Admin = readyPools(t), testClients(), "127.0.0.1:0", "127.0.0.1:0"
		s, err := New(o)
		must(t, err)
		s.lookup = func(ctx *fasthttp.RequestCtx, q *request) *problem {
			names <- peerNames(ctx)
			return s.serveV1(ctx, q)
		}
		r := run(t, s)
		if config == nil {
			r.ask(t, "GET", "/v1/match?id="+maidOne, "acme", "")
		} else {
			r.openTLS(t, config)
		}
		return <-names
	}
	plain, mutual := newTLSWorld(t, false), newTLSWorld(t, true)
	unnamed, same := bidder(), bidder("a.test", "b.test")
	unnamed.Subject.CommonName, same.Subject.CommonName = "", "b.test"
	for _, c := range []struct {
		template x509.Certificate
		want     []string
	}{
		{bidder("a.test", "*.b.test"), []string{"a.test", "*.b.test", "bidder"}},
		{bidder(), []string{"bidder"}},
		{same, []string{"a.test", "b.test"}},
		{unnamed, nil},
	} {
		config := mutual.config(mutual.clients.credentials(t, c.template))
		if got := ask(Options{TLS: &mutual.TLSOptions}, config); !slices.Equal(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	// A certificate that nobody asked for and nobody checked names nobody.
	if got := ask(Options{TLS: &plain.TLSOptions}, plain.config(mutual.clients.credentials(t, bidder("a.test")))); got != nil {
		t.Errorf("without client CA: got %q", got)
	}
	if got := ask(Options{}, nil); got != nil {
		t.Errorf("without TLS: got %q", got)
	}
	ctx := requestCtx(t, "GET", "/", "", "")
	ctx.Init2(&conn{}, discard{}, false)
	if n := testing.AllocsPerRun(100, func() { peerNames(ctx) }); n != 0 {
		t.Errorf("without TLS: %v allocations", n)
	}
}
