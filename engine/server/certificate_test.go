package server

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
)

// A key that is bound to a certificate is nobody's without it.
func TestCertificates(t *testing.T) {
	w := newTLSWorld(t, true)
	bound := client("bound", grant("acme", false))
	bound.Certificate = "dsp.example"
	r := start(t, Options{TLS: &w.TLSOptions, Clients: []Client{bound, client("acme", grant("acme", false))}})
	common := func(name string, names ...string) x509.Certificate {
		c := bidder(names...)
		c.Subject = pkix.Name{CommonName: name}
		return c
	}
	for name, c := range map[string]struct {
		shown x509.Certificate
		want  int
	}{
		"its DNS name":    {bidder("a.example", "dsp.example"), 200},
		"in another case": {bidder("DSP.example"), 200},
		"its common name": {common("dsp.example"), 200},
		"another's":       {bidder("sub.dsp.example", "dsp.example.org"), 401},
		"a wildcard":      {common("*.example", "*.example"), 401},
	} {
		dialled, err := r.secure(t, w.config(w.clients.credentials(t, c.shown)))
		must(t, err)
		kept := keep(t, dialled)
		for key, want := range map[string]int{"bound": c.want, "acme": 200} {
			kept.sendAs(key, "/v1/match?id="+maidOne)
			if got := kept.read(); got.status != want {
				t.Errorf("%s, key of %s: got %d, want %d", name, key, got.status, want)
			}
		}
	}
	plain := start(t, Options{Clients: []Client{bound}})
	if got := plain.ask(t, "GET", "/v1/match?id="+maidOne, "bound", ""); got.status != 401 {
		t.Errorf("without TLS: got %d", got.status)
	}
}
