package engine_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/snapshot"
)

// ofOthers are live changes of identifiers that no snapshot has and nobody asks
// for: with them, records are read ahead, and every answer stays.
func ofOthers(t testing.TB, e *engine.Engine, store *snapshot.Store, tenant string) *overlay.Overlay {
	t.Helper()
	return changes(t, e, store,
		`"type":"opt_out","tenant":"`+tenant+`","identifier":"cookie.a:of another"`,
		`"type":"segment_add","customer":"`+tenant+`:another","segment":"vip"`)
}

// TestLiveOfOthers asks everything that a pool has in batches, in random order,
// some of it twice, with live changes of others and without: the answers are the
// same, and as many records are read for them.
func TestLiveOfOthers(t *testing.T) {
	for _, memory := range []snapshot.Memory{snapshot.Map, snapshot.Copy} {
		store, at := newStore(t), &clock{}
		e := newEngine(t, engine.Options{Store: store, Now: at.now, Memory: memory})
		r := rand.New(rand.NewPCG(5, 6))
		p := poolOf(r, 300, false)
		publish(t, store, p.contents(t, 1))
		reload(t, e)
		at.set(p.asOf)
		one := engine.Client{Name: "one", Grants: []engine.Grant{p.randomGrant(r, p.tenants[0].Name)}}
		ok(t, e.SetClients([]engine.Client{everything(p), one}))
		var ids [][]byte
		for i := range p.ids {
			ids = append(ids, []byte(p.text(i)))
			if i%5 == 0 {
				ids = append(ids, []byte("cookie.a:absent"), []byte("maid:zz"), ids[r.IntN(len(ids))])
			}
		}
		r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		for _, client := range []string{"everything", "one"} {
			e.SetOverlay(nil)
			without := begin(t, e, client)
			e.SetOverlay(ofOthers(t, e, store, p.tenants[0].Name))
			with := begin(t, e, client)
			var a, b engine.Batch
			matched := 0
			for part := range slices.Chunk(ids, 200) {
				ok(t, without.Match(&a, part))
				ok(t, with.Match(&b, part))
				if a.Records() != b.Records() {
					t.Errorf("%s, %s: %d records are read, and %d with changes of others", memory, client, a.Records(), b.Records())
				}
				for i := range part {
					x, y := &a.Answers[i], &b.Answers[i]
					if x.Matched() {
						matched++
					}
					if x.Reason != y.Reason || without.Person(x) != with.Person(y) || !slices.EqualFunc(a.Profiles(x), b.Profiles(y), func(p, q engine.Profile) bool {
						return string(a.Customer(&p)) == string(b.Customer(&q)) && slices.Equal(a.Segments(&p), b.Segments(&q)) && p.Strength == q.Strength
					}) {
						t.Fatalf("%s, %s: %q: %+v, and %+v with changes of others", memory, client, part[i], x, y)
					}
				}
			}
			if matched == 0 {
				t.Errorf("%s: nothing was matched", client)
			}
			without.End()
			with.End()
		}
	}
}
