package logbench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/matchd/matchd/engine/eventlog"
)

// Bytes that the log writes for an event besides its body, see
// engine/eventlog/FORMAT.md.
const overhead = 9 + 57 + 32

// keySize is the size of Pebble's keys.
const keySize = 8

// during has writers call f, each with numbers that are nobody else's, until
// the time is over, and returns how many calls there were and how many a second.
func during(d time.Duration, writers int, f func(n uint64, scratch []byte) error, size int) (calls uint64, rate float64, err error) {
	var (
		group sync.WaitGroup
		next  atomic.Uint64
		stop  atomic.Bool
		first atomic.Pointer[error]
	)
	start := time.Now()
	for range writers {
		group.Go(func() {
			scratch := make([]byte, size)
			for !stop.Load() {
				if err := f(next.Add(1), scratch); err != nil {
					first.CompareAndSwap(nil, &err)
					return
				}
			}
		})
	}
	time.Sleep(d)
	stop.Store(true)
	group.Wait()
	took := time.Since(start)
	if e := first.Load(); e != nil {
		return 0, 0, *e
	}
	return next.Load(), float64(next.Load()) / took.Seconds(), nil
}

// event is the entry of a number. Its token is as scattered as hashes are.
func event(n uint64, body []byte) eventlog.Entry {
	binary.BigEndian.PutUint64(body, n)
	e := eventlog.Entry{Body: body}
	binary.BigEndian.PutUint64(e.Token[:], n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(e.Token[8:], n+1)
	binary.BigEndian.PutUint64(e.Digest[:], n)
	return e
}

// appendOurs returns how many events a second are acknowledged.
func (c Config) appendOurs(dir string, writers int) (rate float64, err error) {
	dir = filepath.Join(dir, "log")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	applied := uint64(0)
	l, err := eventlog.Open(dir, eventlog.Options{Applied: func(list []eventlog.Record) { applied += uint64(len(list)) }})
	if err != nil {
		return 0, err
	}
	calls, rate, err := during(c.Duration, writers, func(n uint64, body []byte) error {
		r, err := l.Append(context.Background(), []eventlog.Entry{event(n, body)})
		if err == nil && (r[0].Seq == 0 || r[0].Known) {
			err = fmt.Errorf("receipt %+v", r[0])
		}
		return err
	}, c.Body)
	last, _, _ := l.Last()
	if err = errors.Join(err, l.Close()); err == nil && (last != calls || applied != calls) {
		err = fmt.Errorf("%d events were acknowledged, %d applied, and %d are in the log", calls, applied, last)
	}
	return rate, err
}

// appendPebble returns how many synchronous writes of as many bytes Pebble does
// a second, as it is by default but for the format, and for memory tables of
// the size that the log has.
func (c Config) appendPebble(dir string, writers int) (rate float64, err error) {
	dir = filepath.Join(dir, "pebble")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, MemTableSize: 8 << 20, Logger: quiet{}})
	if err != nil {
		return 0, err
	}
	_, rate, err = during(c.Duration, writers, func(n uint64, b []byte) error {
		binary.BigEndian.PutUint64(b, n)
		return db.Set(b[:keySize], b[keySize:], pebble.Sync)
	}, c.Body+overhead)
	return rate, errors.Join(err, db.Close())
}

// quiet drops what Pebble logs, and panics where it would end the process.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}
