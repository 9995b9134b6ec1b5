package engine_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// transplant returns a file with each section's bytes from another file, which
// are then where a reader of the first one looks for them.
func transplant(own, other []byte) []byte {
	out := slices.Clone(own)
	to, from := sections(own), sections(other)
	for tag, b := range sections(out) {
		if len(from[tag]) != len(to[tag]) && (tag == "hot" || tag == "table" || tag == "filter") {
			panic("the snapshots differ in the size of section " + tag)
		}
		copy(b, from[tag])
	}
	return out
}

// sections returns the sections of a file, from its table of contents (see
// FORMAT.md).
func sections(file []byte) map[string][]byte {
	trailer := file[len(file)-64:]
	toc := file[binary.LittleEndian.Uint64(trailer):]
	out := map[string][]byte{}
	for range binary.LittleEndian.Uint32(trailer[8:]) {
		from, n := binary.LittleEndian.Uint64(toc[8:]), binary.LittleEndian.Uint64(toc[16:])
		out[strings.TrimRight(string(toc[:8]), "\x00")] = file[from : from+n]
		toc = toc[24:]
	}
	return out
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
	{"another snapshot's sections", func(t testing.TB, v *victim, name string) {
		own := must(os.ReadFile(filepath.Join(v.dir, name)))(t)
		overwrite(t, filepath.Join(v.dir, name), transplant(own, must(os.ReadFile(filepath.Join(v.other, name)))(t)))
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
		for i, d := range damages {
			for _, files := range []string{"*", "index-*", "records-*", "records-0000"} {
				if memory == snapshot.Copy && files != "*" {
					continue // less harm than all of them
				}
				if testing.Short() && i > 0 && (files != "*" || memory == snapshot.Copy) {
					continue // what is in the files makes no race
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
	if files == "records-0000" {
		e.SetOverlay(ofOthers(t, e, v.store, v.m.tenants[0].Name))
	}
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
