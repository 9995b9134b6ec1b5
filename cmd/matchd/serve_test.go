package main

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot"
)

// emptyStore makes a store without a snapshot.
func emptyStore(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	_, err := snapshot.CreateStore(snapshot.OS{}, dir, nil)
	must(t, err)
	return dir
}

// daemon is one that runs, and what it printed.
type daemon struct {
	url, admin string
	out        *bytes.Buffer // to be read after stop
	stop       func() error
}

func startDaemon(t *testing.T, o daemonOptions) *daemon {
	t.Helper()
	d := &daemon{out: new(bytes.Buffer)}
	o.Listen, o.Admin = "127.0.0.1:0", cmp.Or(o.Admin, "127.0.0.1:0")
	if o.Memory == "" {
		o.Memory = snapshot.Map
	}
	up := make(chan bool)
	o.started = func(public, admin string) {
		d.url, d.admin = "http://"+public, "http://"+admin
		close(up)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- runDaemon(ctx, o, d.out) }()
	d.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = d.stop() })
	select {
	case <-up:
	case err := <-ended:
		ended <- err
		t.Fatalf("the daemon did not start: %v", err)
	}
	return d
}

// fetch returns the status and the body of an answer.
func fetch(t *testing.T, method, url, key string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	must(t, err)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	must(t, err)
	b, err := io.ReadAll(res.Body)
	must(t, err)
	must(t, res.Body.Close())
	return res.StatusCode, string(b)
}

// becomes waits for a status that must come.
func becomes(t *testing.T, url string, status int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if got, _ := fetch(t, "GET", url, ""); got == status {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not become %d", url, status)
		}
	}
}

func TestServe(t *testing.T) {
	data, store := builtStore(t)
	customer := "crm.acme:" + firstCustomer(t, filepath.Join(data, "crm", "acme-1.csv"))
	config := filepath.Join(t.TempDir(), "matchd.yaml")
	key := strings.TrimSpace(succeed(t, "client", "add", "ads", "--config", config, "--store", store, "--tenant", "acme", "--segments", "*", "--namespaces", "*"))
	c, err := server.ReadConfig(config)
	must(t, err)
	c.Admin = "" // as startDaemon has it
	d := startDaemon(t, daemonOptions{Config: c})
	becomes(t, d.url+"/health/ready", 200)
	if code, body := fetch(t, "GET", d.url+"/v1/match?id="+customer, key); code != 200 || !strings.Contains(body, `{"id":"`+customer+`"`) {
		t.Errorf("got %d %s", code, body)
	}
	if code, _ := fetch(t, "GET", d.url+"/v1/match?id="+customer, ""); code != 401 {
		t.Errorf("without a key: got %d", code)
	}
	if code, body := fetch(t, "GET", d.admin+"/metrics", ""); code != 200 || !strings.Contains(body, "matchd_snapshot_identifiers") {
		t.Errorf("metrics: got %d", code)
	}
	must(t, d.stop())
	for _, want := range []string{"serving 20261101T", store, d.url, d.admin + "/metrics"} {
		if !strings.Contains(d.out.String(), want) {
			t.Errorf("%q is not in %q", want, d.out)
		}
	}
}

// A daemon may be there before the first build; it looks by itself, and at
// SIGHUP.
func TestServeWaitsForASnapshot(t *testing.T) {
	data, built := builtStore(t)
	for name, o := range map[string]daemonOptions{
		"looks":  {watch: 10 * time.Millisecond},
		"SIGHUP": {watch: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			store := emptyStore(t)
			o.Stores, o.open = []server.StoreConfig{server.StoreAt(store)}, "acme"
			d := startDaemon(t, o)
			becomes(t, d.url+"/health/ready", 503)
			if code, _ := fetch(t, "GET", d.url+"/v1/match?id=crm.acme:x", ""); code != 503 {
				t.Errorf("got %d", code)
			}
			// The store is replaced by a copy of one that was built.
			must(t, os.CopyFS(store+".new", os.DirFS(built)))
			must(t, os.Chmod(filepath.Join(store+".new", "secret.key"), 0o600))
			must(t, os.Rename(store, store+".old"))
			must(t, os.Rename(store+".new", store))
			if o.watch == time.Hour {
				self, err := os.FindProcess(os.Getpid())
				must(t, err)
				must(t, self.Signal(syscall.SIGHUP))
			}
			becomes(t, d.url+"/health/ready", 200)
			customer := "crm.acme:" + firstCustomer(t, filepath.Join(data, "crm", "acme-1.csv"))
			if code, _ := fetch(t, "GET", d.url+"/v1/match?id="+customer, ""); code != 200 {
				t.Errorf("got %d", code)
			}
			must(t, d.stop())
			if !strings.Contains(d.out.String(), "no snapshot yet") {
				t.Errorf("printed %q", d.out)
			}
		})
	}
}

