package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A run that cannot go on ends with the reason, and leaves no socket behind.
func TestRunFails(t *testing.T) {
	errRefused := errors.New("refused")
	for _, c := range []struct {
		name, want string
		is         error
		one        func(net.Conn)
		change     func(*Config)
	}{
		{name: "closed at once", want: "request", one: func(net.Conn) {}},
		{name: "closed in an answer", want: "3 bytes came", is: io.ErrUnexpectedEOF, one: func(c net.Conn) {
			_, _ = c.Read(make([]byte, 100))
			_, _ = io.WriteString(c, "abc")
		}},
		{name: "one answer too many", want: "4 bytes came that no request", one: func(c net.Conn) {
			_, _ = c.Read(make([]byte, 100))
			_, _ = io.WriteString(c, "abc\ndef\n")
			_, _ = io.Copy(io.Discard, c)
		}},
		{
			name: "no answer", want: "are owed", one: func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
			change: func(c *Config) { c.Grace = 20 * time.Millisecond },
		},
		{
			name: "refused", want: "answer to request", is: errRefused, one: echo,
			change: func(c *Config) { c.Next = func([]byte) (int, error) { return 0, errRefused } },
		},
		{name: "nobody there", want: "connect", is: unix.ENOENT, one: echo, change: func(c *Config) { c.Address += ".not" }},
		{name: "no such core", want: "core 1023", one: echo, change: func(c *Config) { c.CPU = 1023 }},
		{name: "endless", want: "longer than", one: func(c net.Conn) {
			_, _ = c.Read(make([]byte, 100))
			for b := make([]byte, 1<<20); ; {
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		}, change: func(c *Config) { c.Connections, c.Next = 1, func([]byte) (int, error) { return 0, nil } }},
	} {
		for _, open := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/open=%t", c.name, open), func(t *testing.T) {
				config, _ := serve(t, "unix", c.one)
				config.Connections = 3
				if c.change != nil {
					c.change(&config)
				}
				before := sockets(t)
				var err error
				if open {
					_, err = config.Open(t.Context(), 1000, 50*time.Millisecond)
				} else {
					_, err = config.Closed(t.Context(), 50*time.Millisecond)
				}
				if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("%v, which does not say %q", err, c.want)
				}
				if after := sockets(t); after > before+3 { // the server's, until it has seen them closed
					t.Errorf("%d sockets more than before", after-before)
				}
			})
		}
	}
}

// sockets is how many sockets and epoll instances this process has open.
func sockets(t *testing.T) (n int) {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		to, _ := os.Readlink("/proc/self/fd/" + f.Name()) // one may be gone by now
		if strings.HasPrefix(to, "socket:") || strings.Contains(to, "eventpoll") {
			n++
		}
	}
	return n
}

// A cancelled run ends, though nothing comes that could end it.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := serve(t, "tcp", func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		cancel()
		_, _ = io.Copy(io.Discard, c)
	})
	if _, err := c.Open(ctx, 10, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := c.Closed(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("of one that was cancelled before: %v", err)
	}
}
