package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/engine/server"
)

func newEventsCommand() *cobra.Command {
	var file, keyFile string
	s := eventSender{sleep: sleepFor, now: time.Now}
	cmd := &cobra.Command{
		Use:   "events --file FILE [--url URL] [--key-file FILE]",
		Short: "Send live changes to a daemon",
		Long: `Sends the changes in a file, one JSON object a line or one JSON array, to a
daemon, in parts that it takes. A file may be of any size; - is standard input.

Each change has an id of its own, so that one that is sent again changes nothing:
a part that a daemon did not answer is sent again, and so may the whole file be.
Lines that are refused are printed with their numbers in the file; nothing of them
is applied, and the exit code is 1.

The key is read from --key-file, or else from ` + adminKey + `. It has the scope events,
and privacy for opt_out, opt_in and erase.`,
		Example: "  matchd events --file changes.ndjson --key-file key\n  zcat changes.ndjson.gz | matchd events --file - --url https://match.example",
	}
	f := cmd.Flags()
	f.StringVar(&file, "file", "", "the changes, NDJSON or a JSON array; - is standard input")
	f.StringVar(&s.url, "url", "http://"+server.DefaultListen, "the daemon: http://host:port, https://host:port or unix:/path")
	f.StringVar(&keyFile, "key-file", "", "file with an API key, which nobody else can read (default: $"+adminKey+")")
	f.DurationVar(&s.patience, "patience", 5*time.Minute, "how long to wait for an answer to one part, with all tries, while the daemon is busy or away")
	f.BoolVar(&s.asJSON, "json", false, "print a line of JSON for each refused change, and one of counts")
	required(cmd, "file")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if s.key, err = readKey(keyFile); err != nil {
			return err
		}
		in := cmd.InOrStdin()
		if file != "-" {
			opened, err := os.Open(file)
			if err != nil {
				return err
			}
			defer func() { _ = opened.Close() }() // it was read
			in = opened
		}
		s.out = cmd.OutOrStdout()
		return s.run(cmd.Context(), in)
	}
	return cmd
}

// readKey reads an API key from a file, or from the environment.
func readKey(file string) (string, error) {
	if file != "" {
		key, err := server.ReadKeyFile(file)
		if err != nil {
			return "", fmt.Errorf("--key-file: %w", err)
		}
		return key, nil
	}
	key := strings.TrimSpace(os.Getenv(adminKey))
	if key == "" || strings.ContainsAny(key, "\r\n") {
		return "", usage(fmt.Errorf("name a --key-file with one key, or put it into %s", adminKey))
	}
	return key, nil
}

// keyForEvents is what to do about a key that is nobody's.
const keyForEvents = "name in --key-file, or put into " + adminKey + ", a key with the scope events, and privacy for opt_out, opt_in and erase"

// What a daemon takes at once.
const (
	mostChanges     = server.MaxEvents
	mostChangeBytes = 1 << 20
)

// eventSender sends changes.
type eventSender struct {
	url, key string
	patience time.Duration
	asJSON   bool
	out      io.Writer
	sleep    func(context.Context, time.Duration) error
	now      func() time.Time

	client http.Client
	base   string
	count  eventCount
}

// eventCount is what became of the changes.
type eventCount struct {
	Changes  int `json:"changes"`
	Accepted int `json:"accepted"`
	// Known are those of the accepted that had been sent before.
	Known   int `json:"known"`
	Refused int `json:"refused"`
}

// refusedLine is a change that was refused.
type refusedLine struct {
	Line   int    `json:"line"`
	ID     string `json:"id,omitempty"`
	Detail string `json:"detail"`
}

// sendError is of a part that was not taken, and will not be.
type sendError struct {
	first int // line of its first change
	err   error
}

func (e *sendError) Error() string {
	return fmt.Sprintf("the changes from line %d on were not sent: %v", e.first, e.err)
}

