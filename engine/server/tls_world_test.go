package server

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	chain string // PEM of those that a caller sends with its own
}

// newAuthority makes a root, or what a parent signed.
func newAuthority(t *testing.T, name string, parent *authority) *authority {
	t.Helper()
	template := x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a := new(authority)
	a.cert, a.key = sign(t, template, parent)
	if parent != nil {
		a.chain = pemOf("CERTIFICATE", a.cert.Raw) + parent.chain
	}
	return a
}

// sign makes a key and a certificate for it; without a parent, its own.
func sign(t *testing.T, template x509.Certificate, parent *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	must(t, err)
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	signer := &authority{cert: &template, key: key}
	if parent != nil {
		signer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, signer.cert, key.Public(), signer.key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert, key
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// root is the authority's own certificate.
func (a *authority) root() string { return pemOf("CERTIFICATE", a.cert.Raw) }

// issue makes a certificate, with those between it and the root, and its key.
func (a *authority) issue(t *testing.T, template x509.Certificate) (cert, key string) {
	t.Helper()
	c, k := sign(t, template, a)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	must(t, err)
	return pemOf("CERTIFICATE", c.Raw) + a.chain, pemOf("PRIVATE KEY", der)
}

// daemon is the template of a server's certificate.
func daemon(name string) x509.Certificate {
	return x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"matchd.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// bidder is the template of a caller's certificate.
func bidder(names ...string) x509.Certificate {
	return x509.Certificate{
		Subject: pkix.Name{CommonName: "bidder"}, DNSNames: names,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// credentials issues a caller's certificate as a tls.Config has it.
func (a *authority) credentials(t *testing.T, template x509.Certificate) []tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(bytesOf(a.issue(t, template)))
	must(t, err)
	return []tls.Certificate{pair}
}

func bytesOf(a, b string) (x, y []byte) { return []byte(a), []byte(b) }

// tlsWorld are the files of a daemon's TLS, and those who signed them.
type tlsWorld struct {
	TLSOptions
	servers, clients *authority
}

func newTLSWorld(t *testing.T, mutual bool) *tlsWorld {
	t.Helper()
	dir := t.TempDir()
	w := &tlsWorld{
		TLSOptions: TLSOptions{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")},
		servers:    newAuthority(t, "servers", nil), clients: newAuthority(t, "clients", nil),
	}
	w.renew(t, "first")
	if mutual {
		w.ClientCAFile = filepath.Join(dir, "clients.pem")
		write(t, w.ClientCAFile, w.clients.root())
	}
	return w
}

// renew writes a new certificate and its key.
func (w *tlsWorld) renew(t *testing.T, name string) {
	t.Helper()
	cert, key := w.servers.issue(t, daemon(name))
	write(t, w.CertFile, cert)
	write(t, w.KeyFile, key)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// config is that of a caller who trusts the daemon.
func (w *tlsWorld) config(credentials []tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(w.servers.cert)
	return &tls.Config{RootCAs: pool, ServerName: "matchd.test", Certificates: credentials}
}

// caller is a config with a good certificate where one is asked for.
func (w *tlsWorld) caller(t *testing.T) *tls.Config {
	t.Helper()
	if w.ClientCAFile == "" {
		return w.config(nil)
	}
	return w.config(w.clients.credentials(t, bidder("dsp.test")))
}

// secure makes the handshake over a new connection.
func (r *running) secure(t *testing.T, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	c := tls.Client(r.dial(t), config)
	t.Cleanup(func() { _ = c.Close() })
	return c, c.Handshake()
}

func keep(t *testing.T, c net.Conn) *keptConn {
	t.Helper()
	return &keptConn{t, c, bufio.NewReader(c)}
}

// open makes a connection that stays, and asks once.
func (r *running) openTLS(t *testing.T, config *tls.Config) *keptConn {
	t.Helper()
	c, err := r.secure(t, config)
	must(t, err)
	kept := keep(t, c)
	if got := kept.get("/v1/match?id=" + maidOne); got.status != 200 || got.close {
		t.Fatalf("got %+v", got)
	}
	return kept
}

// certificate is the common name of the certificate that the daemon shows.
func (r *running) certificate(t *testing.T, config *tls.Config) string {
	t.Helper()
	c, err := r.secure(t, config)
	must(t, err)
	defer func() { must(t, c.Close()) }()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}
