package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/bench/load"
	"github.com/matchd/matchd/bench/process"
)

// The bare handler's answers have as many bytes in all as was asked for, or one
// fewer where that cannot be, on both networks; and it ends when told to.
func TestBareHandler(t *testing.T) {
	for _, whole := range []int{0, 273, 1000 + len(bareHead) + 3, 1000 + len(bareHead) + 4, 13477} {
		tcp, err := process.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		dir, err := os.MkdirTemp("", "wire")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		b := BareHandler{TCP: tcp, Unix: filepath.Join(dir, "s"), Bytes: bareBody(whole)}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Serve(ctx) }()
		for network, address := range map[string]string{"tcp": b.TCP, "unix": b.Unix} {
			conn := dialSoon(t, network, address)
			reply, err := exchange(conn, []byte("GET /v1/match?id=x HTTP/1.1\r\nHost: localhost\r\n\r\n"), load.HTTP)
			if err != nil {
				t.Fatal(err)
			}
			want := max(whole, len(bareHead)+1)
			if n := len(reply); n != want && n != want-1 || whole == 273 && n != 273 {
				t.Errorf("%s: %d bytes, not %d: %q", network, n, want, reply)
			}
			if !strings.Contains(string(reply), "\r\nContent-Type: application/json\r\n") {
				t.Errorf("%q", reply)
			}
			_ = conn.Close()
		}
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	for _, b := range []BareHandler{{Bytes: 1}, {TCP: "127.0.0.1:0", Bytes: -1}, {TCP: "127.0.0.1:0", Unix: "/nowhere/at/all"}} {
		if err := b.Serve(t.Context()); err == nil {
			t.Errorf("%+v serves", b)
		}
	}
}

// A bare handler that echoes answers each request with its body.
func TestBareHandlerEchoes(t *testing.T) {
	tcp, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- BareHandler{TCP: tcp, Bytes: 7, Echo: true}.Serve(ctx) }()
	conn := dialSoon(t, "tcp", tcp)
	for _, body := range []string{"", "abc", strings.Repeat("x", 5000)} {
		reply, err := exchange(conn, fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body), load.HTTP)
		if _, got, _ := strings.Cut(string(reply), "\r\n\r\n"); err != nil || got != body {
			t.Errorf("%.10q: %v, %.300q", body, err, reply)
		}
	}
	_ = conn.Close()
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// dialSoon connects to what is just being started.
func dialSoon(t *testing.T, network, address string) net.Conn {
	t.Helper()
	var err error
	for range 1000 {
		var c net.Conn
		if c, err = net.Dial(network, address); err == nil {
			return c
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal(err)
	return nil
}

// A store that refuses a value, or answers less than it was sent, is an error.
func TestExpect(t *testing.T) {
	for _, c := range []struct {
		sent, want string
	}{
		{"+OK\r\n+OK\r\n+OK\r\n", ""},
		{"+OK\r\n-OOM no\r\n", "answer 1 of 3 is not"},
		{"+OK\r\n+OK\r\n", "answer 2 of 3: EOF"},
	} {
		ours, theirs := net.Pipe()
		go func() {
			_, err := theirs.Write([]byte(c.sent))
			if err = errors.Join(err, theirs.Close()); err != nil {
				t.Error(err)
			}
		}()
		err := expect(ours, "+OK\r\n", 3)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %v", c.sent, err)
		}
		if strings.Contains(c.want, "not") {
			_ = ours.Close()
		}
	}
}
