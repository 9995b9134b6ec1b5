package engine_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// damagePersons is enough for each section to have several pages.
const damagePersons = 1000

// rotated is a pool of the same identifiers, in which those that are no
// customer ids belong to other persons. Its snapshot has records of the same
// size in the same places.
func rotated(p *pool) *pool {
	q := *p
	q.ids = slices.Clone(p.ids)
	last := map[string]int{} // by namespace and length: the first of a ring
	for i, id := range p.ids {
		if strings.HasPrefix(id.space, "crm.") {
			continue
		}
		ring := fmt.Sprint(id.space, len(id.value))
		if j, ok := last[ring]; ok {
			q.ids[i].value, q.ids[j].value = q.ids[j].value, q.ids[i].value
		}
		last[ring] = i
	}
	return &q
}

// victim is a store whose served snapshot is to be damaged, and the files of
// another snapshot of the same key.
type victim struct {
	m      *model
	store  *snapshot.Store
	dir    string // of the served snapshot
	other  string // of the other one
	shards int    // of records
	qs     []query
}

func newVictim(t testing.TB, shards int) *victim {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	p := poolOf(r, damagePersons, false)
	v := &victim{m: newModel(p), store: newStore(t), shards: shards}
	own, other := p.contents(t, 1), rotated(p).contents(t, 1)
	other.meta.ID[0]++
	for _, c := range []*contents{&own, &other} {
		c.meta.IndexShards, c.meta.RecordShards = shards, shards
	}
	v.other = filepath.Join(v.store.Dir(), "snapshots", publish(t, v.store, other).Name)
	v.dir = filepath.Join(v.store.Dir(), "snapshots", publish(t, v.store, own).Name)
	for i, id := range p.ids {
		v.qs = append(v.qs, query{text: p.text(i), space: id.space, id: i})
	}
	for i := range 500 {
		v.qs = append(v.qs, query{text: fmt.Sprint("cookie.a:absent ", i), space: "cookie.a", id: -1})
	}
	r.Shuffle(len(v.qs), func(i, j int) { v.qs[i], v.qs[j] = v.qs[j], v.qs[i] })
	return v
}

// TestOtherSnapshotAnswersOtherwise shows that the bytes which the damage
// tests plant would give wrong answers, if they were believed.
func TestOtherSnapshotAnswersOtherwise(t *testing.T) {
	p := poolOf(rand.New(rand.NewPCG(7, 7)), damagePersons, false)
	m, other, c := newModel(p), newModel(rotated(p)), everything(p)
	moved := 0
	for i, id := range other.ids {
		q := query{text: other.text(i), space: id.space, id: i}
		own := slices.Index(p.ids, poolID{id.space, id.value, id.person})
		if own < 0 && other.match(c, p.asOf, q).known {
			moved++
		}
	}
	if moved < len(m.ids)/10 {
		t.Errorf("only %d of %d identifiers lead to somebody else", moved, len(m.ids))
	}
}

// overwrite changes the bytes of a file in place: its length stays.
func overwrite(t testing.TB, name string, b []byte) {
	t.Helper()
	f := must(os.OpenFile(name, os.O_WRONLY, 0))(t)
	defer func() { ok(t, f.Close()) }()
	info := must(f.Stat())(t)
	must(f.WriteAt(b[:min(int64(len(b)), info.Size())], 0))(t)
}

// damages are ways in which a served file may come to harm.
var damages = []struct {
	name string
	do   func(t testing.TB, v *victim, name string)
}{
	{"noise", func(t testing.TB, v *victim, name string) {
		noise := must(os.ReadFile(filepath.Join(v.dir, name)))(t)
		r := rand.New(rand.NewPCG(9, 9))
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		overwrite(t, filepath.Join(v.dir, name), noise)
	}},
	{"zeroes", func(t testing.TB, v *victim, name string) {
		overwrite(t, filepath.Join(v.dir, name), make([]byte, 1<<20))
	}},
	{"another snapshot's bytes", func(t testing.TB, v *victim, name string) {
		overwrite(t, filepath.Join(v.dir, name), must(os.ReadFile(filepath.Join(v.other, name)))(t))
	}},
	{"cut to nothing", func(t testing.TB, v *victim, name string) { truncate(t, v, name, func(int64) int64 { return 0 }) }},
	{"cut in half", func(t testing.TB, v *victim, name string) {
		truncate(t, v, name, func(n int64) int64 { return n / 2 })
	}},
	{"cut to a page", func(t testing.TB, v *victim, name string) { truncate(t, v, name, func(int64) int64 { return 4096 }) }},
}

