package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := new(authority)
	a.cert, a.key = a.sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, Subject: pkix.Name{CommonName: "authority"}})
	return a
}

// sign makes a certificate, which signs itself where there is no authority yet.
func (a *authority) sign(t *testing.T, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert, key
}

func (a *authority) pair(t *testing.T, commonName string, names ...string) tls.Certificate {
	t.Helper()
	cert, key := a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: commonName}, DNSNames: names})
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// A key that is bound to a certificate is nobody's without it.
func TestCertificates(t *testing.T) {
	good, other := newAuthority(t), newAuthority(t)
	pool := x509.NewCertPool()
	pool.AddCert(good.cert)
	bound := client("bound", grant("acme", false))
	bound.Certificate = "dsp.example"
	s := newServer(t, bound, client("free", grant("acme", false)))
	for name, c := range map[string]struct {
		plain  bool
		certs  []tls.Certificate
		verify tls.ClientAuthType
		want   bool
	}{
		"no TLS":             {plain: true},
		"none":               {verify: tls.VerifyClientCertIfGiven},
		"its DNS name":       {certs: []tls.Certificate{good.pair(t, "x", "a.example", "dsp.example")}, verify: tls.VerifyClientCertIfGiven, want: true},
		"in another case":    {certs: []tls.Certificate{good.pair(t, "x", "DSP.example")}, verify: tls.VerifyClientCertIfGiven, want: true},
		"its common name":    {certs: []tls.Certificate{good.pair(t, "dsp.example")}, verify: tls.RequireAndVerifyClientCert, want: true},
		"another's":          {certs: []tls.Certificate{good.pair(t, "x", "sub.dsp.example", "dsp.example.org")}, verify: tls.VerifyClientCertIfGiven},
		"a wildcard":         {certs: []tls.Certificate{good.pair(t, "*.example", "*.example")}, verify: tls.VerifyClientCertIfGiven},
		"not verified":       {certs: []tls.Certificate{good.pair(t, "x", "dsp.example")}, verify: tls.RequestClientCert},
		"signed by somebody": {certs: []tls.Certificate{other.pair(t, "x", "dsp.example")}, verify: tls.RequireAnyClientCert},
	} {
		here, there := net.Pipe()
		var inner net.Conn = here
		if !c.plain {
			server := tls.Server(here, &tls.Config{Certificates: []tls.Certificate{good.pair(t, "d", "matchd.example")}, ClientAuth: c.verify, ClientCAs: pool})
			dialled := tls.Client(there, &tls.Config{RootCAs: pool, ServerName: "matchd.example", Certificates: c.certs})
			shaken := make(chan error)
			go func() { shaken <- dialled.Handshake() }()
			must(t, server.Handshake())
			must(t, <-shaken)
			inner = server
		}
		for wrap, raw := range map[string]net.Conn{"counted": &conn{Conn: inner}, "bare": inner} {
			for key, want := range map[string]bool{"key-bound": c.want, "key-free": true} {
				ctx := new(fasthttp.RequestCtx)
				ctx.Init2(raw, discard{}, false)
				if got := s.authorize(ctx, []byte("Bearer "+key)); want != (got != nil) {
					t.Errorf("%s, %s, %s: got %v", name, wrap, key, got)
				}
			}
		}
		must(t, here.Close())
		must(t, there.Close())
	}
}
