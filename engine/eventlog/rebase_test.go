package eventlog

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// replicaOf is a log with all that another one has.
func replicaOf(t testing.TB, leader *Log, fs vfs.FS) *Log {
	t.Helper()
	l := open(t, fs, Options{Replica: func() (ID, error) { return leader.ID(), nil }})
	_, list := exported(t, leader, 0)
	if err := l.Import(context.Background(), list); err != nil {
		t.Fatal(err)
	}
	return l
}

// rebase brings a replica to what its leader has trimmed.
func rebase(t testing.TB, leader, l *Log, keep func(*Rebase, *Sealed) error) {
	t.Helper()
	e, list := exported(t, leader, 0)
	r, err := l.Rebase(e.Base)
	for i := range list {
		if err == nil && list[i].Kept {
			err = keep(r, &list[i])
		}
	}
	if err == nil {
		err = r.Done(context.Background())
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

// A step of a rebase that is given up while the writer is at it is done whole all
// the same, and the log is sound.
func TestRebaseGivenUp(t *testing.T) {
	leader, fs, ctx := open(t, vfs.NewMem(), Options{}), vfs.NewMem(), context.Background()
	add(t, leader, entries(0, 12)...)
	l := replicaOf(t, leader, fs)
	trim := func(below uint64) {
		if err := leader.Trim(ctx, below, func(r Record) bool { return r.Seq%2 == 0 }); err != nil {
			t.Fatal(err)
		}
	}
	trim(7)
	rebase(t, leader, l, func(r *Rebase, s *Sealed) error { return r.Keep(ctx, s) })
	trim(11)
	gaveUp := false
	rebase(t, leader, l, func(r *Rebase, s *Sealed) error {
		if s.Seq <= 6 {
			return r.Keep(ctx, s)
		}
		gaveUp = true
		l.watch.logs.Add(mostTables) // the writer takes the step and waits
		defer l.watch.logs.Add(-mostTables)
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		return r.Keep(short, s)
	})
	if !gaveUp {
		t.Error("no step was given up")
	}
	if err := l.Import(ctx, nil); err != nil { // after what the writer is at
		t.Fatal(err)
	}
	l = reopen(t, l, fs, Options{Replica: func() (ID, error) { return leader.ID(), nil }})
	var seqs []uint64
	for _, r := range all(t, l, 0) {
		seqs = append(seqs, r.Seq)
	}
	if !slices.Equal(seqs, []uint64{2, 4, 6, 7, 8, 9, 10, 11, 12}) {
		t.Errorf("the replica has the records %d", seqs)
	}
	rebase(t, leader, l, func(r *Rebase, s *Sealed) error { return r.Keep(ctx, s) })
}

// What has no token takes no place among the tokens of a replica.
func TestImportWithoutTokens(t *testing.T) {
	leader := open(t, vfs.NewMem(), Options{})
	add(t, leader, entries(0, 2)...)
	for range 3 {
		if _, err := leader.Note(context.Background(), []byte("note")); err != nil {
			t.Fatal(err)
		}
	}
	l := replicaOf(t, leader, vfs.NewMem())
	l.tokens.find(new([16]byte), func(seq uint64) bool {
		t.Errorf("record %d is among the tokens", seq)
		return false
	})
}
