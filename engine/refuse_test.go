package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/index"
)

// at is a time of the story, in seconds.
func at(second int) string {
	return `"at":"` + storyTime.Add(time.Duration(second)*time.Second).Format(time.RFC3339) + `"`
}

func erase(id, customer string, second int) string {
	return fmt.Sprintf(`"id":"%s","type":"erase","tenant":"acme","customer":"acme:%s",%s`, id, customer, at(second))
}

func back(id, customer string, second int) string {
	return fmt.Sprintf(`"id":"%s","type":"opt_in","tenant":"acme","customer":"acme:%s",%s`, id, customer, at(second))
}

func segment(id, customer string, second int) string {
	return fmt.Sprintf(`"id":"%s","type":"segment_add","customer":"acme:%s","segment":"vip",%s`, id, customer, at(second))
}

// became tells of each change what became of it: "taken", "known", or the error.
func became(out []engine.Outcome) (list []string) {
	for _, o := range out {
		switch {
		case o.Err != nil:
			list = append(list, o.Err.Error())
		case o.Known:
			list = append(list, "known")
		default:
			list = append(list, "taken")
		}
	}
	return list
}

const (
	erasedNow  = "the customer was erased; an opt_in lets it back"
	erasedThen = "the customer was erased, and let back, after the time of this change"
)

// named are the numbers of the records whose text names a customer.
func (l *live) named(t *testing.T, customer string) (seqs []uint64) {
	t.Helper()
	ok(t, l.Changes().Log().Scan(0, func(r eventlog.Record) error {
		if strings.Contains(string(r.Body), "acme:"+customer) {
			seqs = append(seqs, r.Seq)
		}
		return nil
	}))
	return seqs
}

// TestErasedIsNotSpokenOf refuses what names a customer who is erased, whatever it
// says, so that no name comes back into the log.
func TestErasedIsNotSpokenOf(t *testing.T) {
	l := newLive(t)
	l.take(t, segment("before", "ann", 1), erase("e", "ann", 2))
	for i, say := range []string{
		`"type":"link","left":"cookie.a:new","right":"crm.acme:ann"`,
		`"type":"link","left":"crm.acme:ann","right":"cookie.a:new"`,
		`"type":"link","left":"crm.acme:ann","right":"crm.acme:bob"`,
		`"type":"unlink","left":"cookie.a:ann's","right":"crm.acme:ann"`,
		`"type":"segment_add","customer":"acme:ann","segment":"vip"`,
		`"type":"segment_remove","customer":"acme:ann","segment":"vip"`,
		`"type":"consent","customer":"acme:ann","status":"granted"`,
		`"type":"consent","customer":"acme:ann","status":"withdrawn"`,
	} {
		for k, when := range []string{"", "," + at(1), "," + at(2), "," + at(60)} {
			out := l.take(t, fmt.Sprintf(`"id":"%d-%d",%s%s`, i, k, say, when))
			if !errors.Is(out[0].Err, engine.ErrErased) || out[0].Err.Error() != erasedNow || out[0].Seq != 0 {
				t.Errorf("%s%s: %+v", say, when, out[0])
			}
		}
	}
	// What was taken before is known when it is sent again, and whoever is not
	// erased is not concerned.
	if got := became(l.take(t, segment("before", "ann", 1), segment("bob", "bob", 3), `"id":"link","type":"link","left":"cookie.a:new","right":"crm.acme:bob"`)); !slices.Equal(got, []string{"known", "taken", "taken"}) {
		t.Error(got)
	}
	l = l.again(t)
	if got := l.named(t, "ann"); len(got) > 0 {
		t.Errorf("records %v name her", got)
	}
	if got := became(l.take(t, segment("still", "ann", 4), back("in", "ann", 10), segment("early", "ann", 2), segment("late", "ann", 3))); !slices.Equal(got, []string{erasedNow, "taken", erasedThen, "taken"}) {
		t.Error(got)
	}
	l.answers(t, "acme ann new,vip")
	// That for all tenants is one of hers, and only one for all lifts it.
	out := l.take(t, `"id":"all","type":"erase","tenant":"*","customer":"acme:ann",`+at(20), back("no", "ann", 30), segment("x", "ann", 40),
		`"id":"yes","type":"opt_in","tenant":"*","customer":"acme:ann",`+at(30), segment("y", "ann", 40))
	if got := became(out); !slices.Equal(got, []string{"taken", "taken", erasedNow, "taken", "taken"}) {
		t.Error(got)
	}
}

// TestTakenAwayNow is of what takes away and came without a time of its own: an
// opt-in by a clock that is ahead does not outlast it.
func TestTakenAwayNow(t *testing.T) {
	for _, c := range []struct{ kind, whom, gone string }{
		{"erase", `"customer":"acme:ann"`, "unknown"},
		{"opt_out", `"identifier":"cookie.a:ann's"`, "opted_out"},
	} {
		l := newLive(t)
		is := func(id, kind, when, want string) {
			t.Helper()
			out := l.take(t, fmt.Sprintf(`"id":"%s","type":"%s","tenant":"acme",%s%s`, id, kind, c.whom, when))
			ok(t, out[0].Err)
			l.answers(t, want)
			l = l.again(t)
			l.answers(t, want)
		}
		is("ahead", "opt_in", ","+at(240), "acme ann new,vip")
		is("then", c.kind, ","+at(239), "acme ann new,vip")
		is("now", c.kind, "", c.gone)
		is("same", "opt_in", ","+at(240), c.gone)
		is("back", "opt_in", ","+at(241), "acme ann new,vip")
	}
}

