package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/index"
)

// twoLogs are the story and its neighbour, a and b, who take changes. Each has cookies
// that the other has not, and pixels are UUIDs in a alone.
func twoLogs(t *testing.T) *engine.Pools {
	t.Helper()
	a, b := story(), neighbour()
	a.spaces = append(a.spaces, index.Namespace{Name: "cookie.eu"}, index.Namespace{Name: "pixel", Compare: index.UUID})
	b.spaces = append(b.spaces, index.Namespace{Name: "cookie.us"}, index.Namespace{Name: "pixel"})
	p, _ := openPools(t, []*pool{a, b})
	for _, o := range p.All() {
		ok(t, o.OpenChanges(filepath.Join(t.TempDir(), "log")))
	}
	return p
}

// deliver has changes taken by the stores of some names, and tells of each who took
// it, or who refuses it and why.
func deliver(t *testing.T, p *engine.Pools, stores string, list ...string) (told []string) {
	t.Helper()
	d, err := p.Deliver(events(t, list...), func(p engine.Pool, _ *event.Event) bool { return strings.Contains(stores, p.Name) })
	ok(t, err)
	out, err := d.Take("shop")
	ok(t, err)
	for _, o := range out {
		told = append(told, toldOf(o))
	}
	return told
}

func toldOf(o engine.Delivered) (told string) {
	if o.Err != nil {
		return strings.TrimPrefix(o.Store+": ", ": ") + o.Err.Error()
	}
	for _, taken := range o.Taken {
		if told += taken.Store; taken.Known {
			told += "(known)"
		}
	}
	return told
}

// recorded counts the changes in the log of each store.
func recorded(t *testing.T, p *engine.Pools) (n []int) {
	t.Helper()
	for i, o := range p.All() {
		n = append(n, 0)
		ok(t, o.Changes().Log().Scan(0, func(r eventlog.Record) error {
			if r.Kind == eventlog.Event {
				n[i]++
			}
			return nil
		}))
	}
	return n
}

// TestDeliver has a change taken by all stores that it is for, or by none: what one of
// them refuses, whatever for, is in the log of no other.
func TestDeliver(t *testing.T) {
	optOut := func(id, identifier string) string {
		return fmt.Sprintf(`"id":"%s","type":"opt_out","tenant":"acme","identifier":"%s"`, id, identifier)
	}
	const unknown = "not an identifier: unknown namespace, not among those declared"
	for name, c := range map[string]struct {
		before []string // that store b alone is sent
		list   []string
		want   []string
		a, b   int // records, with those of before
	}{
		"known to both":            {nil, []string{optOut("1", "cookie.a:x")}, []string{"ab"}, 1, 1},
		"known to one":             {nil, []string{optOut("1", "cookie.eu:x"), optOut("2", "cookie.us:x")}, []string{"a", "b"}, 1, 1},
		"known to none":            {nil, []string{optOut("1", "cookie.no:x")}, []string{"a: identifier: " + unknown}, 0, 0},
		"junk in one":              {nil, []string{optOut("1", "pixel:x")}, []string{"a: identifier: not an identifier: the value is not a UUID"}, 0, 0},
		"a link in one":            {nil, []string{`"id":"1","type":"link","left":"cookie.us:x","right":"crm.acme:ann"`}, []string{"b"}, 0, 1},
		"a link across":            {nil, []string{`"id":"1","type":"link","left":"cookie.us:x","right":"cookie.eu:x"`}, []string{"a: left: " + unknown}, 0, 0},
		"an erasure for all":       {nil, []string{`"id":"1","type":"erase","tenant":"*","customer":"dune:B-1"`}, []string{"b"}, 0, 1},
		"sent again":               {[]string{optOut("1", "cookie.a:x")}, []string{optOut("1", "cookie.a:x")}, []string{"ab(known)"}, 1, 1},
		"another under its id":     {[]string{optOut("1", "cookie.a:y")}, []string{optOut("1", "cookie.a:x")}, []string{"b: " + eventlog.ErrTokenReused.Error()}, 0, 1},
		"and in one request":       {nil, []string{optOut("1", "cookie.us:x"), optOut("1", "cookie.a:x")}, []string{"b", "b: " + eventlog.ErrTokenReused.Error()}, 0, 1},
		"erased in one":            {[]string{erase("e", "ann", 1)}, []string{segment("1", "ann", 2)}, []string{"b: " + erasedNow}, 0, 1},
		"known, and erased":        {[]string{segment("1", "ann", 0), erase("e", "ann", 1)}, []string{segment("1", "ann", 0)}, []string{"ab(known)"}, 1, 2},
		"erased, and let back":     {[]string{erase("e", "ann", 1)}, []string{back("i", "ann", 2), segment("1", "ann", 3)}, []string{"ab", "ab"}, 2, 3},
		"refused, and known after": {[]string{erase("e", "ann", 1)}, []string{segment("1", "ann", 3), optOut("1", "cookie.a:x")}, []string{"b: " + erasedNow, "ab"}, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := twoLogs(t)
			deliver(t, p, "b", c.before...)
			if got := deliver(t, p, "ab", c.list...); !slices.Equal(got, c.want) {
				t.Errorf("%q, not %q", got, c.want)
			}
			if n := recorded(t, p); n[0] != c.a || n[1] != c.b {
				t.Errorf("%d records", n)
			}
		})
	}
}

