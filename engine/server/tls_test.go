package server

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTLSOptions(t *testing.T) {
	for _, o := range []TLSOptions{{}, {CertFile: "a"}, {KeyFile: "a"}, {ClientCAFile: "a"}} {
		if err := (Options{TLS: &o}).Validate(); err == nil || !strings.Contains(err.Error(), "both a cert and a key") {
			t.Errorf("%+v: got %v", o, err)
		}
	}
	must(t, Options{TLS: &TLSOptions{CertFile: "a", KeyFile: "b"}}.Validate())
	if _, err := New(Options{Pools: readyPools(t), TLS: &TLSOptions{CertFile: "no-such", KeyFile: "b"}}); err == nil || !strings.Contains(err.Error(), "no-such") {
		t.Errorf("no such file: got %v", err)
	}
}

// badFiles are what the files may hold and not be used for.
func badFiles(t *testing.T, w *tlsWorld) map[string]struct{ cert, key, roots, want string } {
	t.Helper()
	cert, key := w.servers.issue(t, daemon("a"))
	other, _ := w.servers.issue(t, daemon("b"))
	roots := w.clients.root()
	half := roots[:len(roots)/2]
	noCert := pemOf("CERTIFICATE", []byte("nonsense"))
	return map[string]struct{ cert, key, roots, want string }{
		"an empty cert":            {"", key, roots, "no PEM"},
		"an empty key":             {cert, "", roots, "no PEM"},
		"no roots":                 {cert, key, "", "no PEM"},
		"roots that are no PEM":    {cert, key, "hello\n", "no PEM"},
		"another one's key":        {other, key, roots, "does not match"},
		"the two exchanged":        {key, cert, roots, "tls"},
		"half a cert":              {cert[:len(cert)/2], key, roots, "of 1 blocks of PEM, 0 are whole"},
		"half a chain":             {cert + half, key, roots, "of 2 blocks of PEM, 1 are whole"},
		"half a key":               {cert, key[:len(key)/2], roots, "of 1 blocks of PEM, 0 are whole"},
		"half of the roots":        {cert, key, roots + half, "of 2 blocks of PEM, 1 are whole"},
		"a damaged root in front":  {cert, key, strings.Replace(roots, "MI", "!!", 1) + roots, "of 2 blocks of PEM, 1 are whole"},
		"a root that is none":      {cert, key, roots + noCert, "block 2: "},
		"a key among the roots":    {cert, key, roots + key, "block 2 is a PRIVATE KEY"},
		"a cert that is nonsense":  {noCert, key, roots, "x509"},
		"nonsense after the chain": {cert + "-----BEGIN", key, roots, ""}, // no block
	}
}

func TestBadTLSFiles(t *testing.T) {
	w := newTLSWorld(t, true)
	for name, c := range badFiles(t, w) {
		write(t, w.CertFile, c.cert)
		write(t, w.KeyFile, c.key)
		write(t, w.ClientCAFile, c.roots)
		_, err := openTLS(&w.TLSOptions, slog.New(slog.DiscardHandler))
		if c.want == "" {
			must(t, err)
		} else if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), ".pem") {
			t.Errorf("%s: got %v, want %q and the file's name", name, err, c.want)
		}
	}
}

// What cannot be used leaves the old in use, and is logged once for as long as
// it stays so.
func TestBadTLSFilesAreNotLoaded(t *testing.T) {
	w := newTLSWorld(t, true)
	var log bytes.Buffer
	f, err := openTLS(&w.TLSOptions, slog.New(slog.NewTextHandler(&log, nil)))
	must(t, err)
	first := f.current.Load()
	for name, c := range badFiles(t, w) {
		if c.want == "" {
			continue
		}
		write(t, w.CertFile, c.cert)
		write(t, w.KeyFile, c.key)
		write(t, w.ClientCAFile, c.roots)
		log.Reset()
		for range 5 {
			if f.look() {
				t.Errorf("%s: was used", name)
			}
		}
		if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), ".pem") {
			t.Errorf("%s: logged %q", name, log.String())
		}
		if strings.Contains(log.String(), "PRIVATE KEY") && name != "a key among the roots" {
			t.Errorf("%s: logged %q", name, log.String())
		}
		if _, err := f.reload(); err == nil {
			t.Errorf("%s: reload says nothing", name)
		}
		if f.current.Load() != first {
			t.Fatalf("%s: the old one is gone", name)
		}
	}
	log.Reset()
	must(t, os.Remove(w.KeyFile))
	f.look()
	f.look()
	if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), "key.pem") {
		t.Errorf("no key: logged %q", log.String())
	}
	w.renew(t, "second")
	write(t, w.ClientCAFile, w.clients.root())
	if f.look() || !f.look() || f.look() || f.current.Load() == first {
		t.Error("sound files are not used at the second look, once")
	}
	// The same trouble again is news again.
	log.Reset()
	key := string(contentOf(t, w.KeyFile))
	for range 2 {
		must(t, os.Remove(w.KeyFile))
		f.look()
		f.look()
		write(t, w.KeyFile, key)
		f.look()
	}
	if lines := strings.Count(log.String(), "\n"); lines != 2 {
		t.Errorf("no key, a key, and no key: logged %q", log.String())
	}
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

