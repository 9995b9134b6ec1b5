package peer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/matchd/matchd/bench/ask"
)

// Holder is what a peer's program holds the data in.
type Holder interface {
	// Load fills it. It stops early when ctx ends.
	Load(ctx context.Context) (Ready, error)
	// Time asks n identifiers, of so many drawn by a seed.
	Time(q ask.Question, n, pool int, drawSeed uint64) (ask.Timing, error)
	Stats() (Stats, error)
}

// Serve is the side of the program: it loads, says so, and answers line by line
// until in ends. When that happens while it loads, nobody waits for it any more,
// and it stops.
func Serve(ctx context.Context, in io.Reader, out io.Writer, h Holder) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lines := readLines(ctx, stop, in)
	say := json.NewEncoder(out)
	ready, err := h.Load(ctx)
	if err != nil {
		return errors.Join(err, say.Encode(failure{err.Error()}))
	}
	if err := say.Encode(ready); err != nil {
		return err
	}
	for line := range lines {
		answer, err := serveLine(line, h)
		if err != nil {
			answer = failure{err.Error()}
		}
		if err := say.Encode(answer); err != nil {
			return err
		}
	}
	return nil
}

// readLines sends each line of in, and calls stop at its end.
func readLines(ctx context.Context, stop func(), in io.Reader) <-chan []byte {
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		defer stop()
		scan := bufio.NewScanner(in)
		scan.Buffer(nil, maxLine)
		for scan.Scan() {
			select {
			case lines <- bytes.Clone(scan.Bytes()):
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

func serveLine(line []byte, h Holder) (any, error) {
	var r Request
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	switch {
	case r.Stats:
		return h.Stats()
	case r.Question == nil:
		return nil, errors.New("the request has neither a question nor stats")
	case r.N < 1 || r.Pool < 1:
		return nil, fmt.Errorf("%d identifiers of %d drawn: give at least one of each", r.N, r.Pool)
	}
	return h.Time(*r.Question, r.N, r.Pool, r.DrawSeed)
}
