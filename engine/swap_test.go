package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// pair is a store with two snapshots of the same identifiers, which lead to
// other persons in each.
type pair struct {
	store  *snapshot.Store
	cur    [2]snapshot.Current
	models map[string]*model // by name of the snapshot
	qs     []query
}

func newPair(t testing.TB) *pair {
	t.Helper()
	a := poolOf(rand.New(rand.NewPCG(5, 5)), 200, false)
	p := &pair{store: newStore(t), models: map[string]*model{}}
	for i, q := range []*pool{a, rotated(a)} {
		p.cur[i] = publish(t, p.store, q.contents(t, uint64(i)))
		p.models[p.cur[i].Name] = newModel(q)
	}
	for i, id := range a.ids {
		p.qs = append(p.qs, query{text: a.text(i), space: id.space})
	}
	return p
}

// point makes one of the snapshots the current one, as publishing does.
func (p *pair) point(t testing.TB, i int) {
	t.Helper()
	point(t, p.store, p.cur[i])
}

func point(t testing.TB, store *snapshot.Store, c snapshot.Current) {
	t.Helper()
	name := filepath.Join(store.Dir(), "CURRENT")
	ok(t, os.WriteFile(name+".test", fmt.Appendf(nil, "matchd-current 1 %s %v\n", c.Name, c.Manifest), 0o644))
	ok(t, os.Rename(name+".test", name))
}

// answers returns what each snapshot says, by its name and the identifier.
func (p *pair) answers(c engine.Client) map[string]map[string]answer {
	out := map[string]map[string]answer{}
	for name, m := range p.models {
		out[name] = map[string]answer{}
		for i, id := range m.ids {
			out[name][m.text(i)] = m.match(c, m.asOf, query{text: m.text(i), space: id.space, id: i}).answer
		}
	}
	return out
}

// served counts the files of a snapshot that are mapped into the process.
func served(t testing.TB, store *snapshot.Store, c snapshot.Current) (files int) {
	t.Helper()
	maps := string(must(os.ReadFile("/proc/self/maps"))(t))
	return strings.Count(maps, filepath.Join(store.Dir(), "snapshots", c.Name)+"/")
}

// filesOf counts the files of a snapshot.
func filesOf(t testing.TB, store *snapshot.Store, c snapshot.Current) int {
	t.Helper()
	return len(must(os.ReadDir(filepath.Join(store.Dir(), "snapshots", c.Name)))(t))
}

// eventually waits for what another goroutine is about to do.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for range 3000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("never happened: " + what)
}

// TestSwapsUnderLoad swaps a hundred times while sessions ask. No session
// fails, all answers of a session are those of the one snapshot that it names,
// and in the end only the last generation's memory is left.
func TestSwapsUnderLoad(t *testing.T) {
	for _, memory := range []snapshot.Memory{snapshot.Map, snapshot.Copy} {
		t.Run(string(memory), func(t *testing.T) { swapsUnderLoad(t, newPair(t), memory) })
	}
}

func swapsUnderLoad(t *testing.T, p *pair, memory snapshot.Memory) {
	at := &clock{}
	m := p.models[p.cur[0].Name]
	at.set(m.asOf)
	e := newEngine(t, engine.Options{Store: p.store, Now: at.now, Memory: memory})
	c := everything(m.pool)
	want := p.answers(c)
	ok(t, e.SetClients([]engine.Client{c}))
	p.point(t, 0)
	reload(t, e)
	sealed := sealedBytes(t) // of one generation of the first snapshot
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var seen [2]atomic.Int64
	for worker := range 3 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 6))
			var b engine.Batch
			for {
				select {
				case <-stop:
					return
				default:
				}
				s, err := e.Begin(c.Name)
				if err != nil {
					t.Error(err)
					return
				}
				for range 3 {
					oneSnapshot(t, &s, &b, c, want[s.Snapshot()], p.someOf(r))
				}
				seen[boolInt(s.Snapshot() == p.cur[0].Name)].Add(1)
				s.End()
			}
		})
	}
	swaps := 100
	if testing.Short() {
		swaps = 40
	}
	for i := range swaps {
		p.point(t, (i+1)%2)
		reload(t, e)
		runtime.Gosched()
	}
	eventually(t, "sessions on both snapshots", func() bool {
		return seen[0].Load() > 0 && seen[1].Load() > 0 || t.Failed()
	})
	close(stop)
	wg.Wait()
	if s := e.Stats(); int(s.Swaps) != swaps+1 || s.Refused != 0 || s.Results[engine.ResultFault] != 0 {
		t.Errorf("stats %+v", s)
	}
	eventually(t, "only one generation is mapped", func() bool {
		return served(t, p.store, p.cur[0]) == filesOf(t, p.store, p.cur[0]) && served(t, p.store, p.cur[1]) == 0 && sealedBytes(t) == sealed
	})
}

func (p *pair) someOf(r *rand.Rand) []query {
	out := make([]query, 1+r.IntN(200))
	for i := range out {
		out[i] = p.qs[r.IntN(len(p.qs))]
	}
	return out
}