// However a writer is interrupted, what is in use is the old pair or the new
// one, each with its own key and whole roots.
func TestHalfWrittenTLSFiles(t *testing.T) {
	w := newTLSWorld(t, true)
	var files, old, renewed [3]string
	files = [3]string{w.CertFile, w.KeyFile, w.ClientCAFile}
	old[0], old[1] = w.servers.issue(t, daemon("old"))
	renewed[0], renewed[1] = w.servers.issue(t, daemon("new"))
	old[2] = w.clients.root()
	renewed[2] = old[2] + newAuthority(t, "more", nil).root()
	for _, order := range [][3]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		for i, path := range files {
			write(t, path, old[i])
		}
		f, err := openTLS(&w.TLSOptions, slog.New(slog.DiscardHandler))
		must(t, err)
		first := f.current.Load()
		for step, i := range order {
			for n := 0; n < len(renewed[i]); n += 61 {
				write(t, files[i], renewed[i][:n])
				f.look()
				if f.look() && step < 1 && i < 2 {
					t.Fatalf("order %v: half of file %d was used", order, i)
				}
				pair := f.current.Load().config.Certificates[0]
				if name := pair.Leaf.Subject.CommonName; f.current.Load() != first && step < 2 && name != "new" && order[0] != 2 {
					t.Fatalf("order %v: a mixture with %s is in use", order, name)
				}
			}
			write(t, files[i], renewed[i])
		}
		f.look()
		f.look()
		if got := f.current.Load().config; got.Certificates[0].Leaf.Subject.CommonName != "new" || got.ClientCAs.Equal(first.config.ClientCAs) {
			t.Errorf("order %v: the new files are not in use", order)
		}
	}
}

// A file that is just being written is not used, though it may be sound as far
// as it goes, until it stays the same.
func TestTLSFilesSettleFirst(t *testing.T) {
	w := newTLSWorld(t, true)
	f, err := openTLS(&w.TLSOptions, slog.New(slog.DiscardHandler))
	must(t, err)
	text := w.clients.root()
	for range 5 {
		text += newAuthority(t, "more", nil).root()
		write(t, w.ClientCAFile, text)
		if f.look() {
			t.Fatal("used at the first look")
		}
	}
	if !f.look() {
		t.Error("not used at the second look")
	}
	write(t, w.ClientCAFile, w.clients.root())
	if changed, err := f.reload(); err != nil || !changed {
		t.Errorf("reload waits: %v, %v", changed, err)
	}
}

// Files are read by name, so that a link may be moved to others, as where
// secrets are mounted.
func TestTLSFilesBehindALink(t *testing.T) {
	w := newTLSWorld(t, false)
	dir := filepath.Dir(w.CertFile)
	for _, name := range []string{"v1", "v2"} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		cert, key := w.servers.issue(t, daemon(name))
		write(t, filepath.Join(dir, name, "cert.pem"), cert)
		write(t, filepath.Join(dir, name, "key.pem"), key)
	}
	link := filepath.Join(dir, "now")
	must(t, os.Symlink("v1", link))
	f, err := openTLS(&TLSOptions{CertFile: filepath.Join(link, "cert.pem"), KeyFile: filepath.Join(link, "key.pem")}, slog.New(slog.DiscardHandler))
	must(t, err)
	must(t, os.Symlink("v2", link+".new"))
	must(t, os.Rename(link+".new", link))
	if f.look() || !f.look() || f.current.Load().config.Certificates[0].Leaf.Subject.CommonName != "v2" {
		t.Error("the link was not followed")
	}
}