func truncate(t testing.TB, v *victim, name string, to func(int64) int64) {
	t.Helper()
	path := filepath.Join(v.dir, name)
	info := must(os.Stat(path))(t)
	ok(t, os.Truncate(path, to(info.Size())))
}

// TestDamageWhileServing damages the files of the served snapshot under load.
// The process lives; an answer is right or says that nothing is known, and
// says so of what lies in sound files only where that is true; faults are
// counted. From a copy, all answers stay right.
func TestDamageWhileServing(t *testing.T) {
	pristine := newVictim(t, 4)
	for _, memory := range []snapshot.Memory{snapshot.Map, snapshot.Copy} {
		for _, d := range damages {
			for _, files := range []string{"*", "index-*", "records-*", "records-0000"} {
				if memory == snapshot.Copy && files != "*" {
					continue // less harm than all of them
				}
				t.Run(fmt.Sprintf("%s, %s of %s", memory, d.name, files), func(t *testing.T) {
					v := *pristine
					v.dir = cloneStore(t, &v)
					damageCase(t, &v, memory, files, func(name string) { d.do(t, &v, name) })
				})
			}
		}
	}
}

// cloneStore copies the store and returns the folder of the served snapshot.
func cloneStore(t testing.TB, v *victim) string {
	t.Helper()
	dir := t.TempDir()
	ok(t, os.CopyFS(filepath.Join(dir, "snapshots"), os.DirFS(filepath.Join(v.store.Dir(), "snapshots"))))
	for _, name := range []string{"CURRENT", "secret.key"} {
		ok(t, os.WriteFile(filepath.Join(dir, name), must(os.ReadFile(filepath.Join(v.store.Dir(), name)))(t), 0o600))
	}
	v.store = must(snapshot.OpenStore(dir))(t)
	return filepath.Join(dir, "snapshots", filepath.Base(v.dir))
}

func damageCase(t *testing.T, v *victim, memory snapshot.Memory, files string, do func(name string)) {
	at := &clock{}
	at.set(v.m.asOf)
	e := newEngine(t, engine.Options{Store: v.store, Now: at.now, Memory: memory})
	reload(t, e)
	ok(t, e.SetClients([]engine.Client{everything(v.m.pool)}))
	w := newWatcher(t, v, e)
	w.sound = func(int) bool { return true }
	w.index = memory == snapshot.Map && !strings.HasPrefix(files, "records")
	w.pass(t, v.qs) // learns the ids of all persons
	if t.Failed() || e.Stats().Results[engine.ResultFault] > 0 {
		t.Fatal("not sound to begin with")
	}
	switch {
	case memory == snapshot.Copy:
	case files == "records-0000":
		w.sound = func(person int) bool { return snapshot.RecordShard(personID(person), v.shards) != 0 }
	default:
		w.sound = func(int) bool { return false }
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for part := range 2 {
		w := w.clone()
		qs := v.qs[len(v.qs)*part/2 : len(v.qs)*(part+1)/2]
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					w.pass(t, qs)
				}
			}
		})
	}
	names := must(fs.Glob(os.DirFS(v.dir), files))(t)
	if len(names) == 0 {
		t.Fatalf("no file is named %s", files)
	}
	for _, name := range names {
		do(name)
	}
	w.pass(t, v.qs)
	w.cold(t, v)
	faults := e.Stats().Results[engine.ResultFault]
	if memory == snapshot.Copy && w.nothing > 0 {
		t.Errorf("%d identifiers went without an answer", w.nothing)
	}
	if memory == snapshot.Map && w.nothing == 0 {
		t.Error("the damage went unnoticed")
	}
	if memory == snapshot.Map && strings.HasPrefix(files, "records") && faults == 0 {
		t.Error("no fault was counted")
	}
	if _, err := v.store.Open(must(v.store.Current())(t), memory); !errors.Is(err, snapshot.ErrCorrupt) {
		t.Errorf("the damaged snapshot opens again: %v", err)
	}
}

// watcher looks identifiers up and holds the answers against the model.
type watcher struct {
	v       *victim
	e       *engine.Engine
	want    map[string]answer
	persons persons
	batch   engine.Batch
	sound   func(person int) bool // whether all that the person is in is sound
	index   bool                  // whether a damaged index is served from its file
	nothing int                   // identifiers that should have had an answer
}

func newWatcher(t testing.TB, v *victim, e *engine.Engine) *watcher {
	t.Helper()
	w := &watcher{v: v, e: e, want: map[string]answer{}}
	w.persons.clear()
	for _, q := range v.qs {
		w.want[q.text] = v.m.match(everything(v.m.pool), v.m.asOf, q).answer
	}
	return w
}

