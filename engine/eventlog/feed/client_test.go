package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/matchd/matchd/engine/eventlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scanned are the records of a log after a number.
func scanned(t testing.TB, scan func(uint64, func(eventlog.Record) error) error, after uint64) (list []eventlog.Record) {
	t.Helper()
	must(t, scan(after, func(r eventlog.Record) error {
		if r.Body = bytes.Clone(r.Body); len(r.Body) == 0 {
			r.Body = nil
		}
		list = append(list, r)
		return nil
	}))
	return list
}

func same(a, b []eventlog.Record) bool {
	return slices.EqualFunc(a, b, func(a, b eventlog.Record) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
}

// trimmed makes a log with records redacted, kept and dropped.
func trimmed(t testing.TB) *eventlog.Log {
	l := openLog(t, eventlog.Options{})
	fill(t, l, 0, 60, 10)
	must(t, l.Redact(t.Context(), []uint64{3, 9, 40}))
	must(t, l.Trim(t.Context(), 31, func(r eventlog.Record) bool { return r.Seq%3 == 0 }))
	return l
}

// A scan of the stream is one of the log, from wherever, and whatever is cut.
func TestScan(t *testing.T) {
	for name, l := range map[string]*eventlog.Log{"empty": openLog(t, eventlog.Options{}), "trimmed": trimmed(t)} {
		s := lead(t, l)
		c := s.client(t, Options{})
		at, err := c.Open(t.Context())
		must(t, err)
		first, err := l.First()
		must(t, err)
		seq, when, hash := l.Last()
		s1, w1, h1 := at.Last()
		if f, err := at.First(); f != first || err != nil || seq != s1 || !when.Equal(w1) || hash != h1 || at.ID() != l.ID() || at.Key() != "k" {
			t.Errorf("%s: from %d to %d", name, f, s1)
		}
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 1))
		for range 2 {
			for after := uint64(0); after <= seq+1; after++ {
				if got := scanned(t, at.Scan, after); !same(got, scanned(t, l.Scan, after)) {
					t.Errorf("%s, seed %d: after %d there is %v", name, seed, after, got)
				}
			}
			cut := false
			s.bad(func(size int) int { // a line at a time, or none, and never twice in a row: a scan gives up at last
				if cut = !cut && r.IntN(2) == 0; cut {
					return r.IntN(size)
				}
				return size
			}, nil)
		}
	}
}

// What came after the log was opened is not in it.
func TestScanOfWhatWas(t *testing.T) {
	l := openLog(t, eventlog.Options{})
	fill(t, l, 0, 20, 1)
	s := lead(t, l)
	c := s.client(t, Options{})
	at, err := c.Open(t.Context())
	must(t, err)
	fill(t, l, 20, 40, 1)
	if got := scanned(t, at.Scan, 3); len(got) != 17 {
		t.Errorf("%d records", len(got))
	}
	stop := errors.New("stop")
	if err := at.Scan(0, func(eventlog.Record) error { return stop }); err != stop {
		t.Errorf("%v", err)
	}
	must(t, l.Trim(t.Context(), 10, nil))
	if err := at.Scan(0, func(eventlog.Record) error { return nil }); !errors.Is(err, eventlog.ErrTrimmed) {
		t.Errorf("trimmed: %v", err)
	}
	if got := scanned(t, at.Scan, 9); len(got) != 11 {
		t.Errorf("%d records after what was trimmed", len(got))
	}
	s.log.Store(openLog(t, eventlog.Options{}))
	if err := at.Scan(0, func(eventlog.Record) error { return nil }); !errors.Is(err, eventlog.ErrDiffers) {
		t.Errorf("another log: %v", err)
	}
}