// TestDeliverAtOnce has several clients of one name say what contradicts itself, at
// once: what is told to be refused is in no log, and the rest in all that it is for.
func TestDeliverAtOnce(t *testing.T) {
	p := twoLogs(t)
	var mu sync.Mutex
	var all sync.WaitGroup
	want, refused := []int{0, 0}, map[string]int{}
	for w := range 8 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			for round := range 60 {
				var list []string
				for range 1 + rng.IntN(4) {
					id, customer, second := fmt.Sprint(2*round+rng.IntN(6)), pick(rng, "ann", "bob"), rng.IntN(60)
					list = append(list, pick(rng,
						segment(id, customer, second), segment(id, customer, second), erase(id, customer, second), back(id, customer, second),
						fmt.Sprintf(`"id":"%s","type":"opt_out","tenant":"acme","identifier":"%s"`, id, pick(rng, "cookie.a:x", "cookie.eu:x", "cookie.us:x", "pixel:x"))))
				}
				stores := pick(rng, "ab", "ab", "a", "b")
				d, err := p.Deliver(events(t, list...), func(p engine.Pool, _ *event.Event) bool { return strings.Contains(stores, p.Name) })
				if err != nil {
					t.Error(err)
					return
				}
				out, err := d.Take("shop")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, o := range out {
					if o.Err != nil {
						refused[o.Err.Error()]++
						continue
					}
					for _, taken := range o.Taken {
						if !taken.Known {
							want[taken.Store[0]-'a']++
						}
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if got := recorded(t, p); !slices.Equal(got, want) {
		t.Errorf("%d changes are in the logs, and %d were told to be", got, want)
	}
	for _, why := range []string{erasedNow, eventlog.ErrTokenReused.Error(), "identifier: not an identifier: the value is not a UUID"} {
		if refused[why] == 0 {
			t.Errorf("nothing was refused since %s: %v", why, refused)
		}
	}
}

// TestDeliverToWhatFails takes no shared change where the log of one store is gone, and
// goes on with those of the others.
func TestDeliverToWhatFails(t *testing.T) {
	p := twoLogs(t)
	list := events(t, annOut)
	d, err := p.Deliver(list, func(engine.Pool, *event.Event) bool { return true })
	ok(t, err)
	ok(t, p.All()[1].Changes().Log().Close())
	if _, err := d.Take("shop"); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("%v", err)
	}
	if n, _, _ := p.All()[0].Changes().Log().Last(); n != 0 {
		t.Errorf("%d records", n)
	}
	if got := deliver(t, p, "a", annOut); got[0] != "a" {
		t.Error(got)
	}
}

// TestDeliverNowhere needs a store that takes changes, and all of those open: what one
// knows that is not is not known.
func TestDeliverNowhere(t *testing.T) {
	all := func(engine.Pool, *event.Event) bool { return true }
	p, _ := openPools(t, []*pool{story(), nil})
	if _, err := p.Deliver(events(t, annOut), all); !errors.Is(err, engine.ErrNoChanges) {
		t.Errorf("%v", err)
	}
	for _, o := range p.All() {
		ok(t, o.OpenChanges(filepath.Join(t.TempDir(), "log")))
	}
	if _, err := p.Deliver(events(t, annOut), all); !errors.Is(err, engine.ErrNotReady) {
		t.Errorf("%v", err)
	}
	d, err := p.DeliverAmong(p.All()[:1], events(t, annOut), all)
	ok(t, err)
	if out := must(d.Take("shop"))(t); toldOf(out[0]) != "a" {
		t.Errorf("of one that is open: %s", toldOf(out[0]))
	}
}