func (w *watcher) clone() *watcher {
	c := &watcher{v: w.v, e: w.e, want: w.want, sound: w.sound, index: w.index}
	c.persons.clear()
	for id, is := range w.persons.byID {
		c.persons.byID[id], c.persons.ids[is] = is, id
	}
	return c
}

// pass asks for all of qs, in batches of several sizes and in pairs.
func (w *watcher) pass(t *testing.T, qs []query) {
	c := everything(w.v.m.pool)
	for n := 1; len(qs) > 0; n = n%300 + 37 {
		part := qs[:min(n, len(qs))]
		qs = qs[len(part):]
		s, err := w.e.Begin(c.Name)
		if err != nil {
			t.Error(err)
			return
		}
		s.Match(&w.batch, texts(part))
		for i, q := range part {
			want := w.want[q.text]
			got := w.persons.read(t, &s, &w.batch, &w.batch.Answers[i], c, want.Person)
			w.hold(t, q.text, q.id, got, want)
		}
		if len(part) > 1 {
			w.pair(t, &s, part[:2])
		}
		s.End()
	}
}

// pair asks for two identifiers as one. Where an index is served from its file,
// nothing tells an identifier that went missing in it from one that was never
// there, and the other one answers for both; where only records are damaged,
// one that is lost takes the other one with it.
func (w *watcher) pair(t *testing.T, s *engine.Session, qs []query) {
	c, m := everything(w.v.m.pool), w.v.m.unshared()
	allowed := []answer{m.resolve(c, m.asOf, qs), {Reason: engine.Unknown, Person: -1}}
	if w.index {
		allowed = append(allowed, m.resolve(c, m.asOf, qs[:1]), m.resolve(c, m.asOf, qs[1:]))
	}
	a := s.Resolve(&w.batch, texts(qs))
	got := w.persons.read(t, s, &w.batch, &a, c, allowed[0].Person)
	if !slices.ContainsFunc(allowed, func(want answer) bool { return reflect.DeepEqual(got, want) }) {
		t.Errorf("%q as one:\n got %+v\nwant one of %+v", texts(qs), got, allowed)
	}
}

// unshared returns the model without its memory, for one goroutine.
func (m *model) unshared() *model {
	own := *m
	own.paths = map[pathKey]map[int]strength{}
	return &own
}

func (w *watcher) hold(t *testing.T, text string, id int, got, want answer) {
	if reflect.DeepEqual(got, want) {
		return
	}
	if got.Reason != engine.Unknown || got.Person >= 0 || len(got.Profiles) > 0 {
		t.Errorf("%q:\n got %+v\nwant %+v, or nothing", text, got, want)
		return
	}
	w.nothing++
	if id >= 0 && w.sound(w.v.m.ids[id].person) {
		t.Errorf("%q lies in sound memory and went without an answer", text)
	}
}

// cold asks for listings: right, or none and an error.
func (w *watcher) cold(t *testing.T, v *victim) {
	c := everything(v.m.pool)
	s := begin(t, w.e, c.Name)
	defer s.End()
	for i, q := range v.m.pool.profiles[:200] {
		want := v.m.list(c, v.m.asOf, v.m.tenants[q.tenant].Name, v.m.ids[q.id].value)
		l, err := s.Identifiers(v.m.tenants[q.tenant].Name, v.m.ids[q.id].value)
		if err != nil && !errors.Is(err, snapshot.ErrCorrupt) {
			t.Errorf("profile %d: %v", i, err)
		}
		if err != nil || l.Reason == engine.Unknown {
			if l.Person != (engine.PersonID{}) || l.Identifiers != nil || l.Reason != engine.Unknown {
				t.Errorf("profile %d: an answer beside an error: %+v, %v", i, l, err)
			}
			continue
		}
		if l.Reason != want.Reason || w.persons.number(t, l.Person, c, want.Person) != want.Person || len(l.Identifiers) != len(want.Identifiers) {
			t.Errorf("profile %d: %+v, want %+v", i, l, want)
			continue
		}
		for k, id := range l.Identifiers {
			if id.ID != want.Identifiers[k].ID {
				t.Errorf("profile %d: identifier %q, want %q", i, id.ID, want.Identifiers[k].ID)
			}
		}
		if x, err := s.Explain(v.m.text(q.id)); err != nil && !errors.Is(err, snapshot.ErrCorrupt) {
			t.Errorf("explain profile %d: %+v, %v", i, x, err)
		}
	}
}
