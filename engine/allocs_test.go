package engine_test

import (
	"math/rand/v2"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// TestNoAllocations is a budget: once a batch has grown to what it is used
// for, a lookup allocates nothing.
func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, memory := range []snapshot.Memory{snapshot.Map, snapshot.Copy} {
		store, at := newStore(t), &clock{}
		e := newEngine(t, engine.Options{Store: store, Now: at.now, Memory: memory})
		p := poolOf(rand.New(rand.NewPCG(1, 3)), 300, false)
		publish(t, store, p.contents(t, 1))
		reload(t, e)
		at.set(p.asOf)
		ok(t, e.SetClients([]engine.Client{everything(p)}))
		m := newModel(p)
		byReason := map[engine.Reason][][]byte{}
		var all [][]byte
		for i := range p.ids {
			v := m.match(everything(p), p.asOf, query{text: p.text(i), space: p.ids[i].space, id: i})
			byReason[v.Reason] = append(byReason[v.Reason], []byte(p.text(i)))
			all = append(all, []byte(p.text(i)))
		}
		hits := byReason[engine.Matched]
		absent, invalid, malformed := []byte("cookie.a:absent"), []byte("no.such:1"), []byte("maid:zz")
		for _, c := range []struct {
			name string
			ids  [][]byte
			want engine.Reason // of each
		}{
			{"hit", hits[:1], engine.Matched},
			{"miss", [][]byte{absent}, engine.Unknown},
			{"invalid", [][]byte{invalid}, engine.Invalid},
			{"malformed", [][]byte{malformed}, engine.Invalid},
			{"denied", byReason[engine.NoConsent][:1], engine.NoConsent},
			{"expired", byReason[engine.ConsentExpired][:1], engine.ConsentExpired},
			{"256 hits", hits[:256], engine.Matched},
			{"everything", all, ""},
		} {
			var b engine.Batch
			n := testing.AllocsPerRun(50, func() {
				s, err := e.Begin("everything")
				if err != nil {
					t.Fatal(err)
				}
				s.Match(&b, c.ids)
				s.End()
			})
			for i := range b.Answers {
				if got := b.Answers[i].Reason; c.want != "" && got != c.want {
					t.Fatalf("%s: %q: %s, want %s: the test measures something else", c.name, c.ids[i], got, c.want)
				}
			}
			if n != 0 {
				t.Errorf("%s, %s: %v allocations", memory, c.name, n)
			}
		}
		for name, ids := range map[string][][]byte{
			"two hits": {hits[0], hits[1]}, "hit and miss": {hits[0], absent}, "miss and invalid": {absent, invalid}, "eight": hits[:8],
		} {
			var b engine.Batch
			n := testing.AllocsPerRun(50, func() {
				s, err := e.Begin("everything")
				if err != nil {
					t.Fatal(err)
				}
				s.Resolve(&b, ids)
				s.End()
			})
			if n != 0 {
				t.Errorf("%s, %s as one: %v allocations", memory, name, n)
			}
		}
	}
}
