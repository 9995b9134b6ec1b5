package eventlog

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
)

// Records are checked in blocks of about so many bytes and records: all that are
// on their way fit into a core's cache.
const (
	checkBytes   = 32 << 10
	checkRecords = 128
)

// block is some records in a row, and a buffer that holds what they hold.
type block struct {
	buf  []byte
	list []stored
	err  error         // of the record after the last in list
	done chan struct{} // one value once they are checked
}

func newBlock() *block {
	return &block{
		buf: make([]byte, 0, checkBytes), list: make([]stored, 0, checkRecords), done: make(chan struct{}, 1),
	}
}

// add copies a record into the block.
func (b *block) add(seq uint64, v []byte, w *walk) error {
	if len(b.buf)+len(v) > cap(b.buf) {
		// One that is large. What is there keeps its old buffer.
		b.buf = make([]byte, 0, max(len(v), checkBytes))
	}
	from := len(b.buf)
	b.buf = append(b.buf, v...)
	s, err := decode(seq, b.buf[from:])
	if err != nil {
		return fmt.Errorf("%w: record %d: %v", ErrCorrupt, seq, err)
	}
	b.list = append(b.list, s)
	return w.step(&b.list[len(b.list)-1])
}

// full reports whether the next record should go into another block.
func (b *block) full() bool { return len(b.list) == checkRecords || len(b.buf) >= checkBytes*7/8 }

// check checks all records up to the first that is damaged.
func (b *block) check() {
	for i := range b.list {
		if err := b.list[i].check(); err != nil {
			b.list, b.err = b.list[:i], err
			break
		}
	}
	b.done <- struct{}{}
}

// replay calls f for each record from the first, checked: where it stands by
// one goroutine that reads, and what it holds by as many as there are cores.
// Before that it calls many with some in a row. It returns where the walk ended.
func replay(r reader, w walk, many func([]stored), f func(*stored) error) (walk, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixRecord}, UpperBound: []byte{prefixRecord + 1}})
	if err != nil {
		return w, damage(err)
	}
	const ahead = 8
	work, order, free, quit := make(chan *block, ahead), make(chan *block, ahead), make(chan *block, 2*ahead), make(chan struct{})
	for range runtime.GOMAXPROCS(0) {
		go func() {
			for b := range work {
				b.check()
			}
		}()
	}
	ended := make(chan error, 1)
	go func() {
		defer close(order)
		defer close(work)
		err := readBlocks(it, &w, free, func(b *block) bool {
			select {
			case order <- b:
				work <- b
				return true
			case <-quit:
				return false
			}
		})
		ended <- errors.Join(err, it.Close())
	}()
	var first error
	for b := range order {
		<-b.done
		if first != nil {
			continue
		}
		many(b.list)
		for i := range b.list {
			if first = f(&b.list[i]); first != nil {
				break
			}
		}
		if first == nil {
			first = b.err
		}
		if first != nil {
			close(quit)
			continue
		}
		select {
		case free <- b:
		default:
		}
	}
	if err := <-ended; first == nil {
		first = err
	}
	return w, first
}

// readBlocks reads all records into blocks and hands those on, until hand
// returns false.
func readBlocks(it *pebble.Iterator, w *walk, free chan *block, hand func(*block) bool) error {
	b := newBlock()
	for ok := it.First(); ok; ok = it.Next() {
		if b.full() {
			if !hand(b) {
				return nil
			}
			select {
			case b = <-free:
				b.buf, b.list = b.buf[:0], b.list[:0]
			default:
				b = newBlock()
			}
		}
		seq, err := recordSeq(it.Key())
		if err == nil {
			var v []byte
			if v, err = it.ValueAndErr(); err == nil {
				err = b.add(seq, v, w)
			}
		}
		if err != nil {
			b.err = damage(err)
			// The one that is out of place is not to be handed on.
			if n := len(b.list); n > 0 && b.list[n-1].Seq == seq {
				b.list = b.list[:n-1]
			}
			hand(b)
			return nil
		}
	}
	b.err = damage(it.Error())
	hand(b)
	return nil
}
