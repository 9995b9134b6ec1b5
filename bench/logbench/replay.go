package logbench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/matchd/matchd/engine/eventlog"
)

// replay fills a log and opens it in turns with Pebble.
func (c Config) replay(ctx context.Context, dir string, r *Result) (err error) {
	dir = filepath.Join(dir, "log")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c.Log("a log of %d events to open", c.Replayed)
	if err := c.fill(ctx, dir); err != nil {
		return err
	}
	for round := range c.Rounds {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := inTurns(round,
			side{&r.Replay.Ours, func() (float64, error) { return c.replayOurs(dir) }},
			side{&r.Replay.Pebble, func() (float64, error) { return c.replayPebble(dir, &pebble.Options{}) }},
			side{&r.Tuned, func() (float64, error) { return c.replayPebble(dir, asTheLogDoes()) }})
		if err != nil {
			return err
		}
	}
	return nil
}

// asTheLogDoes has what the log asks of Pebble while it reads all of a store once:
// little memory for blocks, which is soon used anew, and no look at what is read often.
func asTheLogDoes() *pebble.Options {
	o := &pebble.Options{CacheSize: 256 << 10}
	o.Experimental.ReadSamplingMultiplier = -1
	return o
}

// fill appends the events, many at once.
func (c Config) fill(ctx context.Context, dir string) error {
	l, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		return err
	}
	const many = 1000
	bodies := make([]byte, many*c.Body)
	for n := 0; n < c.Replayed && err == nil; n += many {
		list := make([]eventlog.Entry, min(many, c.Replayed-n))
		for i := range list {
			list[i] = event(uint64(n+i), bodies[i*c.Body:(i+1)*c.Body])
		}
		_, err = l.Append(ctx, list)
	}
	return errors.Join(err, l.Close())
}

// words sums a text, so that each byte of it is read.
func words(b []byte) (sum uint64) {
	for ; len(b) >= 8; b = b[8:] {
		sum += binary.LittleEndian.Uint64(b)
	}
	for _, v := range b {
		sum += uint64(v)
	}
	return sum
}

// replayOurs opens the log and reads each body, all of it checked before.
func (c Config) replayOurs(dir string) (rate float64, err error) {
	runtime.GC()
	sum, n := uint64(0), 0
	start := time.Now()
	l, err := eventlog.Open(dir, eventlog.Options{Replay: func(r eventlog.Record) error {
		sum += words(r.Body)
		n++
		return nil
	}})
	took := time.Since(start)
	if err != nil {
		return 0, err
	}
	if err := l.Close(); err != nil {
		return 0, err
	}
	if n != c.Replayed || sum == 0 {
		return 0, fmt.Errorf("%d of %d events were replayed", n, c.Replayed)
	}
	return float64(n) / took.Seconds(), nil
}

// records is the first byte of the keys of records in the log's store.
const records = 1

// replayPebble opens the same store and iterates over the records.
func (c Config) replayPebble(dir string, o *pebble.Options) (rate float64, err error) {
	o.FormatMajorVersion, o.ReadOnly, o.Logger = pebble.FormatNewest, true, quiet{}
	runtime.GC()
	start := time.Now()
	db, err := pebble.Open(filepath.Join(dir, "store"), o)
	if err != nil {
		return 0, err
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{records}, UpperBound: []byte{records + 1}})
	if err != nil {
		return 0, errors.Join(err, db.Close())
	}
	n, size := 0, 0
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var v []byte
		v, err = it.ValueAndErr()
		size += len(v)
		n++
	}
	took := time.Since(start)
	if err = errors.Join(err, it.Error(), it.Close(), db.Close()); err == nil && (n != c.Replayed || size < n*c.Body) {
		err = fmt.Errorf("%d of %d records are there", n, c.Replayed)
	}
	return float64(n) / took.Seconds(), err
}
