package engine_test

import (
	"fmt"
	"math/bits"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// TestConfirmedOn128Bits surrounds an identifier with 128 strangers, the hash
// of each of which differs from its own in one bit. Absent, it is unknown;
// present, it leads to its own person, whatever the table offers first.
func TestConfirmedOn128Bits(t *testing.T) {
	for _, present := range []bool{false, true} {
		for _, shards := range []int{1, 4} {
			t.Run(fmt.Sprintf("present %t, %d shards", present, shards), func(t *testing.T) {
				store, at := newStore(t), &clock{}
				at.set(storyTime)
				e := newEngine(t, engine.Options{Store: store, Now: at.now})
				publish(t, store, strangers(t, "maid:6d92078a-8246-4ba4-ae5b-76104861e7dc", present, shards))
				reload(t, e)
				ok(t, e.SetClients([]engine.Client{{Name: "c", Grants: []engine.Grant{
					{Tenant: "acme", Segments: []string{engine.All}, Namespaces: []string{engine.All}, Customers: true},
				}}}))
				ask := func(list ...string) {
					e.SetOverlay(changes(t, e, store, list...))
					s := begin(t, e, "c")
					defer s.End()
					var b engine.Batch
					id := []byte("maid:6d92078a-8246-4ba4-ae5b-76104861e7dc")
					ok(t, s.Match(&b, [][]byte{id, id}))
					for i := range b.Answers {
						a := &b.Answers[i]
						switch {
						case !present && *a != (engine.Answer{Reason: engine.Unknown, Asked: i}):
							t.Errorf("a stranger answered: %+v", a)
						case present && (!a.Matched() || string(b.Customer(&b.Profiles(a)[0])) != "own"):
							t.Errorf("not its own person: %+v", a)
						}
					}
				}
				ask()
				// Beside live changes, the record of the second one is read ahead.
				ask(`"type":"opt_out","tenant":"acme","identifier":"maid:0b7e4c7e-9d5f-4c59-8f6e-2a8f1e7d3c11"`)
			})
		}
	}
}

// strangers makes a snapshot of persons of one identifier each.
func strangers(t testing.TB, text string, present bool, shards int) contents {
	t.Helper()
	ns := must(index.NewNamespaces(append(index.Builtin(), index.Namespace{Name: "crm.acme"})))(t)
	key, maid, err := ns.AppendKey(nil, []byte(text))
	ok(t, err)
	own := snapshot.IdentifierHasher(secret).Sum(key)
	day := snapshot.Day(dayOf(storyTime))
	c := contents{
		meta: snapshot.Meta{
			ID: snapshot.ID{1}, KeyID: secret.ID(), AsOf: storyTime, Oldest: day, LinkMaxAge: 13, IndexShards: shards, RecordShards: shards,
		},
		dicts: snapshot.Dictionaries{
			Namespaces: ns, Sources: []snapshot.Source{{Name: "s"}},
			Tenants: []snapshot.Tenant{{Name: "acme", LegalBasis: snapshot.Contract}},
		},
	}
	add := func(i int, h index.Hash, customer string) {
		c.persons = append(c.persons, &snapshot.Person{
			ID:       personID(i),
			Nodes:    []snapshot.Node{{Hash: h, Namespace: maid, Value: ns.Value(maid, key), Seen: day}},
			Profiles: []snapshot.Profile{{Customer: []byte(customer)}},
		})
	}
	for bit := range 64 {
		add(bit, index.Hash{Hi: own.Hi ^ 1<<bit, Lo: own.Lo}, "stranger")
		add(64+bit, index.Hash{Hi: own.Hi, Lo: own.Lo ^ 1<<bit}, "stranger")
	}
	if present {
		add(128, own, "own")
	}
	return c
}

// TestNextRecordBesideOneReadAhead asks for two identifiers. What the table offers
// first for one of them is a stranger's record, and when its own is read, that of
// the other has been read ahead.
func TestNextRecordBesideOneReadAhead(t *testing.T) {
	const text, otherText = "maid:6d92078a-8246-4ba4-ae5b-76104861e7dc", "maid:3f2b1c9e-77aa-4d0e-9a51-2b8c6f04d7e1"
	all := strangers(t, text, true, 1)
	own := all.persons[len(all.persons)-1]
	hash := own.Nodes[0].Hash
	bit := bits.Len64(hash.Lo) - 1 // without it, the stranger comes before
	stranger := all.persons[2*bit+1]
	if got := stranger.Nodes[0].Hash; got.Hi != hash.Hi || !got.Less(hash) {
		t.Fatalf("the stranger is %v, and the identifier %v", got, hash)
	}
	other := strangers(t, otherText, true, 1).persons[128]
	other.ID, other.Profiles = personID(129), []snapshot.Profile{{Customer: []byte("other")}}
	all.persons = []*snapshot.Person{stranger, own, other}
	store, at := newStore(t), &clock{}
	at.set(storyTime)
	e := newEngine(t, engine.Options{Store: store, Now: at.now})
	publish(t, store, all)
	reload(t, e)
	ok(t, e.SetClients([]engine.Client{{Name: "c", Grants: []engine.Grant{
		{Tenant: "acme", Segments: []string{engine.All}, Namespaces: []string{engine.All}, Customers: true},
	}}}))
	for _, live := range [][]string{nil, {`"type":"opt_out","tenant":"acme","identifier":"maid:0b7e4c7e-9d5f-4c59-8f6e-2a8f1e7d3c11"`}} {
		e.SetOverlay(changes(t, e, store, live...))
		for _, asked := range [][]string{{text, otherText}, {otherText, text}, {text, text}, {text, otherText, text, otherText}} {
			var ids [][]byte
			for _, id := range asked {
				ids = append(ids, []byte(id))
			}
			s := begin(t, e, "c")
			var b engine.Batch
			ok(t, s.Match(&b, ids))
			for i := range b.Answers {
				want := map[string]string{text: "own", otherText: "other"}[asked[i]]
				if a := &b.Answers[i]; !a.Matched() || string(b.Customer(&b.Profiles(a)[0])) != want {
					t.Errorf("with live changes %t, of %d: %s is %+v, not %s", live != nil, len(asked), asked[i], a, want)
				}
			}
			s.End()
		}
	}
}
