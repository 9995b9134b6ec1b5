package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// model is a log without files.
type model struct {
	records []Record // in order; those trimmed are taken out
	next    uint64
	first   uint64
	tokens  map[[16]byte]uint64
}

// Whatever is done to a log, in whatever order, with restarts, it is what the
// model is.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs, ctx := vfs.NewMem(), context.Background()
		l, err := Open("log", Options{FS: fs, Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		m := model{next: 1, first: 1, tokens: map[[16]byte]uint64{}}
		same := func() {
			t.Helper()
			after := rapid.Uint64Range(0, m.next).Draw(t, "after")
			var got []Record
			if err := l.Scan(after, func(r Record) error { got = append(got, r); got[len(got)-1].Body = slices.Clone(r.Body); return nil }); err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(m.records, func(r Record) bool { return r.Seq > after })
			want := m.records[len(m.records):]
			if i >= 0 {
				want = m.records[i:]
			}
			if !slices.EqualFunc(got, want, func(a, b Record) bool {
				return a.Seq == b.Seq && a.Kind == b.Kind && a.Redacted == b.Redacted && (b.Kind == Trim || string(a.Body) == string(b.Body))
			}) {
				t.Fatalf("after %d there is %v, not %v", after, seqs(got), seqs(want))
			}
			if first, err := l.First(); err != nil || first != m.first {
				t.Fatalf("first is %d, not %d: %v", first, m.first, err)
			}
			if last, _, _ := l.Last(); last != m.next-1 {
				t.Fatalf("last is %d, not %d", last, m.next-1)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				var list []Entry
				for range rapid.IntRange(1, 4).Draw(t, "count") {
					list = append(list, entry(fmt.Sprint(rapid.IntRange(0, 30).Draw(t, "name"))))
				}
				r, err := l.Append(ctx, list)
				if err != nil {
					t.Fatal(err)
				}
				for i, e := range list {
					seq, known := m.tokens[e.Token]
					if !known {
						seq = m.next
						m.tokens[e.Token] = seq
						m.records = append(m.records, Record{Seq: seq, Kind: Event, Body: e.Body, Token: e.Token})
						m.next++
					}
					if r[i].Seq != seq || r[i].Known != known || r[i].Err != nil {
						t.Fatalf("%+v, not %d, known %t", r[i], seq, known)
					}
				}
			},
			"note": func(t *rapid.T) {
				r, err := l.Note(ctx, []byte(fmt.Sprint("note ", m.next)))
				if err != nil || r.Seq != m.next || r.Known {
					t.Fatalf("%+v: %v", r, err)
				}
				m.records = append(m.records, Record{Seq: m.next, Kind: Note, Body: []byte(fmt.Sprint("note ", m.next))})
				m.next++
			},
			"redact": func(t *rapid.T) {
				list := rapid.SliceOfN(rapid.Uint64Range(0, m.next), 0, 4).Draw(t, "seqs")
				if err := l.Redact(ctx, list); err != nil {
					t.Fatal(err)
				}
				for i := range m.records {
					if r := &m.records[i]; r.Kind == Event && slices.Contains(list, r.Seq) {
						r.Redacted, r.Body = true, nil
					}
				}
			},
			"trim": func(t *rapid.T) {
				below, by := rapid.Uint64Range(0, m.next).Draw(t, "below"), rapid.Uint64Range(1, 4).Draw(t, "keep")
				keep := func(r Record) bool { return r.Seq%by == 0 }
				if err := l.Trim(ctx, below, keep); err != nil {
					t.Fatal(err)
				}
				was, n := m.first, len(m.records)
				for _, r := range m.records {
					if r.Seq < below && r.Seq >= m.first {
						m.first = r.Seq + 1
					}
				}
				m.records = slices.DeleteFunc(m.records, func(r Record) bool {
					gone := r.Seq < below && (r.Kind == Trim || !keep(r))
					if gone && m.tokens[r.Token] == r.Seq {
						delete(m.tokens, r.Token)
					}
					return gone
				})
				if was != m.first || n != len(m.records) {
					m.records = append(m.records, Record{Seq: m.next, Kind: Trim})
					m.next++
				}
			},
			"purge": func(t *rapid.T) {
				if err := l.Purge(ctx); err != nil {
					t.Fatal(err)
				}
			},
			"flush": func(t *rapid.T) {
				if err := l.db.Flush(); err != nil {
					t.Fatal(err)
				}
			},
			"restart": func(t *rapid.T) {
				err := l.Close()
				var again error
				l, again = Open("log", Options{FS: fs, Now: clock})
				if err := errors.Join(err, again); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) { same() },
		})
	})
}