// oneSnapshot asks for qs and wants the answers of one snapshot. Person ids
// are compared through the profiles: a profile is of one person.
func oneSnapshot(t *testing.T, s *engine.Session, b *engine.Batch, c engine.Client, want map[string]answer, qs []query) {
	s.Match(b, texts(qs))
	for i, q := range qs {
		var ps persons
		got := ps.read(t, s, b, &b.Answers[i], c, want[q.text].Person)
		if !reflect.DeepEqual(got, want[q.text]) {
			t.Errorf("%s, %q:\n got %+v\nwant %+v", s.Snapshot(), q.text, got, want[q.text])
			return
		}
	}
}

// sealedBytes is the size of all private memory of the process that can only
// be read, which is where copies of snapshots are.
func sealedBytes(t testing.TB) (n uint64) {
	t.Helper()
	for line := range strings.Lines(string(must(os.ReadFile("/proc/self/maps"))(t))) {
		f := strings.Fields(line)
		var from, to uint64
		if len(f) == 5 && f[1] == "r--p" {
			_ = must(fmt.Sscanf(f[0], "%x-%x", &from, &to))(t)
			n += to - from
		}
	}
	return n
}

// TestSessionKeepsItsGeneration holds a session over many swaps. Its answers
// stay those of its snapshot, whose files are gone from the disk; after its
// end, and not before, the memory is given back.
func TestSessionKeepsItsGeneration(t *testing.T) {
	p := newPair(t)
	at := &clock{}
	m := p.models[p.cur[0].Name]
	at.set(m.asOf)
	e := newEngine(t, engine.Options{Store: p.store, Now: at.now})
	c := everything(m.pool)
	want := p.answers(c)
	ok(t, e.SetClients([]engine.Client{c}))
	p.point(t, 0)
	reload(t, e)
	held := begin(t, e, c.Name)
	files := filesOf(t, p.store, p.cur[0])
	if served(t, p.store, p.cur[0]) != files {
		t.Fatalf("%d of %d files are mapped", served(t, p.store, p.cur[0]), files)
	}
	for i := range 20 {
		p.point(t, (i+1)%2)
		reload(t, e)
	}
	p.point(t, 1)
	reload(t, e)
	eventually(t, "the generations between are unmapped", func() bool {
		return served(t, p.store, p.cur[0]) == files && served(t, p.store, p.cur[1]) == filesOf(t, p.store, p.cur[1])
	})
	ok(t, os.RemoveAll(filepath.Join(p.store.Dir(), "snapshots", p.cur[0].Name)))
	var b engine.Batch
	oneSnapshot(t, held, &b, c, want[p.cur[0].Name], p.qs)
	for i, q := range m.pool.profiles {
		id := m.ids[q.id]
		l := must(held.Identifiers(m.tenants[q.tenant].Name, id.value))(t)
		if expect := m.list(c, m.asOf, m.tenants[q.tenant].Name, id.value); l.Reason != expect.Reason || len(l.Identifiers) != len(expect.Identifiers) {
			t.Errorf("profile %d: %+v, want %+v", i, l, expect)
		}
	}
	if held.Snapshot() != p.cur[0].Name {
		t.Errorf("the session is on %s, want %s", held.Snapshot(), p.cur[0].Name)
	}
	if served(t, p.store, p.cur[0]) != files {
		t.Error("unmapped under its reader")
	}
	held.End()
	eventually(t, "the held generation is unmapped", func() bool { return served(t, p.store, p.cur[0]) == 0 })
}

// TestAnswersOutliveTheMapping says what stays good after the end of a
// session: all that a batch holds, for as long as it is not used again.
func TestAnswersOutliveTheMapping(t *testing.T) {
	p := newPair(t)
	at := &clock{}
	m := p.models[p.cur[0].Name]
	at.set(m.asOf)
	e := newEngine(t, engine.Options{Store: p.store, Now: at.now})
	c := everything(m.pool)
	ok(t, e.SetClients([]engine.Client{c}))
	p.point(t, 0)
	reload(t, e)
	s := begin(t, e, c.Name)
	var b engine.Batch
	s.Match(&b, texts(p.qs))
	var before []string
	for i := range b.Answers {
		for k := range b.Profiles(&b.Answers[i]) {
			q := &b.Profiles(&b.Answers[i])[k]
			before = append(before, fmt.Sprintf("%+v %s %v", *q, b.Customer(q), b.Segments(q)))
		}
	}
	s.End()
	p.point(t, 1)
	reload(t, e)
	eventually(t, "the first generation is unmapped", func() bool { return served(t, p.store, p.cur[0]) == 0 })
	var after []string
	for i := range b.Answers {
		for k := range b.Profiles(&b.Answers[i]) {
			q := &b.Profiles(&b.Answers[i])[k]
			after = append(after, fmt.Sprintf("%+v %s %v", *q, b.Customer(q), b.Segments(q)))
		}
	}
	if len(before) == 0 || !reflect.DeepEqual(before, after) {
		t.Error("the answers have changed")
	}
}
