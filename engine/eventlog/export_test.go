package eventlog

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// exported is what a log gives of the records after a number.
func exported(t testing.TB, l *Log, after uint64) (e Extent, list []Sealed) {
	t.Helper()
	err := l.Export(after, func(x Extent) error { e = x; return nil }, func(s *Sealed) error {
		c := *s
		c.Salt, c.Body = bytes.Clone(s.Salt), bytes.Clone(s.Body)
		list = append(list, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return e, list
}

// checked checks records as who got them does.
func checked(e Extent, after uint64, hash Hash, list []Sealed) error {
	c := NewChecker(after, hash)
	if err := c.Begin(e); err != nil {
		return err
	}
	for i := range list {
		s := list[i]
		if !s.Kept {
			s.Prev = Hash{} // it is not sent
		}
		if err := c.Next(&s); err != nil {
			return err
		}
		if s.Prev != list[i].Prev {
			return errors.New("Prev is not filled in")
		}
	}
	return c.End()
}

// trimmedLog is a log of 12 entries, of which some are redacted and, of those up
// to 6, the even ones kept. It ends with record 14.
func trimmedLog(t testing.TB) *Log {
	t.Helper()
	l := open(t, vfs.NewMem(), Options{})
	add(t, l, entries(0, 12)...)
	ctx := context.Background()
	if err := errors.Join(l.Redact(ctx, []uint64{4, 9}), l.Trim(ctx, 7, func(r Record) bool { return r.Seq%2 == 0 })); err != nil {
		t.Fatal(err)
	}
	add(t, l, entries(12, 13)...)
	return l
}

// From wherever a log is read, what comes is sound, and all.
func TestExport(t *testing.T) {
	for name, l := range map[string]*Log{"empty": open(t, vfs.NewMem(), Options{}), "trimmed": trimmedLog(t)} {
		_, whole := exported(t, l, 0)
		hashes := map[uint64]Hash{}
		for _, s := range whole {
			hashes[s.Seq] = s.Hash
		}
		last, at, head := l.Last()
		for after := uint64(0); after <= last; after++ {
			e, list := exported(t, l, after)
			if e.Last != last || e.Head != head || !e.Time.Equal(at) {
				t.Errorf("%s after %d: it reaches %+v", name, after, e)
			}
			if i := slices.IndexFunc(list, func(s Sealed) bool { return s.Seq <= after }); i >= 0 {
				t.Errorf("%s after %d: record %d", name, after, list[i].Seq)
			}
			if err := checked(e, after, Hash{}, list); err != nil {
				t.Errorf("%s after %d: %v", name, after, err)
			}
			if after < e.Seq || after == 0 {
				continue
			}
			if err := checked(e, after, e.After, list); err != nil || after > e.Seq && e.After != hashes[after] {
				t.Errorf("%s after %d, which is known: %v", name, after, err)
			}
			if err := checked(e, after, Hash{1}, list); !errors.Is(err, ErrDiffers) {
				t.Errorf("%s after another record %d: %v", name, after, err)
			}
		}
		if err := NewChecker(last+1, Hash{}).Begin(Extent{Last: last}); !errors.Is(err, ErrDiffers) {
			t.Errorf("%s: more is known than is there: %v", name, err)
		}
	}
}

// A change of anything that a record has, or of which there are, is seen.
func TestExportTampered(t *testing.T) {
	l := trimmedLog(t)
	e, sound := exported(t, l, 0)
	flip := func(b []byte) []byte { b = bytes.Clone(b); b[0] ^= 1; return b }
	changes := map[string]func(s *Sealed) bool{
		"seq":  func(s *Sealed) bool { s.Seq++; return true },
		"time": func(s *Sealed) bool { s.Time = s.Time.Add(1); return true },
		"wrapped": func(s *Sealed) bool {
			s.Time = s.Time.Add(1 << 62).Add(1 << 62).Add(1 << 62).Add(1 << 62)
			return true
		},
		"kind":       func(s *Sealed) bool { s.Kind ^= 3; return true },
		"token":      func(s *Sealed) bool { s.Token[3] ^= 1; return true },
		"commitment": func(s *Sealed) bool { s.Commitment[0] ^= 1; return true },
		"hash":       func(s *Sealed) bool { s.Hash[31] ^= 1; return true },
		"prev":       func(s *Sealed) bool { s.Prev[0] ^= 1; return s.Kept },
		"kept":       func(s *Sealed) bool { s.Kept = !s.Kept; return true },
		"salt": func(s *Sealed) bool {
			ok := s.Salt != nil
			s.Salt = append(flip(append(s.Salt, 0)), 0)[:len(s.Salt)]
			return ok
		},
		"no salt": func(s *Sealed) bool { ok := s.Salt != nil; s.Salt = nil; return ok },
		"body": func(s *Sealed) bool {
			ok := s.Body != nil
			s.Body = flip(append([]byte{}, append(s.Body, 0)...))
			return ok
		},
		"more body": func(s *Sealed) bool { s.Body = append(bytes.Clone(s.Body), 0); return true },
		"redacted":  func(s *Sealed) bool { s.Redacted = !s.Redacted; return true },
	}
	for name, change := range changes {
		for i := range sound {
			list := slices.Clone(sound)
			if !change(&list[i]) {
				continue
			}
			if err := checked(e, 0, Hash{}, list); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s of record %d: %v", name, list[i].Seq, err)
			}
		}
	}
	for i := range sound {
		if err := checked(e, 0, Hash{}, slices.Delete(slices.Clone(sound), i, i+1)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("without record %d: %v", sound[i].Seq, err)
		}
		if err := checked(e, 0, Hash{}, slices.Insert(slices.Clone(sound), i, sound[i])); !errors.Is(err, ErrCorrupt) {
			t.Errorf("record %d twice: %v", sound[i].Seq, err)
		}
	}
	for name, change := range map[string]func(e *Extent){
		"where the chain begins": func(e *Extent) { e.Base.Seq-- },
		"its hash":               func(e *Extent) { e.Base.Hash[0] ^= 1 },
		"how many are kept":      func(e *Extent) { e.Kept++ },
		"which are kept":         func(e *Extent) { e.Digest[0] ^= 1 },
		"what says so":           func(e *Extent) { e.Trim-- },
		"the last":               func(e *Extent) { e.Last++ },
		"the last one's hash":    func(e *Extent) { e.Head[0] ^= 1 },
	} {
		x := e
		change(&x)
		if err := checked(x, 0, Hash{}, sound); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
