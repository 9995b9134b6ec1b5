package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/matchd/matchd/engine"
)

// TestFlappingFiles plants another snapshot's index, and then its records and
// the own ones in turn, many times under load: so that what a lookup has just
// checked is something else a moment later. Once the files are as they were,
// all is right again.
func TestFlappingFiles(t *testing.T) {
	v := newVictim(t, 1)
	at := &clock{}
	at.set(v.m.asOf)
	e := newEngine(t, engine.Options{Store: v.store, Now: at.now})
	reload(t, e)
	ok(t, e.SetClients([]engine.Client{everything(v.m.pool)}))
	w := newWatcher(t, v, e)
	w.sound = func(int) bool { return true }
	w.pass(t, v.qs)
	w.sound, w.index = func(int) bool { return false }, true
	read := func(dir, name string) []byte { return must(os.ReadFile(filepath.Join(dir, name)))(t) }
	index, records := read(v.dir, "index-0000"), read(v.dir, "records-0000")
	others := transplant(records, read(v.other, "records-0000"))
	overwrite(t, filepath.Join(v.dir, "index-0000"), transplant(index, read(v.other, "index-0000")))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var lost [2]int
	for part := range lost {
		few, want := w.few(part)
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					lost[part] += quickly(t, e, few, want)
				}
			}
		})
	}
	for i := range 4000 {
		b := records
		if i%2 == 0 {
			b = others
		}
		overwrite(t, filepath.Join(v.dir, "records-0000"), b)
	}
	close(stop)
	wg.Wait()
	if lost[0] == 0 || lost[1] == 0 {
		t.Error("nobody noticed")
	}
	overwrite(t, filepath.Join(v.dir, "index-0000"), index)
	w.sound, w.index, w.nothing = func(int) bool { return true }, false, 0
	w.pass(t, v.qs)
	if w.nothing > 0 {
		t.Errorf("%d identifiers went without an answer after all was over", w.nothing)
	}
}

// few are a few identifiers that are matched, and the first customers of the
// answers: so few that the same records are read again and again.
func (w *watcher) few(part int) (ids [][]byte, want []string) {
	for _, q := range w.v.qs {
		a := w.want[q.text]
		if q.id%100 == part && !strings.HasPrefix(q.space, "crm.") && a.Reason == engine.Matched {
			ids, want = append(ids, []byte(q.text)), append(want, a.Profiles[0].Customer)
		}
	}
	return ids, want
}

// quickly asks for ids many times with little else in between, and counts
// those that went without an answer.
func quickly(t *testing.T, e *engine.Engine, ids [][]byte, want []string) (lost int) {
	s, err := e.Begin("everything")
	if err != nil {
		t.Error(err)
		return 0
	}
	defer s.End()
	var b engine.Batch
	for range 100 {
		s.Match(&b, ids)
		for i := range b.Answers {
			a := &b.Answers[i]
			switch {
			case a.Reason == engine.Unknown && s.Person(a) == (engine.PersonID{}):
				lost++
			case !a.Matched() || string(b.Customer(&b.Profiles(a)[0])) != want[i]:
				t.Errorf("%q: %+v, want customer %q, or nothing", ids[i], a, want[i])
			}
		}
	}
	return lost
}
