package privacy_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/matchd/matchd/engine/privacy"
)

// question is a policy and signals to decide on.
type question struct {
	policy  privacy.Policy
	signals privacy.Signals
}

// questions are about random strings, each string with several policies and
// flags.
func questions(t testing.TB, r *rand.Rand, strings int) (out []question) {
	t.Helper()
	for range strings {
		text := []byte(randomTC(r, tableTime).String())
		for range 3 {
			q := question{policy: privacy.Policy{Vendor: uint16(1 + r.IntN(20)), Purposes: 1 << r.IntN(11)}}
			q.signals.Set(privacy.GDPR, []byte("1"))
			if r.IntN(2) == 0 {
				q.signals.Set(privacy.TCF, text)
			}
			if r.IntN(2) == 0 {
				g := gpp{{2, string(text)}, {7, randomUS7(r).String()}}
				q.signals.Set(privacy.GPP, []byte(g.String()))
				q.signals.Set(privacy.GPPSID, []byte([]string{"2", "7", "2,7"}[r.IntN(3)]))
			}
			if r.IntN(8) == 0 {
				q.signals.Set(privacy.LMT, []byte("1"))
			}
			out = append(out, q)
		}
	}
	return out
}

func randomUS7(r *rand.Rand) us {
	u := goodUS(7)
	u.sale = 1 + r.IntN(2)
	return u
}

// TestVerdictsAgree asks a small memory again and again, at times that go
// forward and back over the ends of strings.
func TestVerdictsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	asked := questions(t, r, 60)
	for _, entries := range []int{0, 1, 2, 3, 64, 1000} {
		memory := privacy.NewVerdicts(entries)
		now := tableTime
		for range 5000 {
			q := &asked[r.IntN(len(asked))]
			switch r.IntN(100) {
			case 0:
				now = tableTime + r.Int64N(400*24*3600) - 200*24*3600
			case 1:
				if until := privacy.Decide(q.policy, &q.signals, now).Until; until != privacy.Never {
					now = until - 1 + r.Int64N(2)
				}
			}
			want := privacy.Decide(q.policy, &q.signals, now)
			if got := memory.Decide(q.policy, &q.signals, now); got != want {
				t.Fatalf("%d entries, at %d: %+v, want %+v", entries, now, got, want)
			}
		}
	}
}