func (e *sendError) Unwrap() error { return e.err }

// run sends what in has. All before an error is sent and counted.
func (s *eventSender) run(ctx context.Context, in io.Reader) error {
	s.dial()
	defer s.client.CloseIdleConnections()
	var part []fileChange
	size := 0
	flush := func() error {
		defer func() { part, size = nil, 0 }()
		if len(part) == 0 {
			return nil
		}
		return s.send(ctx, part)
	}
	err := readChanges(in, func(c fileChange) error {
		s.count.Changes++
		if why := c.unfit(); why != "" {
			return s.refuse(refusedLine{Line: c.line, Detail: why})
		}
		if len(part) == mostChanges || size+len(c.text)+1 > mostChangeBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		part, size = append(part, c), size+len(c.text)+1
		return nil
	})
	if of := (*sendError)(nil); !errors.As(err, &of) {
		err = errors.Join(err, flush())
	}
	if err := errors.Join(err, s.summary()); err != nil {
		return err
	}
	if s.count.Refused > 0 {
		return fmt.Errorf("%d of %d changes were refused", s.count.Refused, s.count.Changes)
	}
	return nil
}

func (s *eventSender) dial() {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment}
	s.base = strings.TrimSuffix(s.url, "/")
	if socket, ok := strings.CutPrefix(s.url, "unix:"); ok {
		s.base = "http://localhost"
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	}
	s.client = http.Client{Transport: t, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (s *eventSender) summary() error {
	if s.asJSON {
		return json.NewEncoder(s.out).Encode(s.count)
	}
	_, err := fmt.Fprintf(s.out, "%d changes: %d accepted, of which %d had been sent before, %d refused\n", s.count.Changes, s.count.Accepted, s.count.Known, s.count.Refused)
	return err
}

func (s *eventSender) refuse(r refusedLine) (err error) {
	s.count.Refused++
	if s.asJSON {
		return json.NewEncoder(s.out).Encode(r)
	}
	_, err = fmt.Fprintf(s.out, "line %d: %s\n", r.Line, r.Detail)
	return err
}

// send sends a part, in halves where it is too much at once.
func (s *eventSender) send(ctx context.Context, part []fileChange) error {
	var body bytes.Buffer
	for _, c := range part {
		_, _ = body.Write(c.text) // never fails
		_ = body.WriteByte('\n')
	}
	status, answer, err := s.post(ctx, body.Bytes())
	switch {
	case err != nil:
		return &sendError{part[0].line, err}
	case status == http.StatusRequestEntityTooLarge && len(part) > 1:
		half := len(part) / 2
		if err := s.send(ctx, part[:half]); err != nil {
			return err
		}
		return s.send(ctx, part[half:])
	case status != http.StatusOK && status != http.StatusUnprocessableEntity:
		return &sendError{part[0].line, refusal(status, answer, keyForEvents)}
	}
	return s.tell(part, answer)
}

// tell counts what became of a part, and prints what was refused.
func (s *eventSender) tell(part []fileChange, answer []byte) error {
	var a struct {
		Results []struct {
			Line               int
			ID, Status, Detail string
			Receipts           []struct{ Known bool }
		}
	}
	if err := json.Unmarshal(answer, &a); err != nil || len(a.Results) != len(part) {
		return &sendError{part[0].line, errors.New("the daemon's answer is not about them")}
	}
	for i, r := range a.Results {
		if r.Status != "accepted" {
			if err := s.refuse(refusedLine{part[i].line, r.ID, r.Detail}); err != nil {
				return err
			}
			continue
		}
		s.count.Accepted++
		known := len(r.Receipts) > 0
		for _, receipt := range r.Receipts {
			known = known && receipt.Known
		}
		if known {
			s.count.Known++
		}
	}
	return nil
}

// Pauses between two tries.
const (
	firstPause = 100 * time.Millisecond
	mostPause  = 10 * time.Second
)
