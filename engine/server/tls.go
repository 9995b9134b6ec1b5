package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// TLSOptions name the files, in PEM, that the public listener's TLS, 1.2 at
// least, is made of. They are looked at each second, and new connections are
// made with what two looks found the same. What is not whole, or a key that is
// not of its certificate, is logged once and not used: the old files stay in
// use. A caller whose certificate leads to no root of a new ClientCAFile, or
// has expired, is cut off after the request that runs.
type TLSOptions struct {
	// CertFile holds the certificate and those between it and its root, in this
	// order; KeyFile its private key.
	CertFile, KeyFile string
	// ClientCAFile, if not empty, holds the roots of the callers' certificates.
	// Then each caller needs a certificate that leads to one of them.
	ClientCAFile string
}

func (o *TLSOptions) validate() error {
	if o != nil && (o.CertFile == "" || o.KeyFile == "") {
		return errors.New("tls: needs both a cert and a key")
	}
	return nil
}

// tlsLook is how often the files are looked at.
const tlsLook = time.Second

// tlsFiles are the files of a listener's TLS and what is made of them.
type tlsFiles struct {
	paths [3]string // cert, key, roots of clients; the last may be empty
	log   *slog.Logger
	// failed is of the log's lines about handshakes.
	failed gate

	current atomic.Pointer[trust]

	mu   sync.Mutex
	used tlsContent // what current was made of
	seen tlsContent // at the last look
	told string     // the last complaint of what was seen, so that it is logged once
}

// tlsContent is the content of the files of tlsFiles.
type tlsContent [3]string

// trust is what a connection is made with. It never changes: a new one has new
// keys for session tickets too, so that no ticket outlives the roots that its
// session was checked against.
type trust struct {
	config *tls.Config
}

// openTLS reads the files, which must be sound. Of no options it makes nil.
func openTLS(o *TLSOptions, log *slog.Logger) (*tlsFiles, error) {
	if o == nil {
		return nil, nil
	}
	f := &tlsFiles{paths: [3]string{o.CertFile, o.KeyFile, o.ClientCAFile}, log: log}
	_, err := f.reload()
	return f, err
}

// reload looks at the files and uses them at once. Where they are not sound,
// the old ones stay in use. changed says that they are not those used before.
func (f *tlsFiles) reload() (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	content, err := f.read()
	if err != nil {
		return false, err
	}
	f.seen = content
	return f.use(content)
}

// look is reload for files that somebody may be writing just now: what has
// changed is used when two looks found it the same. It logs what reload returns.
func (f *tlsFiles) look() (changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	content, err := f.read()
	if err == nil {
		settled := content == f.seen
		f.seen = content
		if !settled {
			f.told = ""
			return false
		}
		changed, err = f.use(content)
	}
	switch {
	case err == nil:
		f.told = ""
	case err.Error() != f.told:
		f.told = err.Error()
		f.log.Error("the files of TLS are not used; the old ones stay", "error", err)
	}
	return changed
}

func (f *tlsFiles) read() (content tlsContent, err error) {
	for i, path := range f.paths {
		if path == "" {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return content, fmt.Errorf("tls: %w", err)
		}
		content[i] = string(b)
	}
	return content, nil
}

func (f *tlsFiles) use(content tlsContent) (changed bool, err error) {
	if content == f.used {
		return false, nil
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // fasthttp speaks nothing else
	}
	for i, path := range f.paths[:2] {
		if _, err := blocks(content[i]); err != nil {
			return false, fmt.Errorf("tls: %s: %w", path, err)
		}
	}
	pair, err := tls.X509KeyPair([]byte(content[0]), []byte(content[1]))
	if err != nil {
		return false, fmt.Errorf("tls: %s with %s: %w", f.paths[0], f.paths[1], err)
	}
	config.Certificates = []tls.Certificate{pair}
	if f.paths[2] != "" {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		if config.ClientCAs, err = roots(content[2]); err != nil {
			return false, fmt.Errorf("tls: %s: %w", f.paths[2], err)
		}
	}
	f.used = content
	f.current.Store(&trust{config})
	f.log.Info("TLS", "cert", f.paths[0], "expires", pair.Leaf.NotAfter, "client_ca", f.paths[2])
	return true, nil
}

// roots reads certificates. x509.CertPool would pass over those that it cannot
// read, and so refuse callers without a word.
func roots(text string) (*x509.CertPool, error) {
	list, err := blocks(text)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for i, b := range list {
		if b.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("block %d is a %s, not a CERTIFICATE", i+1, b.Type)
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", i+1, err)
		}
		pool.AddCert(cert)
	}
	return pool, nil
}

// blocks returns the blocks of a PEM file, at least one. One that is not whole,
// which pem.Decode would pass over, is an error.
func blocks(text string) (out []*pem.Block, err error) {
	rest := []byte(text)
	begun := bytes.Count(rest, []byte("-----BEGIN "))
	for {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		out = append(out, b)
	}
	switch {
	case begun == 0:
		return nil, errors.New("there is no PEM in it")
	case len(out) != begun:
		return nil, fmt.Errorf("of %d blocks of PEM, %d are whole", begun, len(out))
	}
	return out, nil
}

// ReloadTLS reads the files of TLS anew and uses them for new connections.
// Where they are not sound, the error says why, and the old ones stay in use.
// Callers whose certificates no longer lead to a root are cut off. Without TLS
// it does nothing. Listen comes before it.
func (s *Server) ReloadTLS() error {
	if s.tls == nil {
		return nil
	}
	changed, err := s.tls.reload()
	if changed {
		s.listener.distrust(s.tls.current.Load())
	}
	return err
}

// watchTLS looks at the files of TLS, and at the callers' certificates, until
// done is closed.
func (s *Server) watchTLS(done <-chan struct{}) {
	t := time.NewTicker(tlsLook)
	defer t.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-t.C:
			s.inspectTLS(now)
		}
	}
}

func (s *Server) inspectTLS(now time.Time) {
	if s.tls.look() {
		s.listener.distrust(s.tls.current.Load())
	}
	s.listener.expire(now)
}
