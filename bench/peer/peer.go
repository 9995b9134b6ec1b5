package peer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/matchd/matchd/bench/ask"
)

// Names of the peers, as the program knows them.
const (
	Pebble = "pebble"
	Badger = "badger"
	Bbolt  = "bbolt"
)

// Names lists the peers.
func Names() []string { return []string{Pebble, Badger, Bbolt} }

// Config says which peer to start, and with what data.
type Config struct {
	// Program is the path of the program that holds the peers.
	Program string
	// Peer is one of [Names].
	Peer string
	// Store is the folder of a world's store, and IDs and Seed are the world's.
	Store string
	IDs   int
	Seed  uint64
	// Dir is the folder for the peer's own files: absent, or empty.
	Dir string
	// Log, if not nil, is told what the peer says of its progress.
	Log func(format string, args ...any)
}

// Peer is a program that holds the data in another store. One goroutine at a
// time may use it.
type Peer struct {
	name     string
	ready    Ready
	process  *exec.Cmd
	stdin    io.WriteCloser
	lines    chan []byte   // what it prints; closed at the end
	closing  chan struct{} // closed when nobody reads lines any more
	once     sync.Once     // closes closing
	exited   chan struct{} // closed once the process is gone
	err      error         // how it went, once exited
	patience time.Duration // for its end
}

// patience is how long a peer may take to close its store.
const patience = 10 * time.Second

// Start starts a peer and waits until it has loaded. The process lives no
// longer than ctx.
func Start(ctx context.Context, c Config) (*Peer, error) {
	p := &Peer{
		name: c.Peer, patience: patience,
		lines: make(chan []byte), closing: make(chan struct{}), exited: make(chan struct{}),
		process: exec.CommandContext(ctx, c.Program,
			"--peer", c.Peer, "--store", c.Store, "--ids", strconv.Itoa(c.IDs),
			"--seed", strconv.FormatUint(c.Seed, 10), "--dir", c.Dir),
	}
	p.process.WaitDelay = patience
	log := &lineLog{peer: c.Peer, log: c.Log}
	p.process.Stderr = log
	var err error
	if p.stdin, err = p.process.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.process.Start(); errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("start %s: %w: run `make peers` to build it", c.Peer, err)
	} else if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Peer, err)
	}
	go func() {
		p.read(stdout)
		p.err = p.process.Wait()
		log.flush()
		close(p.exited)
	}()
	if err := p.answer(ctx, &p.ready); err != nil {
		p.kill()
		return nil, fmt.Errorf("load %s: %w", c.Peer, err)
	}
	return p, nil
}

// read passes on what the process prints until it ends.
func (p *Peer) read(stdout io.Reader) {
	defer close(p.lines)
	scan := bufio.NewScanner(stdout)
	scan.Buffer(nil, maxLine)
	for scan.Scan() {
		select {
		case p.lines <- bytes.Clone(scan.Bytes()):
		case <-p.closing:
		}
	}
}

// Name is the peer's.
func (p *Peer) Name() string { return p.name }

// Ready is what the peer said when it had loaded.
func (p *Peer) Ready() Ready { return p.ready }

// Time has the peer ask n identifiers as the question says, of pool many drawn
// by a seed. Where ctx ends early, the peer is ended.
func (p *Peer) Time(ctx context.Context, q ask.Question, n, pool int, drawSeed uint64) (t ask.Timing, err error) {
	err = p.call(ctx, Request{Question: &q, N: n, Pool: pool, DrawSeed: drawSeed}, &t)
	return t, err
}

// Stats asks what the peer takes. It forgets the identifiers that it drew.
func (p *Peer) Stats(ctx context.Context) (s Stats, err error) {
	err = p.call(ctx, Request{Stats: true}, &s)
	return s, err
}

func (p *Peer) call(ctx context.Context, r Request, into any) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("ask %s: %w", p.name, err)
	}
	if err := p.answer(ctx, into); err != nil {
		return fmt.Errorf("ask %s: %w", p.name, err)
	}
	return nil
}

// answer reads one line. When ctx ends before it came, later ones could no
// longer be told apart, so the process is ended.
func (p *Peer) answer(ctx context.Context, into any) error {
	select {
	case <-ctx.Done():
		p.kill()
		return ctx.Err()
	case line, ok := <-p.lines:
		if !ok {
			_ = p.end() // p.err says more
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("its process ended: %w", errors.Join(p.err, io.ErrUnexpectedEOF))
		}
		var failed failure
		if err := json.Unmarshal(line, &failed); err != nil {
			return fmt.Errorf("read its answer: %w", err)
		}
		if failed.Error != "" {
			return errors.New(failed.Error)
		}
		return json.Unmarshal(line, into)
	}
}

// Close ends the peer: it closes its store, or is killed where that takes too
// long. Its files remain.
func (p *Peer) Close() error {
	_ = p.stdin.Close() // of a process that is gone
	if err := errors.Join(p.end(), p.err); err != nil {
		return fmt.Errorf("close %s: %w", p.name, err)
	}
	return nil
}

// end waits until the process is gone, and kills it where that takes too long.
func (p *Peer) end() error {
	p.once.Do(func() { close(p.closing) })
	select {
	case <-p.exited:
		return nil
	case <-time.After(p.patience):
		p.kill()
		return fmt.Errorf("it did not end within %s", p.patience)
	}
}

// kill ends the process and waits until it is gone.
func (p *Peer) kill() {
	p.once.Do(func() { close(p.closing) })
	_ = p.process.Process.Kill() // it may be gone already
	<-p.exited
}

// lineLog logs whole lines.
type lineLog struct {
	peer string
	log  func(format string, args ...any)
	rest []byte
}

// Write implements [io.Writer].
func (l *lineLog) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(b), nil
		}
		l.say(line)
		l.rest = rest
	}
}

// flush logs a last line that was not ended.
func (l *lineLog) flush() {
	if len(l.rest) > 0 {
		l.say(l.rest)
	}
}

func (l *lineLog) say(line []byte) {
	if l.log != nil {
		l.log("%s: %s", l.peer, line)
	}
}
