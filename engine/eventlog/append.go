package eventlog

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Bounds of what is written.
const (
	// MaxBody is how long the body of an entry may be, in bytes.
	MaxBody = 64 << 10
	// maxGroup is about how many entries go to disk together.
	maxGroup = 4096
)

// Entry is what is to be appended.
type Entry struct {
	Token Token
	// Digest tells whether two entries with one token are the same.
	Digest [16]byte
	Body   []byte
}

// Receipt says where an entry is.
type Receipt struct {
	Log  ID     `json:"log"`
	Seq  uint64 `json:"seq"`
	Time int64  `json:"-"` // Unix nanoseconds
	Hash Hash   `json:"hash"`
}

// Result is what became of one entry.
type Result struct {
	Receipt
	// Known says that it was there before: nothing was written.
	Known bool
	// Err is [ErrTokenReused], or nil.
	Err error
}

// request is a call that waits for the writer.
type request struct {
	entries []Entry
	redact  []uint64
	results []Result
	err     error
	done    chan struct{}
}

// Append writes entries, which must not change until it returns. It returns once
// they are on disk, with a result for each; after an error, whether they are is
// not known, and they may be appended again.
func (l *Log) Append(entries []Entry) ([]Result, error) {
	for i := range entries {
		if len(entries[i].Body) > MaxBody {
			return nil, fmt.Errorf("an entry of %d bytes: at most %d", len(entries[i].Body), MaxBody)
		}
	}
	r := &request{entries: entries}
	err := l.do(r)
	return r.results, err
}

// Redact takes the bodies of records away. What the disk held of them is gone
// once it returns; Lost records and numbers that are not there are left alone.
func (l *Log) Redact(seqs []uint64) error { return l.do(&request{redact: seqs}) }

func (l *Log) do(r *request) error {
	r.done = make(chan struct{})
	select {
	case <-l.closed:
		return ErrClosed
	case l.work <- r:
	}
	select {
	case <-r.done:
		return r.err
	case <-l.done: // the writer has ended; it may have served it before
		select {
		case <-r.done:
			return r.err
		default:
			return ErrClosed
		}
	}
}

// write is the one goroutine that writes.
func (l *Log) write() {
	defer close(l.done)
	for {
		select {
		case r := <-l.work:
			l.serve(r)
		case <-l.closed:
			for { // what was handed over before
				select {
				case r := <-l.work:
					l.serve(r)
				default:
					return
				}
			}
		}
	}
}

// serve serves a request, together with all others that wait.
func (l *Log) serve(r *request) {
	g := &l.group
	g.reset(l)
	for n := 0; ; {
		if r.redact != nil {
			l.commit()
			r.err = l.redact(r.redact)
			close(r.done)
			return
		}
		g.requests = append(g.requests, r)
		if n += len(r.entries); n >= maxGroup {
			break
		}
		select {
		case r = <-l.work:
			continue
		default:
		}
		break
	}
	l.commit()
}

// group is what goes to disk together.
type group struct {
	requests []*request
	records  []Record
	tokens   map[Token]int // of records
	digests  [][16]byte
	last     Receipt
	buf      []byte
}

func (g *group) reset(l *Log) {
	g.requests, g.records, g.digests = g.requests[:0], g.records[:0], g.digests[:0]
	if g.tokens == nil {
		g.tokens = map[Token]int{}
	}
	clear(g.tokens)
	g.last = l.Last()
}

// commit writes the group and answers its requests.
func (l *Log) commit() {
	g := &l.group
	err := l.commitGroup()
	for _, r := range g.requests {
		if r.err = err; err != nil {
			r.results = nil
		}
		close(r.done)
	}
	g.requests = g.requests[:0]
}

func (l *Log) commitGroup() error {
	if err := l.Err(); err != nil {
		return err
	}
	g := &l.group
	batch := l.db.NewBatch()
	for _, r := range g.requests {
		r.results = make([]Result, len(r.entries))
		for i := range r.entries {
			if err := l.add(batch, &r.entries[i], &r.results[i]); err != nil {
				l.fail(err)
				return l.Err()
			}
		}
	}
	if len(g.records) == 0 {
		return batch.Close()
	}
	if err := l.sync(batch); err != nil {
		return err
	}
	last := &g.records[len(g.records)-1]
	l.time = last.Time
	l.advance(last)
	if err := l.head.write(head{l.id, g.records[0].Seq, last.Seq, last.Hash}); err != nil {
		l.fail(err) // these records are on disk; the next ones would not be watched over
	}
	l.opts.Applied(g.records)
	return nil
}

