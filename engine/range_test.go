package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// TestNumbersOutOfRange plants records whose check is right, as one in 2^32
// damaged ones is, but whose namespaces the snapshot does not have. They are
// faults, and nothing worse.
func TestNumbersOutOfRange(t *testing.T) {
	p, q := story(), story()
	var more []index.Namespace
	for _, name := range []string{"x1", "x2", "x3", "x4", "x5"} {
		more = append(more, index.Namespace{Name: name})
	}
	q.spaces = slices.Concat(more, p.spaces) // as many bits for a number, and other numbers
	store, at := newStore(t), &clock{}
	other, own := q.contents(t, 1), p.contents(t, 1)
	read := func(c snapshot.Current) []byte {
		return must(os.ReadFile(filepath.Join(store.Dir(), "snapshots", c.Name, "records-0000")))(t)
	}
	for _, c := range []*contents{&other, &own} {
		c.meta.IndexShards, c.meta.RecordShards = 1, 1
	}
	planted := read(publish(t, store, other)) // of the same id: its checks pass in the other's place
	cur := publish(t, store, own)
	e := newEngine(t, engine.Options{Store: store, Now: at.now})
	reload(t, e)
	ok(t, e.SetClients([]engine.Client{everything(p)}))
	damaged := read(cur)
	copy(sections(damaged)["hot"], sections(planted)["hot"]) // the cold part stays sound
	overwrite(t, filepath.Join(store.Dir(), "snapshots", cur.Name, "records-0000"), damaged)
	at.set(p.asOf.AddDate(3, 0, 0).Add(time.Second)) // when the age of links has to be looked at
	s := begin(t, e, "everything")
	defer s.End()
	var b engine.Batch
	for i := range p.ids {
		s.Match(&b, [][]byte{[]byte(p.text(i))})
		if a := &b.Answers[0]; a.Reason == engine.Unknown && !a.Fault() {
			t.Errorf("%q: %+v, want a fault", p.text(i), a)
		}
	}
	for _, customer := range []string{"B-1", "B-2"} {
		if l, err := s.Identifiers("bolt", customer); !errors.Is(err, snapshot.ErrCorrupt) || len(l.Identifiers) > 0 {
			t.Errorf("identifiers of %s: %+v, %v", customer, l, err)
		}
		if x, err := s.Explain("crm.bolt:" + customer); !errors.Is(err, snapshot.ErrCorrupt) {
			t.Errorf("%+v, %v", x, err)
		}
	}
}