// Trimming while a scan is under way ends it, where it had not come so far.
func TestScanThatIsTrimmed(t *testing.T) {
	for _, below := range []uint64{5, 15} {
		l := openLog(t, eventlog.Options{})
		fill(t, l, 0, 20, 1)
		at, err := lead(t, l).client(t, Options{}).Open(t.Context())
		must(t, err)
		n := 0
		err = at.Scan(0, func(r eventlog.Record) error {
			if n++; n == 7 { // the end of an answer
				return l.Trim(t.Context(), below, nil)
			}
			return nil
		})
		if below == 5 && (err != nil || n != 20) || below == 15 && !errors.Is(err, eventlog.ErrTrimmed) {
			t.Errorf("below %d: %d records, %v", below, n, err)
		}
	}
}

// Whatever is changed in an answer, nothing of it from there on is handed out.
func TestScanTampered(t *testing.T) {
	l := trimmed(t)
	s := lead(t, l)
	s.most = 100
	want := scanned(t, l.Scan, 0)
	c := s.client(t, Options{})
	at, err := c.Open(t.Context())
	must(t, err)
	for name, change := range map[string]func(x *eventlog.Sealed){
		"seq": func(x *eventlog.Sealed) { x.Seq++ }, "time": func(x *eventlog.Sealed) { x.Time = x.Time.Add(time.Nanosecond) },
		"kind": func(x *eventlog.Sealed) { x.Kind = x.Kind%3 + 1 }, "token": func(x *eventlog.Sealed) { x.Token[9] ^= 4 },
		"commitment": func(x *eventlog.Sealed) { x.Commitment[5] ^= 1 }, "hash": func(x *eventlog.Sealed) { x.Hash[0] ^= 1 },
		"kept": func(x *eventlog.Sealed) { x.Kept = !x.Kept },
		"salt": func(x *eventlog.Sealed) {
			x.Salt, x.Redacted = append([]byte{1}, append(x.Salt, make([]byte, 16)...)...)[:16], false
		},
		"body": func(x *eventlog.Sealed) {
			x.Body, x.Redacted = append(x.Body, 1), false
			x.Salt = append(x.Salt, make([]byte, 16)...)[:16]
		},
	} {
		for i := range want {
			s.bad(nil, func(_ *Header, list []eventlog.Sealed) []eventlog.Sealed {
				if len(list) > i {
					change(&list[i])
				}
				return list
			})
			n := 0
			err := at.Scan(0, func(r eventlog.Record) error {
				if r.Hash != want[n].Hash {
					t.Fatalf("%s of record %d: another one is handed out", name, want[i].Seq)
				}
				n++
				return nil
			})
			if !errors.Is(err, eventlog.ErrCorrupt) || n > i {
				t.Errorf("%s of record %d: %d records, %v", name, want[i].Seq, n, err)
			}
		}
	}
}

