// Package process starts the servers that benches measure, each on a core of
// its own, as processes: what a server costs is what its process uses.
package process

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/matchd/matchd/bench/load"
)

// Process is a server that a bench has started.
type Process struct {
	name string
	cmd  *exec.Cmd
	said tail
	done chan struct{} // closed when it has ended
	err  error         // then
}

// startTime is how long a server may take until it accepts connections.
const startTime = 3 * time.Minute

// Start starts a server on a core of its own.
func Start(ctx context.Context, name string, core int, program string, args ...string) (*Process, error) {
	p := &Process{name: name, cmd: exec.CommandContext(ctx, program, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	p.cmd.WaitDelay = time.Second
	if err := load.Start(p.cmd, core); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// Name is what the server is called in errors.
func (p *Process) Name() string { return p.name }

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Accepts waits until the server accepts connections.
func (p *Process) Accepts(ctx context.Context, network, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not accept connections: %w", p.name, err)
		case <-p.done:
			return p.Ended()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Ended is the error that the server has ended; nil while it runs.
func (p *Process) Ended() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	return fmt.Errorf("%s ended (%w) and said: %s", p.name, p.err, &p.said)
}

// Close ends the server. None of them has anything to save.
func (p *Process) Close() {
	_ = p.cmd.Process.Kill() // or it has ended
	<-p.done
}

// tail keeps the end of what was written.
type tail struct {
	mu sync.Mutex
	b  []byte
}

// tailSize is in bytes.
const tailSize = 2000

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	t.b = append(t.b[:0], t.b[max(0, len(t.b)-tailSize):]...)
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}

// FreePort finds an address of this machine that nobody listens on.
func FreePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// longestSocket is the longest path that a unix socket may have on Linux.
const longestSocket = 107

// Socket names a unix socket in a folder.
func Socket(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	if len(path) > longestSocket {
		return "", fmt.Errorf("process: the path of a socket would have %d bytes, more than %d: give a folder with a shorter name", len(path), longestSocket)
	}
	return path, nil
}