// TestErasedInOneRequest takes changes of one request in their order: none of an
// erased customer is left, by whatever clocks they were made.
func TestErasedInOneRequest(t *testing.T) {
	for name, c := range map[string]struct {
		list []string
		want []string
	}{
		"erased at last":                      {[]string{segment("a", "ann", 1), erase("e", "ann", 2)}, []string{"taken", "taken"}},
		"erased at last, by its clock before": {[]string{segment("a", "ann", 5), segment("b", "ann", 3), erase("e", "ann", 2)}, []string{"taken", "taken", "taken"}},
		"a link, likewise":                    {[]string{`"id":"k","type":"link","left":"cookie.a:new","right":"crm.acme:ann",` + at(9), erase("e", "ann", 2)}, []string{"taken", "taken"}},
		"erased first":                        {[]string{erase("e", "ann", 2), segment("a", "ann", 1), segment("b", "ann", 3)}, []string{"taken", erasedNow, erasedNow}},
		"by the time of arrival":              {[]string{`"id":"e","type":"erase","tenant":"acme","customer":"acme:ann"`, `"id":"a","type":"segment_add","customer":"acme:ann","segment":"vip"`}, []string{"taken", erasedNow}},
		"let back, and erased again":          {[]string{erase("e", "ann", 2), back("i", "ann", 3), segment("a", "ann", 4), erase("f", "ann", 4)}, []string{"taken", "taken", "taken", "taken"}},
		"others between":                      {[]string{segment("1", "bob", 1), erase("e", "ann", 2), segment("2", "bob", 1), segment("a", "ann", 3), segment("3", "bob", 1)}, []string{"taken", "taken", "taken", erasedNow, "taken"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLive(t)
			if got := became(l.take(t, c.list...)); !slices.Equal(got, c.want) {
				t.Errorf("%q", got)
			}
			l.answers(t, "unknown")
			l = l.again(t)
			if got := l.named(t, "ann"); len(got) > 0 {
				t.Errorf("records %v name her", got)
			}
			l.answers(t, "unknown")
			l.take(t, back("in", "ann", 60))
			l.answers(t, "acme ann new,vip") // as the files have it
		})
	}
	l := newLive(t) // one that is lifted when it comes leaves what is later
	l.take(t, back("i", "ann", 4), segment("a", "ann", 6))
	l.take(t, erase("e", "ann", 3), segment("b", "ann", 7))
	if l = l.again(t); len(l.named(t, "ann")) != 2 {
		t.Errorf("records %v name her", l.named(t, "ann"))
	}
	l.answers(t, "acme ann new,vip")
}

// TestErasedAmongMany erases customers and lets them back while others speak of
// them, with clocks that differ: in the order of the log, nobody is spoken of who is
// erased, and nothing is left of those who are in the end.
func TestErasedAmongMany(t *testing.T) {
	l := newLive(t)
	customers := []string{"ann", "bob"}
	var now atomic.Int64
	var takers sync.WaitGroup
	var refused atomic.Int64
	var accepted sync.Map // by number: the record may be redacted by now
	for w := range 8 {
		takers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 3))
			for i := range 40 {
				var list []string
				for k := range 1 + r.IntN(3) {
					id, c, second := fmt.Sprint(w, "-", i, "-", k), customers[r.IntN(2)], 1+int(now.Add(1))/16-r.IntN(3)
					switch r.IntN(6) {
					case 0:
						list = append(list, erase(id, c, second))
					case 1:
						list = append(list, back(id, c, second))
					case 2:
						list = append(list, fmt.Sprintf(`"id":"%s","type":"link","left":"cookie.a:%s","right":"crm.acme:%s",%s`, id, id, c, at(second)))
					default:
						list = append(list, segment(id, c, second))
					}
				}
				said := events(t, list...)
				out, err := l.Changes().Take("shop", said)
				if err != nil {
					t.Error(err)
					return
				}
				for k, o := range out {
					if speaks := !strings.Contains(list[k], "erase") && !strings.Contains(list[k], "opt_in"); o.Err != nil && (!speaks || !errors.Is(o.Err, engine.ErrErased)) {
						t.Errorf("%s: %v", list[k], o.Err)
					} else if o.Err != nil {
						refused.Add(1)
					} else if speaks {
						accepted.Store(o.Seq, said[k])
					}
				}
			}
		})
	}
	takers.Wait()
	erased, lifted := map[string]int64{}, map[string]int64{}
	spoken := 0
	ok(t, l.Changes().Log().Scan(0, func(r eventlog.Record) error {
		if r.Kind != eventlog.Event {
			return nil
		}
		if e, speaks := accepted.Load(r.Seq); speaks {
			spoken++
			e := e.(event.Event)
			c := strings.TrimPrefix(e.Customer+e.Right, index.CRMPrefix)
			if erased[c] > 0 && erased[c] >= min(lifted[c], e.At.UnixNano()) {
				t.Errorf("record %d speaks of %s, who is erased", r.Seq, c)
			}
			return nil
		}
		b := must(event.Decode(r.Body))(t)
		for _, c := range customers {
			if b.Hash == hashOf("crm.acme:"+c) && b.Type == event.Erase {
				erased["acme:"+c] = max(erased["acme:"+c], b.At)
			} else if b.Hash == hashOf("crm.acme:"+c) {
				lifted["acme:"+c] = max(lifted["acme:"+c], b.At)
			}
		}
		return nil
	}))
	if refused.Load() < 50 || spoken < 50 {
		t.Errorf("%d were refused, %d accepted", refused.Load(), spoken)
	}
	l.take(t, erase("ann", "ann", 1), erase("bob", "bob", 1), erase("ann2", "ann", 200), erase("bob2", "bob", 200))
	l = l.again(t)
	for _, c := range customers {
		if got := l.named(t, c); len(got) > 0 {
			t.Errorf("records %v name %s", got, c)
		}
	}
}
