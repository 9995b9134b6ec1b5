package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp keeps one goroutine for the Date header, for good.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// The cleaner of a worker pool looks every ten seconds whether it is over.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// running is a server under test.
type running struct {
	*Server
	stop func()    // ends Serve and waits
	done chan bool // closed when Serve has returned
}

// start runs a server on free ports of the loopback address until the test
// ends. Options without pools get one that is ready, and the test clients.
func start(t *testing.T, o Options) *running {
	t.Helper()
	if o.Pools == nil {
		o.Pools = readyPools(t)
	}
	if o.Clients == nil {
		o.Clients = testClients()
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	o.Admin = "127.0.0.1:0"
	s, err := New(o)
	must(t, err)
	return run(t, s)
}

func run(t *testing.T, s *Server) *running {
	t.Helper()
	must(t, s.Listen())
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Server: s, done: make(chan bool)}
	go func() {
		defer close(r.done)
		if err := s.Serve(ctx); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	r.stop = func() { cancel(); <-r.done }
	t.Cleanup(r.stop)
	return r
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
	close  bool // the server said that it closes the connection
}

// ask sends a request as the client of that name, "" being nobody.
func (r *running) ask(t *testing.T, method, target, client, body string) reply {
	t.Helper()
	return do(t, method, "http://"+r.Addr()+target, client, body)
}

func do(t *testing.T, method, url, client, body string) reply {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	must(t, err)
	if client != "" {
		req.Header.Set("Authorization", "Bearer key-"+client)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := tr.RoundTrip(req)
	must(t, err)
	return readReply(t, res)
}

func readReply(t *testing.T, res *http.Response) reply {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	must(t, res.Body.Close())
	return reply{res.StatusCode, res.Header, string(b), res.Close}
}

// checkProblem checks that an answer is a well-formed problem of a status.
func checkProblem(t *testing.T, got reply, status int) {
	t.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	dec := json.NewDecoder(strings.NewReader(got.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		t.Fatalf("problem %q: %v", got.body, err)
	}
	if got.status != status || p.Status != status || p.Type == "" || p.Title == "" || p.Detail == "" ||
		got.header.Get("Content-Type") != problemType {
		t.Fatalf("got %d %v %s, want a problem of status %d", got.status, got.header, got.body, status)
	}
}

// raw sends bytes on a connection of their own, and reads answers until the
// server closes it.
func (r *running) raw(t *testing.T, request string) []reply {
	t.Helper()
	c := r.dial(t)
	defer func() { _ = c.Close() }()
	_, err := io.WriteString(c, request)
	must(t, err)
	return readReplies(t, c)
}

func (r *running) dial(t *testing.T) net.Conn {
	t.Helper()
	network, addr := "tcp", r.Addr()
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		network, addr = "unix", path
	}
	c, err := net.Dial(network, addr)
	must(t, err)
	must(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return c
}

// readReplies reads answers until the end of the connection, which must come.
func readReplies(t *testing.T, c io.Reader) (out []reply) {
	t.Helper()
	all, err := io.ReadAll(c)
	must(t, err)
	br := bufio.NewReader(bytes.NewReader(all))
	for {
		if _, err := br.Peek(1); err != nil {
			return out
		}
		res, err := http.ReadResponse(br, nil)
		must(t, err)
		out = append(out, readReply(t, res))
	}
}