// TestVerdictsConcurrent asks one memory from several goroutines, each of
// which overwrites its bytes after each answer.
func TestVerdictsConcurrent(t *testing.T) {
	asked := questions(t, rand.New(rand.NewPCG(7, 8)), 20)
	memory := privacy.NewVerdicts(16)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(9, uint64(g)))
			text := []byte(goodTC().String())
			buffer := make([]byte, len(text))
			p := privacy.Policy{Vendor: 42, Purposes: 1}
			for range 3000 {
				q := &asked[r.IntN(len(asked))]
				if got, want := memory.Decide(q.policy, &q.signals, tableTime), privacy.Decide(q.policy, &q.signals, tableTime); got != want {
					t.Errorf("%+v, want %+v", got, want)
					return
				}
				var s privacy.Signals
				copy(buffer, text)
				s.Set(privacy.TCF, buffer)
				if v := memory.Decide(p, &s, tableTime); v.All != privacy.None {
					t.Errorf("%+v of a string that permits", v)
					return
				}
				for i := range buffer {
					buffer[i] = 'x'
				}
				if v := memory.Decide(p, &s, tableTime); v.All != privacy.TCF {
					t.Errorf("%+v of junk", v)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestVerdictsNewPolicy: the answer to a new policy is never that of the old
// one, nor the answer after the end of a string that of before.
func TestVerdictsNewPolicy(t *testing.T) {
	c := goodTC()
	c.vendors.ids = []int{42}
	var s privacy.Signals
	s.Set(privacy.TCF, []byte(c.String()))
	memory := privacy.NewVerdicts(8)
	allowed, other := privacy.Policy{Vendor: 42, Purposes: 1}, privacy.Policy{Vendor: 43, Purposes: 1}
	v := memory.Decide(allowed, &s, tableTime)
	for _, step := range []struct {
		policy privacy.Policy
		now    int64
		want   privacy.Kind
	}{
		{allowed, tableTime, privacy.None},
		{other, tableTime, privacy.TCF},
		{allowed, tableTime, privacy.None},
		{allowed, v.Until - 1, privacy.None},
		{allowed, v.Until, privacy.TCF},
		{allowed, v.Until - 1, privacy.None},
		{allowed, c.created/10 - 1, privacy.TCF}, // the clock was set back
		{allowed, tableTime, privacy.None},
	} {
		if got := memory.Decide(step.policy, &s, step.now); got.All != step.want {
			t.Errorf("%+v at %d: %+v, want %v", step.policy, step.now, got, step.want)
		}
	}
}

// TestVerdictsExact: of strings that fall on the same place in a memory of one
// pair, each has its own verdict, in gdpr_consent as in gpp.
func TestVerdictsExact(t *testing.T) {
	good, bad := goodTC(), goodTC()
	bad.consents = nil
	p := privacy.Policy{Vendor: 42, Purposes: 1}
	for _, k := range []privacy.Kind{privacy.TCF, privacy.GPP} {
		memory := privacy.NewVerdicts(1)
		for _, c := range []struct {
			text tc
			want privacy.Kind
		}{{good, privacy.None}, {bad, k}, {good, privacy.None}, {bad, k}} {
			text := c.text.String()
			if k == privacy.GPP {
				text = gpp{{2, text}}.String()
			}
			var s privacy.Signals
			s.Set(k, []byte(text))
			if v := memory.Decide(p, &s, tableTime); v.All != c.want {
				t.Errorf("%v: %v, want %v", k, v.All, c.want)
			}
		}
	}
}

// TestVerdictsAllocate: nothing is allocated for what is remembered, nor for
// signals without strings; a verdict on a long string is not remembered.
func TestVerdictsAllocate(t *testing.T) {
	memory := privacy.NewVerdicts(64)
	p := privacy.Policy{Vendor: 42, Purposes: 1}
	short, long := goodTC(), goodTC()
	for id := 1; id < 6000; id++ {
		long.vendors.ids = append(long.vendors.ids, id)
	}
	long.liVendors = list{ids: to(20_000)}
	allocs := func(s *privacy.Signals) float64 {
		return testing.AllocsPerRun(100, func() { memory.Decide(p, s, tableTime) })
	}
	var flags, none, remembered, both, tooLong privacy.Signals
	flags.Set(privacy.USPrivacy, []byte("1YNN"))
	flags.Set(privacy.GDPR, []byte("0"))
	flags.Set(privacy.GPPSID, []byte("-1"))
	remembered.Set(privacy.TCF, []byte(short.String()))
	both = remembered
	both.Set(privacy.GPP, []byte(gpp{{2, short.String()}, {7, goodUS(7).String()}}.String()))
	tooLong.Set(privacy.TCF, []byte(long.String()))
	for name, s := range map[string]*privacy.Signals{"flags": &flags, "none": &none, "tcf": &remembered, "tcf and gpp": &both} {
		if n := allocs(s); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if allocs(&tooLong) == 0 {
		t.Error("a string of", len(long.String()), "bytes is remembered")
	}
	two, denied := privacy.NewVerdicts(2), goodTC()
	denied.consents = nil
	var other privacy.Signals
	other.Set(privacy.TCF, []byte(denied.String()))
	if n := testing.AllocsPerRun(100, func() {
		two.Decide(p, &remembered, tableTime)
		two.Decide(p, &other, tableTime)
	}); n != 0 {
		t.Errorf("two strings in a memory of two: %v allocations", n)
	}
	var s privacy.Signals
	text := []byte(short.String())
	sids, one := []byte(`["2", 7]`), []byte("1")
	if n := testing.AllocsPerRun(100, func() {
		s.Reset()
		s.Set(privacy.TCF, text)
		s.Set(privacy.TCF, text)
		s.Set(privacy.GPPSID, sids)
		s.Set(privacy.GDPR, one)
		s.Malformed(privacy.GPC)
	}); n != 0 {
		t.Errorf("noting signals: %v allocations", n)
	}
}

// TestLongStrings: what is longer than any real string is not read.
func TestLongStrings(t *testing.T) {
	p := privacy.Policy{Vendor: 42, Purposes: 1}
	c := goodTC()
	c.more = []string{"YAAA" + strings.Repeat("A", 12_000)}
	var s privacy.Signals
	s.Set(privacy.TCF, []byte(c.String()))
	if v := privacy.Decide(p, &s, tableTime); v.All != privacy.None {
		t.Errorf("%d bytes: %v", len(c.String()), v.All)
	}
	c.more[0] += strings.Repeat("A", 6000)
	s.Reset()
	s.Set(privacy.TCF, []byte(c.String()))
	if v := privacy.Decide(p, &s, tableTime); v.All != privacy.TCF {
		t.Errorf("%d bytes: %v", len(c.String()), v.All)
	}
}

// BenchmarkVerdict decides on a string with 800 vendors, a bit each, and as
// many disclosed, alone and beside a GPP string that has it too.
func BenchmarkVerdict(b *testing.B) {
	text := goodTC().String()
	var alone, both, flags privacy.Signals
	alone.Set(privacy.GDPR, []byte("1"))
	alone.Set(privacy.TCF, []byte(text))
	both = alone
	both.Set(privacy.GPP, []byte(gpp{{2, text}, {7, goodUS(7).String()}}.String()))
	both.Set(privacy.GPPSID, []byte("2"))
	flags.Set(privacy.GDPR, []byte("0"))
	flags.Set(privacy.USPrivacy, []byte("1YNN"))
	p := privacy.Policy{Vendor: 42, Purposes: 0b1000011}
	memory := privacy.NewVerdicts(1 << 10)
	for _, c := range []struct {
		name string
		s    *privacy.Signals
	}{{"tcf", &alone}, {"tcf+gpp", &both}, {"flags", &flags}} {
		b.Run("parsed/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if privacy.Decide(p, c.s, tableTime).All != privacy.None {
					b.Fatal("denied")
				}
			}
		})
		b.Run("remembered/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if memory.Decide(p, c.s, tableTime).All != privacy.None {
					b.Fatal("denied")
				}
			}
		})
	}
}
