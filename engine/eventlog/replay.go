package eventlog

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// About so many bytes and records are checked before they are handed on. For each
// part, an iterator seeks and a goroutine is woken; smaller ones would stay nearer to
// the core and still take longer.
const (
	partBytes   = 1 << 20
	partRecords = 4096
)

// What there is room for at first; a log may be short.
const (
	firstBytes   = 16 << 10
	firstRecords = 64
)

// mostReaders is how many goroutines replay a log at most: what each does in its
// turn takes about a seventh of its time.
const mostReaders = 16

// replay calls f for each record from the first, in order and checked, and
// before that many with the tokens of some in a row; one goroutine at a time calls
// them. It returns where the walk ended.
//
// Goroutines each take a part of the log, read it and check what its records
// hold, and then wait for their turn to hand it on: that needs the parts before,
// and little time. There are two of them a core, as one waits while another reads.
func replay(r pebble.Reader, w walk, many func([]tokenAt), f func(*stored) error) (walk, error) {
	p := &replayer{reader: r, many: many, each: f, walk: w, base: w.base, stride: partRecords, turn: make(chan struct{})}
	close(p.turn)
	var all sync.WaitGroup
	for range min(2*runtime.GOMAXPROCS(0), mostReaders) {
		all.Go(p.work)
	}
	all.Wait()
	if p.err == nil {
		p.err = p.closing
	}
	return p.walk, p.err
}

// replayer is what those share who replay a log.
type replayer struct {
	reader pebble.Reader
	many   func([]tokenAt)
	each   func(*stored) error
	base   base

	mu     sync.Mutex
	next   uint64 // the number at which the next part begins
	stride uint64 // how many records it should have
	ended  bool   // there is no next part
	// closing is an error of closing what a goroutine read with.
	closing error
	turn    chan struct{} // closed once all parts that were taken are handed on

	// Whose turn it is has these.
	walk walk
	err  error // the first by place
}

// part is a run of numbers, and those of its records that were read last.
type part struct {
	from, to uint64 // inclusive
	// turn is closed once those before are handed on, and done once this one is.
	turn, done chan struct{}

	buf  []byte
	list []stored
	// tokens are those of list.
	tokens []tokenAt
	sha    *hasher
	// wrong is the place in list of a record that is not what its hash says, and
	// the last one there, or 0.
	wrong int
	err   error // of what comes after the last in list

	records, bytes uint64 // read in all
	// after is the number of the first record after the part, and ended says that
	// there is none.
	after uint64
	ended bool
}

func (p *replayer) work() {
	b := &part{buf: make([]byte, 0, firstBytes), list: make([]stored, 0, firstRecords), sha: newHasher()}
	it, err := p.reader.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixRecord}, UpperBound: []byte{prefixRecord + 1}})
	for p.take(b) {
		if err == nil {
			it.SeekGE(recordKey(b.from))
		}
		for more := true; more; {
			if b.err = err; err == nil {
				more = b.read(it)
			}
			<-b.turn
			p.hand(b)
			more = more && b.err == nil
		}
		close(b.done)
	}
	if err == nil {
		err = it.Close()
	}
	if err != nil {
		p.mu.Lock()
		p.closing = damage(err)
		p.mu.Unlock()
	}
}

// take has the part be the next one, and reports false where there is none.
func (p *replayer) take(b *part) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next, p.ended = max(p.next, b.after), p.ended || b.ended
	if p.ended {
		return false
	}
	if b.records > 0 {
		p.stride = min(max(1, partBytes*b.records/(b.bytes+b.bytes/8+1)), partRecords)
	}
	b.from, b.to = p.next, p.next+p.stride-1
	if p.next <= p.base.seq {
		// Few of these are there.
		each := min(max(1, p.base.seq/(p.base.kept+1)), 1<<40)
		b.to = min(p.base.seq, p.next+p.stride*each-1)
	}
	p.next = b.to + 1
	b.turn, b.done = p.turn, make(chan struct{})
	p.turn = b.done
	b.records, b.bytes, b.after, b.ended = 0, 0, 0, false
	return true
}

// read reads on to the end of the part and checks what it reads. It reports
// true where that is to be handed on before there is room for more.
func (b *part) read(it *pebble.Iterator) (more bool) {
	b.buf, b.list, b.tokens, b.wrong = b.buf[:0], b.list[:0], b.tokens[:0], 0
	for ; it.Valid(); it.Next() {
		seq, err := recordSeq(it.Key())
		if err == nil && seq > b.to {
			b.after = seq
			return false
		}
		var v []byte
		if err == nil {
			v, err = it.ValueAndErr()
		}
		if err == nil && !b.room(len(v)) {
			return true
		}
		if err == nil {
			err = b.add(seq, v)
		}
		if b.err = damage(err); err != nil || b.wrong > 0 {
			return false
		}
	}
	b.err, b.ended = damage(it.Error()), true
	return false
}

// room makes room for one more record, if it can.
func (b *part) room(size int) bool {
	if size += mostPadding; size > cap(b.buf)-len(b.buf) {
		if len(b.list) > 0 && cap(b.buf) >= partBytes {
			return false
		}
		b.buf = make([]byte, 0, max(size, min(4*cap(b.buf), partBytes))) // records in list keep the one before
	}
	if len(b.list) == cap(b.list) {
		if cap(b.list) >= partRecords {
			return false
		}
		b.list = append(make([]stored, 0, min(4*cap(b.list), partRecords)), b.list...)
	}
	return true
}

// add adds a copy of a record. What is before the first one is not known yet,
// and so it is left to [replayer.hand] to check.
func (b *part) add(seq uint64, v []byte) error {
	from, n := len(b.buf), len(b.list)
	b.buf, b.list = append(b.buf, v...), b.list[:n+1]
	end := len(b.buf)
	s := &b.list[n]
	if err := s.decode(seq, b.buf[from:end:end]); err != nil {
		b.list = b.list[:n]
		return fmt.Errorf("%w: record %d: %v", ErrCorrupt, seq, err)
	}
	b.records++
	b.bytes += uint64(len(v))
	if s.Token != ([16]byte{}) {
		b.tokens = append(b.tokens, tokenAt{tokenHash(&s.Token), seq})
	}
	if n == 0 {
		return nil
	}
	if !s.Redacted {
		size := len(s.secret)
		b.buf = appendPadding(b.buf, size)
		s.Commitment = b.sha.sum(b.buf[end-size:], size)
	}
	if !s.kept {
		s.Prev = b.list[n-1].Hash
	}
	if b.sha.chained(&s.Record) != s.Hash {
		b.wrong = n
	}
	return nil
}

// hand hands on what was read. It is this part's turn.
func (p *replayer) hand(b *part) {
	if p.err != nil {
		return
	}
	p.many(b.tokens)
	for i := range b.list {
		s := &b.list[i]
		if p.err = p.walk.step(s); p.err == nil && (i == 0 || i == b.wrong) {
			p.err = s.check()
		}
		if p.err == nil {
			p.err = p.each(s)
		}
		if p.err != nil {
			break
		}
	}
	if p.err == nil {
		p.err = b.err
	}
	if p.err != nil {
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
	}
}
