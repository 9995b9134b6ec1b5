package eventlog

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// mostFlying is how many groups may be on their way to the disk at once. The
// store syncs those that wait together; fewer would be late for its next fsync.
const mostFlying = 8

// group is what goes into one commit.
type group struct {
	requests []*request
	draft    *draft
	err      error
	// landed, of a group without requests, is closed once all before it are
	// answered.
	landed chan struct{}
}

// write is the goroutine that writes: it drafts what waits, hands it to the
// store, and goes on while the disk is at work.
func (l *Log) write() {
	defer l.tasks.Done()
	defer close(l.flying)
	var waiting []*request
	for {
		select {
		case <-l.quit:
			return
		case r := <-l.queue:
			runtime.Gosched() // to those that were answered and come again
			waiting = l.gather(append(waiting[:0], r))
		}
		l.watch.room(l.quit)
		for len(waiting) > 0 {
			n := 0
			for n < len(waiting) && waiting[n].do == nil {
				n++
			}
			if n == 0 {
				n = 1
				l.doAlone(waiting[0])
			} else {
				l.send(slices.Clone(waiting[:n]))
			}
			waiting = waiting[n:]
		}
	}
}

// gather adds what waits already to a group, up to a size.
func (l *Log) gather(group []*request) []*request {
	for size := 0; ; {
		if size += group[len(group)-1].size; size >= groupSize {
			return group
		}
		select {
		case r := <-l.queue:
			group = append(group, r)
		default:
			return group
		}
	}
}

// doAlone does what changes more than the end of the log, while nothing else
// is on its way.
func (l *Log) doAlone(r *request) {
	g := &group{landed: make(chan struct{})}
	l.flying <- g
	<-g.landed
	if r.err = l.failure(); r.err == nil {
		r.err = r.do()
	}
	close(r.done)
}

// send drafts a group of appends and sends it on its way.
func (l *Log) send(requests []*request) {
	g := &group{requests: requests}
	if g.err = l.failure(); g.err == nil {
		g.draft, g.err = l.draftGroup(requests)
	}
	if g.err == nil && len(g.draft.records) > 0 {
		g.err = l.begin(g.draft)
	}
	l.flying <- g
}

// land is the goroutine that waits for groups to be on disk, and answers.
func (l *Log) land() {
	defer l.tasks.Done()
	for g := range l.flying {
		if g.err == nil && g.draft != nil {
			g.err = l.finish(g.draft)
		}
		if g.draft != nil {
			_ = g.draft.batch.Close()
		}
		for _, r := range g.requests {
			if r.err = g.err; g.err != nil {
				r.receipts = nil
			}
			close(r.done)
		}
		if g.landed != nil {
			close(g.landed)
		}
	}
}

// draft is a commit in the making.
type draft struct {
	batch   *pebble.Batch
	next    state
	now     time.Time
	records []Record
	// tokens are those of the commit.
	tokens map[[16]byte]*stored
	value  []byte
	begun  bool
}

// newDraft begins a commit after the last one.
func (l *Log) newDraft() *draft {
	d := &draft{batch: l.db.NewBatch(), next: l.state, now: l.opts.Now().UTC().Round(0)}
	d.next.commit++
	return d
}

func (l *Log) draftGroup(group []*request) (*draft, error) {
	n := 0
	for _, r := range group {
		n += len(r.entries)
	}
	d := l.newDraft()
	d.records, d.tokens = make([]Record, 0, n), make(map[[16]byte]*stored, n)
	for _, r := range group {
		r.receipts = make([]Receipt, len(r.entries))
		for i := range r.entries {
			receipt, err := l.draft(d, r.entries[i], r.refused[r.entries[i]])
			if err != nil {
				return d, err
			}
			r.receipts[i] = receipt
		}
	}
	return d, nil
}

// draft adds an entry to a group, unless it is known or refused.
func (l *Log) draft(d *draft, s *stored, refused error) (Receipt, error) {
	none := s.Token == [16]byte{}
	if !none {
		first, err := l.known(d, &s.Token)
		switch {
		case err != nil:
			return Receipt{}, err
		case first != nil && !first.Redacted && first.digest != s.digest:
			return Receipt{Log: l.id, Err: ErrTokenReused}, nil
		case first != nil:
			return Receipt{Log: l.id, Seq: first.Seq, Time: first.Time, Hash: first.Hash, Known: true}, nil
		}
	}
	if refused != nil {
		return Receipt{Log: l.id, Err: refused}, nil
	}
	if err := d.add(s); err != nil {
		return Receipt{}, err
	}
	if !none {
		d.tokens[s.Token] = s
		l.tokens.add(&s.Token, s.Seq)
	}
	return Receipt{Log: l.id, Seq: s.Seq, Time: s.Time, Hash: s.Hash}, nil
}

// add chains a record that is sealed to the last one, and adds it.
func (d *draft) add(s *stored) error {
	s.Seq, s.Time, s.Prev = max(s.Seq, d.next.seq+1), d.now, d.next.hash
	s.Hash = s.Chain(s.Prev)
	d.value = s.encode(d.value[:0])
	d.next.seq, d.next.hash = s.Seq, s.Hash
	d.records = append(d.records, s.Record)
	return d.batch.Set(recordKey(s.Seq), d.value, nil)
}

// known returns the record that has a token, or nil.
func (l *Log) known(d *draft, token *[16]byte) (s *stored, err error) {
	if s := d.tokens[*token]; s != nil {
		return s, nil
	}
	l.tokens.find(token, func(seq uint64) bool {
		if seq > l.state.seq {
			return false
		}
		s, err = l.record(l.db, seq)
		if s != nil && (s.Kind != Event || s.Token != *token) {
			s = nil
		}
		return s != nil || err != nil
	})
	return s, err
}

// record reads a record, nil where there is none.
func (l *Log) record(r pebble.Reader, seq uint64) (*stored, error) {
	v, err := get(r, recordKey(seq))
	if err != nil || v == nil {
		return nil, err
	}
	s, err := decode(seq, v)
	if err != nil {
		return nil, fmt.Errorf("%w: record %d: %v", ErrCorrupt, seq, err)
	}
	return &s, nil
}

// begin hands a commit to the store, after which it is the last one.
func (l *Log) begin(d *draft) error {
	err := d.batch.Set(keyState, d.next.encode(nil), nil)
	if err == nil {
		err = l.db.ApplyNoSyncWait(d.batch, pebble.Sync)
	}
	if err != nil {
		l.gate.fail(err)
		return l.failure()
	}
	d.begun, l.state = true, d.next
	return nil
}

// finish waits until a commit is on disk, if it has anything, and says so in
// HEAD, to readers and to Options.Applied. Of an error it is not known whether
// it lasts, and nothing is committed any more.
func (l *Log) finish(d *draft) error {
	if !d.begun {
		// All known: what made it so has landed.
		return l.failure()
	}
	err := d.batch.SyncWait()
	if err == nil && l.gate.err() == nil {
		err = l.head.write(d.next)
	}
	if err != nil {
		l.gate.fail(err)
	}
	if err := l.failure(); err != nil {
		return err
	}
	if d.next.seq != l.last.Load().seq {
		// Scans first: who scans and then takes over from Applied misses none.
		old := l.last.Swap(&position{d.next.seq, d.next.hash, d.now, make(chan struct{})})
		close(old.changed)
	}
	if len(d.records) > 0 && l.opts.Applied != nil {
		l.opts.Applied(d.records)
	}
	return nil
}

// commit does both, for what is done alone.
func (l *Log) commit(d *draft) error {
	if err := l.begin(d); err != nil {
		return err
	}
	return l.finish(d)
}