// Errors that may pass are tried again some times, others not; none has the key.
func TestScanErrors(t *testing.T) {
	l := openLog(t, eventlog.Options{})
	fill(t, l, 0, 3, 1)
	for status, tries := range map[int]int{401: 0, 403: 0, 404: 0, 400: 0, 501: 0, 302: 0, 500: 0, 429: mostTries - 1, 503: mostTries - 1} {
		s := lead(t, l)
		s.status.Store(int32(status))
		n := 0
		c := s.client(t, Options{Retry: func(error) { n++ }})
		_, err := c.Open(t.Context())
		var refused *StatusError
		if !errors.As(err, &refused) || refused.Status != status || n != tries || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: tried %d times again, %v", status, n, err)
		}
	}
	s := lead(t, l)
	s.Close()
	if _, err := s.client(t, Options{}).Open(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("nobody there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lead(t, l).client(t, Options{}).Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestNew(t *testing.T) {
	for _, o := range []Options{
		{URL: "x", Key: "k"},
		{URL: "ftp://a", Key: "k"},
		{URL: "http://", Key: "k"},
		{URL: "http://a?b=c", Key: "k"},
		{URL: "http://u:p@a", Key: "k"},
		{URL: "http://a"},
		{URL: "http://a", Key: "a\nb"},
		{URL: "http://a", Key: "k", Wait: time.Hour},
		{URL: "http://a", Key: "k", Wait: time.Millisecond},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	for _, u := range []string{"http://a:1/", "https://a", "unix:/run/x"} {
		if _, err := New(Options{URL: u, Key: "k"}); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// Follow has all records, each once, in order, over whatever goes wrong on the
// way, and sees those that come while it waits.
func TestFollow(t *testing.T) {
	l := openLog(t, eventlog.Options{})
	fill(t, l, 0, 40, 10)
	s := lead(t, l)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	s.bad(func(size int) int { return r.IntN(size * 3 / 2) }, func(_ *Header, list []eventlog.Sealed) []eventlog.Sealed {
		if len(list) > 0 && r.IntN(5) == 0 {
			list[r.IntN(len(list))].Time = time.Unix(0, r.Int64())
		}
		return list
	})
	retried := 0
	c := s.client(t, Options{Retry: func(error) { retried++ }})
	var got []eventlog.Record
	stop := errors.New("enough")
	err := c.Follow(t.Context(), 0, eventlog.Hash{}, func(h *Header, list []eventlog.Sealed) error {
		for _, x := range list {
			got = append(got, x.Record)
		}
		if len(got) >= 40 && len(got) < 50 {
			fill(t, l, len(got), len(got)+1, 10)
		}
		if len(got) == 50 {
			return stop
		}
		return nil
	})
	if err != stop || !same(got, scanned(t, l.Scan, 0)) {
		t.Errorf("seed %d: %v, %d records", seed, err, len(got))
	}
	if retried == 0 {
		t.Error("nothing went wrong")
	}
	// A record that is not the leader's is never gone on from.
	s.bad(nil, nil)
	tries := 0
	ctx, cancel := context.WithCancel(t.Context())
	c = s.client(t, Options{Retry: func(err error) {
		if tries++; !errors.Is(err, eventlog.ErrDiffers) {
			t.Errorf("another record 5: %v", err)
		}
		if tries == 3 {
			cancel()
		}
	}})
	if err := c.Follow(ctx, 5, eventlog.Hash{1}, func(*Header, []eventlog.Sealed) error { t.Error("handed on"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A line that is written is read as what it was; others are refused or read, and
// never a panic.
func FuzzLines(f *testing.F) {
	s := eventlog.Sealed{Salt: make([]byte, 16)}
	s.Seq, s.Kind, s.Time, s.Body = 3, eventlog.Event, time.Unix(5, 7).UTC(), []byte("x")
	f.Add(AppendRecord(nil, &s))
	s.Redacted, s.Kept, s.Salt, s.Body = true, true, nil, nil
	f.Add(AppendRecord(nil, &s))
	h := Header{Store: "a", Key: "k", Extent: eventlog.Extent{Base: eventlog.Base{Seq: 3, Kept: 1, Trim: 9}, Last: 10, Head: eventlog.Hash{1}, Time: time.Unix(1, 2).UTC()}}
	f.Add(h.Append(nil))
	f.Add((&Header{}).Append(nil))
	f.Fuzz(func(t *testing.T, line []byte) {
		if s, err := parseRecord(line); err == nil && s.Time.Year() > 0 && s.Time.Year() < 10000 {
			again, err := parseRecord(AppendRecord(nil, &s))
			if err != nil || fmt.Sprint(again) != fmt.Sprint(s) {
				t.Errorf("%+v became %+v: %v", s, again, err)
			}
		}
		if h, err := parseHeader(line); err == nil && h.Time.Year() > 0 && h.Time.Year() < 10000 {
			again, err := parseHeader(h.Append(nil))
			h.Time, again.Time = h.Time.UTC(), again.Time.UTC()
			if err != nil || fmt.Sprint(again) != fmt.Sprint(h) {
				t.Errorf("%+v became %+v: %v", h, again, err)
			}
		}
	})
}

// An answer that never ends, or says nothing, is an error.
func TestAnswers(t *testing.T) {
	for name, body := range map[string]string{"empty": "", "no header": "{}\n", "no line": "x", "half a header": `{"store":"a"`} {
		srv := lead(t, openLog(t, eventlog.Options{}))
		srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
		if _, err := srv.client(t, Options{}).Open(t.Context()); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}