// sync writes a batch and waits for the disk. After an error nothing more is
// written.
func (l *Log) sync(batch *pebble.Batch) error {
	err := l.db.ApplyNoSyncWait(batch, pebble.Sync)
	if err == nil {
		err = batch.SyncWait()
	}
	if err != nil {
		l.fail(fmt.Errorf("write: %w", err))
	}
	if err := l.Err(); err != nil {
		return err // whatever else failed meanwhile
	}
	return batch.Close()
}

// add adds an entry to the batch, unless it is known.
func (l *Log) add(batch *pebble.Batch, e *Entry, out *Result) error {
	g := &l.group
	if at, ok := g.tokens[e.Token]; ok {
		r := &g.records[at]
		out.known(Receipt{l.id, r.Seq, r.Time, r.Hash}, g.digests[at] == e.Digest)
		return nil
	}
	seq, same, ok, err := l.find(e)
	if err != nil {
		return err
	}
	if ok {
		receipt, err := l.receipt(seq)
		out.known(receipt, same)
		return err
	}
	r := Record{Seq: g.last.Seq + 1, Time: max(l.opts.Now().UnixNano(), l.time, g.last.Time), Kind: Whole, Body: e.Body}
	_, _ = rand.Read(r.salt[:]) // never fails
	g.buf = r.commit(g.buf)
	r.Hash = r.chained(l.before(&g.last))
	g.tokens[e.Token] = len(g.records)
	g.records, g.digests = append(g.records, r), append(g.digests, e.Digest)
	g.last = Receipt{l.id, r.Seq, r.Time, r.Hash}
	out.Receipt = g.last
	g.buf = r.append(g.buf[:0])
	return errors.Join(
		batch.Set(entryAt(r.Seq), g.buf, nil),
		batch.Set(tokenAt(e.Token), append(binary.LittleEndian.AppendUint64(nil, r.Seq), e.Digest[:]...), nil))
}

// before is the hash that the record after last is chained to.
func (l *Log) before(last *Receipt) Hash {
	if last.Seq == 0 {
		return l.id.first()
	}
	return last.Hash
}

func (r *Result) known(receipt Receipt, same bool) {
	if !same {
		r.Err = ErrTokenReused
		return
	}
	r.Receipt, r.Known = receipt, true
}

// find looks a token up.
func (l *Log) find(e *Entry) (seq uint64, same, ok bool, err error) {
	value, closer, err := l.db.Get(tokenAt(e.Token))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, false, false, nil
	}
	if err != nil {
		return 0, false, false, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	if len(value) != 8+len(e.Digest) {
		return 0, false, false, fmt.Errorf("%w: a token", ErrCorrupt)
	}
	return binary.LittleEndian.Uint64(value), string(value[8:]) == string(e.Digest[:]), true, nil
}

func (l *Log) receipt(seq uint64) (out Receipt, err error) {
	value, closer, err := l.db.Get(entryAt(seq))
	if err != nil {
		return out, fmt.Errorf("record %d: %w", seq, err)
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	var r Record
	if err := r.decode(seq, value); err != nil {
		return out, fmt.Errorf("%w: record %d: %w", ErrCorrupt, seq, err)
	}
	return Receipt{l.id, r.Seq, r.Time, r.Hash}, nil
}

// redact replaces records by what the chain takes of them, and has Pebble write
// its files anew without the rest.
func (l *Log) redact(seqs []uint64) error {
	if err := l.Err(); err != nil {
		return err
	}
	batch := l.db.NewBatch()
	var from, to uint64
	var buf []byte
	for _, seq := range seqs {
		value, closer, err := l.db.Get(entryAt(seq))
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			return errors.Join(err, batch.Close())
		}
		var r Record
		err = r.decode(seq, value)
		if err == nil && r.Kind == Whole {
			buf = r.commit(buf)
			r.Kind = Redacted
			err = batch.Set(entryAt(seq), r.append(nil), nil)
			from, to = min(from-1, seq-1)+1, max(to, seq)
		}
		if err = errors.Join(err, closer.Close()); err != nil {
			return errors.Join(fmt.Errorf("record %d: %w", seq, err), batch.Close())
		}
	}
	if to == 0 {
		return batch.Close()
	}
	if err := l.sync(batch); err != nil {
		return err
	}
	return l.compact(from, to)
}
