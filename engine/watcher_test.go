package engine_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

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
	a, err := s.Resolve(&w.batch, texts(qs))
	if err != nil {
		t.Fatal(err)
	}
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
