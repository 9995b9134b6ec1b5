package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/index"
)

var start = time.Date(2026, 11, 28, 12, 0, 0, 500, time.UTC)

// story is a log, and what a test says there.
type story struct {
	*eventlog.Log
	at time.Time
}

func newStory(t *testing.T) *story {
	t.Helper()
	s := &story{at: start}
	var err error
	s.Log, err = eventlog.Open("log", eventlog.Options{FS: vfs.NewMem(), Now: func() time.Time { return s.at }})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *story) event(t *testing.T, kind event.Type, who uint64, former ...index.Hash) uint64 {
	t.Helper()
	b := event.Bound{Type: kind, At: s.at.UnixNano(), Client: "shop"}
	if kind == event.SegmentAdd {
		b.Subject, b.Segment = fmt.Sprint("crm.acme:", who), "vip"
	} else {
		b.Tenant, b.Key, b.OfCustomer, b.Hash, b.Former = "acme", "k1", true, index.Hash{Hi: who, Lo: who}, former
	}
	r, err := s.Append(context.Background(), []eventlog.Entry{{Token: [16]byte{1, byte(s.at.UnixNano()), byte(s.at.UnixNano() >> 8)}, Body: b.Append(nil)}})
	must(t, err)
	s.at = s.at.Add(time.Millisecond)
	return r[0].Seq
}

func (s *story) note(t *testing.T, n Note) uint64 {
	t.Helper()
	r, err := s.Note(context.Background(), n.Encode())
	must(t, err)
	s.at = s.at.Add(time.Millisecond)
	return r.Seq
}

func called(n byte) Snapshot {
	return Snapshot{fmt.Sprintf("20261128T00000%dZ-0102030405ff", n), []byte{n}}
}

// keepNotes is what a trimming keeps: erasures, what lifts them, and notes.
func keepNotes(r eventlog.Record) bool {
	k := event.TypeOf(r.Body)
	return r.Kind == eventlog.Note || k == event.Erase || k == event.OptIn
}

// sent is a certificate as whoever asked for it has it.
func sent(t *testing.T, c *Certificate) []byte {
	t.Helper()
	b, err := json.Marshal(c)
	must(t, err)
	return b
}

// TestCertificate tells what the notes say, of one erasure among others, before
// and after the log was trimmed beyond it, all of it or a part.
func TestCertificate(t *testing.T) {
	s := newStory(t)
	s.event(t, event.SegmentAdd, 1)
	seq := s.event(t, event.Erase, 7)
	other := s.event(t, event.Erase, 8)
	s.note(t, Note{Kind: Refused, UpTo: other, Within: 3600, Since: []Since{{seq, start.Add(time.Second)}, {other, start.Add(2 * time.Second)}}})
	a, b, c := called(1), called(2), called(3)
	s.note(t, Note{Kind: Looked, Snapshot: &a, From: 1, To: other, Held: []uint64{seq, other}})
	s.event(t, event.SegmentAdd, 2)
	absent := s.note(t, Note{Kind: Looked, Snapshot: &b, From: 1, To: other, Applied: other, Found: []uint64{other}})
	gone := s.note(t, Note{Kind: Removed, Removed: []Snapshot{a}, Erasure: seq})
	s.note(t, Note{Kind: Looked, Snapshot: &c, From: other + 1, To: other + 9})
	refused, until := start.Add(time.Second), start.Add(time.Hour+time.Millisecond)
	want := Statement{
		Erasure: Erasure{
			Seq: seq, Accepted: start.Add(time.Millisecond), At: start.Add(time.Millisecond), Tenant: "acme",
			Customer: "00000000000000070000000000000007", Key: "k1",
		},
		Refused: &refused, Until: &until,
		Snapshots: []Finding{{a, 0, Gone, gone}, {b, other, Absent, absent}},
	}
	is := func(when string) *Certificate {
		t.Helper()
		got, err := Make(s, seq)
		must(t, err)
		want.Erasure.Hash = got.Erasure.Hash
		if !reflect.DeepEqual(got.Statement, want) || got.Log != s.ID().String() {
			t.Errorf("%s: it says %+v, not %+v", when, got.Statement, want)
		}
		read, err := Decode(sent(t, &got))
		if err != nil || read.Verify() != nil {
			t.Errorf("%s: %v, %v", when, err, read.Verify())
		}
		return &got
	}
	whole := is("whole")
	for _, below := range []uint64{seq, other + 1, gone + 1} {
		must(t, s.Trim(t.Context(), below, keepNotes))
		if got := is(fmt.Sprint("trimmed below ", below)); !bytes.Equal(got.Erasure.Hash, whole.Erasure.Hash) {
			t.Error("its hash is another")
		}
	}
	lifted := s.event(t, event.OptIn, 7)
	want.Lifted = lifted
	is("lifted")
	unsaid := s.note(t, Note{Kind: Looked, Snapshot: &c, From: 1, To: other, Applied: lifted, Lifted: []uint64{seq}})
	want.Snapshots = append(want.Snapshots, Finding{c, lifted, Lifted, unsaid})
	is("not looked for")
	for _, none := range []uint64{0, 1, gone, 1000} {
		if _, err := Make(s, none); !errors.Is(err, ErrNoErasure) {
			t.Errorf("%d: %v", none, err)
		}
	}
	if strings.Contains(string(sent(t, whole)), "crm.") {
		t.Error("it names somebody")
	}
}