// A client that is added, and one that is revoked, are so for a daemon that
// runs; it looks by itself, and at SIGHUP.
func TestServeTakesClients(t *testing.T) {
	data, store := builtStore(t)
	customer := firstCustomer(t, filepath.Join(data, "crm", "acme-1.csv"))
	for name, interval := range map[string]time.Duration{"looks": 10 * time.Millisecond, "SIGHUP": time.Hour} {
		t.Run(name, func(t *testing.T) {
			config := filepath.Join(t.TempDir(), "matchd.yaml")
			add := func(name string, more ...string) string {
				args := append([]string{"client", "add", name, "--config", config, "--tenant", "acme", "--segments", "*", "--namespaces", "*"}, more...)
				return strings.TrimSpace(succeed(t, args...))
			}
			first := add("first", "--store", store)
			c, err := server.ReadConfig(config)
			must(t, err)
			c.Admin = "" // as startDaemon has it
			d := startDaemon(t, daemonOptions{Config: c, path: config, watch: interval})
			becomes(t, d.url+"/health/ready", 200)
			// A signal that changes something has come when that has changed: one
			// that came when the daemon is over would end the test.
			changes := func(key string, status int) {
				t.Helper()
				if interval == time.Hour {
					self, err := os.FindProcess(os.Getpid())
					must(t, err)
					must(t, self.Signal(syscall.SIGHUP))
				}
				for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
					if got, _ := fetch(t, "GET", d.url+"/v1/match?id=crm.acme:"+customer, key); got == status {
						return
					}
					if time.Now().After(end) {
						t.Fatalf("it does not become %d", status)
					}
				}
			}
			stays := func(key string) {
				t.Helper()
				if got, body := fetch(t, "GET", d.url+"/v1/match?id=crm.acme:"+customer, key); got != 200 {
					t.Errorf("got %d %s", got, body)
				}
			}
			second := add("second")
			changes(second, 200)
			stays(first)
			succeed(t, "client", "revoke", "first", "--config", config)
			changes(first, 401)
			stays(second)
			must(t, d.stop())
		})
	}
}

// A socket has no URL; what is printed of it is its name.
func TestServeOnAnAdminSocket(t *testing.T) {
	socket := "unix:" + filepath.Join(t.TempDir(), "adm.sock")
	var o daemonOptions
	o.Stores, o.Admin = []server.StoreConfig{server.StoreAt(emptyStore(t))}, socket
	d := startDaemon(t, o)
	must(t, d.stop())
	if !strings.Contains(d.out.String(), "admin:   "+socket+"\n") {
		t.Errorf("printed %q", d.out)
	}
}

// The limits of the config are the daemon's.
func TestServeLimits(t *testing.T) {
	config := filepath.Join(t.TempDir(), "matchd.yaml")
	must(t, os.WriteFile(config, []byte("stores: ["+emptyStore(t)+"]\nlimits: {connections_per_ip: 1}\n"), 0o600))
	c, err := server.ReadConfig(config)
	must(t, err)
	c.Admin = "" // as startDaemon has it
	d := startDaemon(t, daemonOptions{Config: c})
	held, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	must(t, err)
	defer func() { must(t, held.Close()) }()
	refused, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	must(t, err)
	defer func() { must(t, refused.Close()) }()
	must(t, refused.SetDeadline(time.Now().Add(20*time.Second)))
	got, err := io.ReadAll(refused)
	if must(t, err); !strings.HasPrefix(string(got), "HTTP/1.1 429 ") {
		t.Errorf("the second connection: got %s", got)
	}
}

func TestServeRefuses(t *testing.T) {
	empty := emptyStore(t)
	corrupt := emptyStore(t)
	must(t, os.WriteFile(filepath.Join(corrupt, "CURRENT"), []byte("junk\n"), 0o600))
	missing := filepath.Join(t.TempDir(), "nothing")
	bad := filepath.Join(t.TempDir(), "matchd.yaml")
	must(t, os.WriteFile(bad, []byte("stores: [a]\nclient: []\n"), 0o600))
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nothing to serve":       {nil, exitUsage, "--store"},
		"no such store":          {[]string{"--store", missing}, exitFailed, missing},
		"a corrupt store":        {[]string{"--store", corrupt}, exitFailed, "CURRENT"},
		"open to everybody":      {[]string{"--store", missing, "--open", "acme", "--listen", ":0"}, exitUsage, "loopback"},
		"a config and its flags": {[]string{"--config", bad, "--listen", ":0"}, exitUsage, "--listen"},
		"a bad config":           {[]string{"--config", bad}, exitFailed, `did you mean "clients"`},
		"no config":              {[]string{"--config", missing}, exitFailed, missing},
		"unknown memory":         {[]string{"--store", empty, "--memory", "disk"}, exitUsage, "--memory"},
		"a bad admin address":    {[]string{"--store", missing, "--admin", "9999"}, exitUsage, "admin"},
		"no port":                {[]string{"--store", missing, "--listen", "127.0.0.1:99999"}, exitUsage, "listen"},
		"a bad address":          {[]string{"--store", missing, "--listen", "8080"}, exitUsage, "host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := command(t, append([]string{"serve"}, c.args...)...)
			if code != c.code || out != "" || !strings.Contains(errOut, c.want) {
				t.Errorf("exit code %d, printed %q, said %q", code, out, errOut)
			}
		})
	}
}
