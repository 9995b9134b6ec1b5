package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// chunk is some records, copied out of the store.
type chunk struct {
	values []byte
	ends   []int // in values, of each record
	seqs   []uint64
	err    error // after these
}

// Bounds of a chunk.
const (
	chunkRecords = 512
	chunkBytes   = 256 << 10
)

// verify reads the whole log, checks its chain and that it agrees with HEAD as
// it was written, and hands its records to Replay. It returns the receipt of the
// last one. One goroutine reads while this one checks.
func (l *Log) verify(written *head, fresh bool) (last Receipt, err error) {
	if !fresh && written.log != l.id {
		return last, corrupt("%s is that of another log", headName)
	}
	chunks, free, stop := make(chan *chunk, 2), make(chan *chunk, 4), make(chan struct{})
	for range cap(free) {
		free <- new(chunk)
	}
	go l.read(chunks, free, stop)
	defer func() {
		close(stop)
		for range chunks { // until the reader has closed its iterator
		}
	}()
	v := verifier{log: l, written: written, hash: l.id.first()}
	if written.seq == 0 && !fresh && written.hash != v.hash {
		return last, corrupt("%s: its hash is not that of an empty log", headName)
	}
	for c := range chunks {
		if err := v.chunk(c); err != nil {
			return last, err
		}
		free <- c
	}
	if v.last.Seq > 0 && written.seq <= v.last.Seq && written.seq > 0 && !v.met {
		return last, corrupt("%s names record %d, which is not there", headName, written.seq)
	}
	return v.last, nil
}

// read sends the records in chunks, and closes the channel.
func (l *Log) read(chunks chan<- *chunk, free <-chan *chunk, stop <-chan struct{}) {
	defer close(chunks)
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{entryKey}, UpperBound: []byte{entryKey + 1}})
	if err != nil {
		chunks <- &chunk{err: err}
		return
	}
	c := <-free
	send := func() bool {
		select {
		case chunks <- c:
		case <-stop:
			return false
		}
		select {
		case c = <-free:
		case <-stop:
			return false
		}
		c.values, c.ends, c.seqs = c.values[:0], c.ends[:0], c.seqs[:0]
		return true
	}
	for ok := it.First(); ok; ok = it.Next() {
		seq, err := seqOf(it.Key())
		if err != nil {
			c.err = err
			break
		}
		c.values = append(c.values, it.Value()...)
		c.ends, c.seqs = append(c.ends, len(c.values)), append(c.seqs, seq)
		if len(c.seqs) == chunkRecords || len(c.values) > chunkBytes {
			if !send() {
				_ = it.Close()
				return
			}
		}
	}
	c.err = errors.Join(c.err, it.Error(), it.Close())
	select {
	case chunks <- c:
	case <-stop:
	}
}

func seqOf(key []byte) (uint64, error) {
	if len(key) != 9 {
		return 0, errors.New("a key is not that of a record")
	}
	return binary.BigEndian.Uint64(key[1:]), nil
}

// verifier follows the chain.
type verifier struct {
	log     *Log
	written *head
	met     bool // the record that HEAD names, or the gap that it lies in
	last    Receipt
	hash    Hash
	buf     []byte
}

func (v *verifier) chunk(c *chunk) error {
	from := 0
	for i, seq := range c.seqs {
		var r Record
		if err := r.decode(seq, c.values[from:c.ends[i]]); err != nil {
			return corrupt("record %d: %w", seq, err)
		}
		from = c.ends[i]
		if err := v.record(&r); err != nil {
			return err
		}
	}
	if c.err != nil {
		return corrupt("after record %d: %w", v.last.Seq, c.err)
	}
	return nil
}

func (v *verifier) record(r *Record) error {
	next := v.last.Seq + 1
	if r.Kind == Lost {
		from, to := r.lost()
		if from != next || to != r.Seq-1 || to < from {
			return corrupt("record %d says that others were lost than are missing", r.Seq)
		}
		v.met = v.met || v.written.seq >= from && v.written.seq <= to
	} else if r.Seq != next {
		return corrupt("record %d follows on record %d", r.Seq, v.last.Seq)
	}
	v.buf = r.commit(v.buf)
	if r.Hash != r.chained(v.hash) {
		return corrupt("record %d: its hash is another one than that of what it holds", r.Seq)
	}
	if r.Time < v.last.Time {
		return corrupt("record %d is older than the one before", r.Seq)
	}
	if r.Seq == v.written.seq {
		if r.Hash != v.written.hash {
			return corrupt("record %d is another one than %s has seen", r.Seq, headName)
		}
		v.met = true
	}
	v.hash, v.last = r.Hash, Receipt{v.log.id, r.Seq, r.Time, r.Hash}
	if err := v.log.opts.Replay(r); err != nil {
		return fmt.Errorf("record %d: %w", r.Seq, err)
	}
	return nil
}
