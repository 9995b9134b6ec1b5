package eventlog

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// Limits of an append, and of a group of them, in bytes.
const (
	MaxBody   = 1 << 20
	MaxAppend = 16 << 20
	groupSize = 2 << 20
)

// Entry is what is appended.
type Entry struct {
	// Token makes an entry that is sent again known; zero is none.
	Token [16]byte
	// Digest tells whether an entry with a known token has the content of the
	// first one.
	Digest [16]byte
	// Body is up to MaxBody bytes.
	Body []byte
	// Refused, if not nil, is why the entry is not taken: it is asked for alone
	// whether its token is known, and its receipt has this error if not.
	Refused error
}

// Receipt is what became of an entry.
type Receipt struct {
	Log  ID
	Seq  uint64
	Time time.Time
	Hash Hash
	// Known is of an entry whose token the log had: the rest is the first
	// entry's.
	Known bool
	// Err, if not nil, is why the entry was not taken: [ErrTokenReused], or
	// [Entry.Refused]. The rest but Log is zero then.
	Err error
}

// request is what the writer is asked for: to append, or else to do.
type request struct {
	entries []*stored
	refused map[*stored]error // of some entries, why they are not taken
	size    int               // of the entries' values, in bytes
	do      func() error

	// receipts and err are set before done is closed.
	receipts []Receipt
	err      error
	done     chan struct{}
}

func (r *request) refuse(s *stored, err error) {
	if r.refused == nil {
		r.refused = map[*stored]error{}
	}
	r.refused[s] = err
}

// Append appends entries, all in one commit, and returns what became of each.
// The bodies are copied. When it returns without an error, what it took is on
// disk and was applied. Of an error, the entries may have been taken, all or
// none; their tokens tell whoever appends them again. An entry whose record was
// redacted is known by its token alone.
func (l *Log) Append(ctx context.Context, entries []Entry) ([]Receipt, error) {
	size := 0
	for i := range entries {
		size += len(entries[i].Body)
		if len(entries[i].Body) > MaxBody || size > MaxAppend {
			return nil, fmt.Errorf("%w: entry %d", ErrTooLarge, i)
		}
	}
	// Copied, salted and hashed here, where many can at once.
	size += len(entries) * saltSize
	r := &request{entries: make([]*stored, len(entries)), size: size + len(entries)*(fixedSize+digestSize)}
	secrets, list := make([]byte, 0, size), make([]stored, len(entries))
	for i := range entries {
		from := len(secrets)
		secrets = appendSecret(secrets, entries[i].Body)
		list[i] = sealed(Event, &entries[i], secrets[from:len(secrets):len(secrets)])
		r.entries[i] = &list[i]
		if err := entries[i].Refused; err != nil {
			r.refuse(r.entries[i], err)
		}
	}
	if err := l.ask(ctx, r); err != nil {
		return nil, err
	}
	return r.receipts, nil
}

// Note appends a record of kind [Note], of whoever has the log open and not of a
// client: it has no token, is never redacted, and [Log.Trim] asks whether to keep
// it. The rest is as of [Log.Append].
func (l *Log) Note(ctx context.Context, body []byte) (Receipt, error) {
	if len(body) > MaxBody {
		return Receipt{}, fmt.Errorf("%w: the note", ErrTooLarge)
	}
	s := sealed(Note, &Entry{}, appendSecret(nil, body))
	r := &request{entries: []*stored{&s}, size: len(s.secret) + fixedSize + digestSize}
	if err := l.ask(ctx, r); err != nil {
		return Receipt{}, err
	}
	return r.receipts[0], nil
}

// appendSecret appends a new salt and the body.
func appendSecret(b []byte, body []byte) []byte {
	var salt [saltSize]byte
	_, _ = rand.Read(salt[:]) // never fails
	return append(append(b, salt[:]...), body...)
}

// sealed is the record of an entry, but for its place in the log.
func sealed(k Kind, e *Entry, secret []byte) stored {
	s := stored{
		Record: Record{Kind: k, Token: e.Token, Body: secret[saltSize:]},
		digest: e.Digest, secret: secret,
	}
	s.seal()
	return s
}

// ask hands a request to the writer and waits.
func (l *Log) ask(ctx context.Context, r *request) error {
	if r.do == nil && l.opts.Replica != nil {
		return ErrReplica
	}
	if err := l.Err(); err != nil {
		return err
	}
	r.done = make(chan struct{})
	select {
	case l.queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.quit:
		return ErrClosed
	case <-l.gate.shut:
		return l.failure()
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