// TestLiftedAfterAMove tells that an erasure was taken back by an opt-in under
// another key, which says the hash under the former one.
func TestLiftedAfterAMove(t *testing.T) {
	s := newStory(t)
	seq := s.event(t, event.Erase, 7)
	s.event(t, event.OptIn, 8, index.Hash{Hi: 6, Lo: 6})
	lifted := s.event(t, event.OptIn, 9, index.Hash{Hi: 5, Lo: 5}, index.Hash{Hi: 7, Lo: 7})
	c, err := Make(s, seq)
	must(t, err)
	if err := c.Verify(); err != nil || c.Lifted != lifted {
		t.Errorf("by %d, not %d: %v", c.Lifted, lifted, err)
	}
}

// TestPartial ends a chain that would be too long with the last note before.
func TestPartial(t *testing.T) {
	s := newStory(t)
	seq := s.event(t, event.Erase, 7)
	s.note(t, Note{Kind: Refused, UpTo: seq, Since: []Since{{seq, start}}})
	for range 10 {
		s.event(t, event.SegmentAdd, 1)
	}
	a := called(1)
	s.note(t, Note{Kind: Looked, Snapshot: &a, From: 1, To: seq})
	for most, partial := range map[int]bool{2: true, 5: true, 13: false, 100: false} {
		c, err := makeOf(s, seq, most)
		must(t, err)
		if c.Proof.Partial != partial || (len(c.Snapshots) == 0) != partial || c.Refused == nil || c.Verify() != nil {
			t.Errorf("%d: %+v, %v", most, c.Statement, c.Verify())
		}
	}
}

// forgeNote has a note say another time, and the statement too.
func forgeNote(t *testing.T, c *Certificate) {
	t.Helper()
	o := &c.Proof.Opened[1]
	n, err := DecodeNote(o.Body)
	must(t, err)
	n.Since[0].At = n.Since[0].At.Add(-time.Hour)
	o.Body = n.Encode()
	c.Refused = &n.Since[0].At
}

// forgeErasure puts another erasure in the place of the one there, with its hash
// wherever a certificate has it, but not in what vouches for that.
func forgeErasure(t *testing.T, c *Certificate) {
	t.Helper()
	o := &c.Proof.Opened[0]
	b, err := event.Decode(o.Body)
	must(t, err)
	b.Tenant = "bolt"
	o.Body = b.Append(nil)
	r, err := o.record()
	must(t, err)
	c.Erasure.Tenant, c.Erasure.Hash = "bolt", r.Hash[:]
	if len(c.Proof.Kept) > 0 {
		copy(c.Proof.Kept[8:], r.Hash[:]) // it is the first
	}
}

// TestForged changes a certificate anywhere, and none is taken that says another
// thing.
func TestForged(t *testing.T) {
	for _, trim := range []bool{false, true} {
		s := newStory(t)
		seq := s.event(t, event.Erase, 7)
		s.note(t, Note{Kind: Refused, UpTo: seq, Within: 60, Since: []Since{{seq, start}}})
		a := called(1)
		s.note(t, Note{Kind: Looked, Snapshot: &a, From: 1, To: seq, Applied: seq})
		if trim {
			must(t, s.Trim(t.Context(), 3, keepNotes))
		}
		made, err := Make(s, seq)
		must(t, err)
		text := sent(t, &made)
		r := rand.New(rand.NewPCG(3, 4))
		tries := 4000
		if testing.Short() {
			tries = 400
		}
		for range tries {
			b := bytes.Clone(text)
			at := r.IntN(len(b))
			b[at] = "0123456789abcdefABCXYZ+/\"ntrue"[r.IntN(30)]
			c, err := Decode(b)
			if err != nil || c.Verify() != nil {
				continue
			}
			c.Log = made.Log // the reader knows it from the receipt
			if !bytes.Equal(sent(t, &c), text) && !reflect.DeepEqual(c.Statement, made.Statement) {
				t.Fatalf("trimmed %t: byte %d of %s became %q, and it says %+v", trim, at, text, b[at], c.Statement)
			}
		}
		for name, forge := range map[string]func(c *Certificate){
			"the refusal":         func(c *Certificate) { x := c.Refused.Add(-1); c.Refused = &x },
			"the removal":         func(c *Certificate) { x := c.Until.Add(-1); c.Until = &x },
			"a snapshot":          func(c *Certificate) { c.Snapshots[0].Name = called(2).Name },
			"a state":             func(c *Certificate) { c.Snapshots[0].State = Gone },
			"the tenant":          func(c *Certificate) { c.Erasure.Tenant = "bolt" },
			"the hash":            func(c *Certificate) { c.Erasure.Hash[3]++ },
			"a record of a chain": func(c *Certificate) { c.Proof.Chain[20]++ },
			"a shifted salt": func(c *Certificate) {
				o := &c.Proof.Opened[1]
				o.Body, o.Salt = append(o.Salt[15:], o.Body...), o.Salt[:15]
			},
			"the head": func(c *Certificate) { c.Proof.Head[0]++ },
			"a time that has the same nanoseconds": func(c *Certificate) {
				at := c.Proof.Opened[0].Time.Add(1 << 62).Add(1 << 62).Add(1 << 62).Add(1 << 62) // they wrap
				c.Proof.Opened[0].Time, c.Erasure.Accepted = at, at
				until := at.Add(time.Minute)
				c.Until = &until
			},
			"a note and its claim": func(c *Certificate) { forgeNote(t, c) },
			"the erasure itself":   func(c *Certificate) { forgeErasure(t, c) },
		} {
			c, err := Decode(text)
			must(t, err)
			forge(&c)
			if err := c.Verify(); !errors.Is(err, ErrFalse) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
