package engine_test

import (
	"bytes"
	"cmp"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/resolve"
)

// noSync is the machine's file system without its syncs, which take most of
// the time that a small snapshot takes.
type noSync struct{ snapshot.OS }

func (noSync) SyncDir(string) error { return nil }

func (noSync) Create(name string, perm os.FileMode) (snapshot.File, error) {
	f, err := snapshot.OS{}.Create(name, perm)
	return noSyncFile{f}, err
}

type noSyncFile struct{ snapshot.File }

func (noSyncFile) Sync() error { return nil }

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var secret = index.Secret{1, 2, 3, 4, 5, 6, 7, 8}

func newStore(t testing.TB) *snapshot.Store {
	t.Helper()
	return must(snapshot.CreateStore(noSync{}, filepath.Join(t.TempDir(), "store"), &secret))(t)
}

// contents is what a snapshot is written from.
type contents struct {
	meta    snapshot.Meta
	dicts   snapshot.Dictionaries
	persons []*snapshot.Person
}

// publish writes a snapshot into a store and makes it the current one.
func publish(t testing.TB, store *snapshot.Store, c contents) snapshot.Current {
	t.Helper()
	draft := must(store.Begin())(t)
	defer func() { ok(t, draft.Close()) }()
	w := must(snapshot.NewWriter(noSync{}, draft.Dir(), c.meta, c.dicts))(t)
	slices.SortFunc(c.persons, func(a, b *snapshot.Person) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	m, hash, err := w.WriteAll(t.Context(), func(shard int) iter.Seq[*snapshot.Person] {
		return func(yield func(*snapshot.Person) bool) {
			for _, p := range c.persons {
				if snapshot.RecordShard(p.ID, c.meta.RecordShards) == shard && !yield(p) {
					return
				}
			}
		}
	})
	ok(t, err)
	return must(draft.Publish(m, hash))(t)
}

// contents makes a snapshot of the pool. Everything that it may choose
// depends on seed: ids, roots, shards.
func (p *pool) contents(t testing.TB, seed uint64) contents {
	t.Helper()
	h := index.Secret{9}.Hasher("test ids")
	pseudo := func(parts ...uint64) (out [16]byte) {
		var b []byte
		for _, v := range append(parts, seed) {
			b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32))
		}
		sum := h.Sum(b)
		for i := range 8 {
			out[i], out[8+i] = byte(sum.Hi>>(8*i)), byte(sum.Lo>>(8*i))
		}
		return out
	}
	id := pseudo(1)
	c := contents{
		meta: snapshot.Meta{
			ID: snapshot.ID(id), KeyID: secret.ID(), AsOf: p.asOf, Oldest: p.oldest(), LinkMaxAge: p.linkMaxAge,
			IndexShards: 1 << (id[0] % 3), RecordShards: 1 << (id[1] % 3),
		},
		dicts: snapshot.Dictionaries{
			Namespaces: must(index.NewNamespaces(p.spaces))(t),
			Sources:    p.sources, Tenants: p.tenants, Segments: p.segments,
		},
	}
	m := newModel(p)
	for person := range p.persons {
		root := pseudo(3, uint64(person))
		// A person keeps its id from snapshot to snapshot.
		c.persons = append(c.persons, m.person(&c, personID(person), person, int(root[0])))
	}
	return c
}

// personID is the internal id of person number i of every pool.
func personID(i int) snapshot.PersonID {
	sum := index.Secret{8}.Hasher("test persons").Sum([]byte{byte(i), byte(i >> 8)})
	var out snapshot.PersonID
	for k := range 8 {
		out[k], out[8+k] = byte(sum.Hi>>(8*k)), byte(sum.Lo>>(8*k))
	}
	return out
}

func (p *pool) oldest() snapshot.Day {
	oldest := snapshot.Day(dayOf(p.asOf))
	for _, l := range p.links {
		oldest = min(oldest, l.last)
	}
	return oldest
}

// person lays out one person as the builder does, but from any root.
func (m *model) person(c *contents, id snapshot.PersonID, person, root int) *snapshot.Person {
	var members []int
	place := map[int]uint32{}
	for i := range m.ids {
		if m.ids[i].person == person {
			place[i] = uint32(len(members))
			members = append(members, i)
		}
	}
	var edges []resolve.Edge
	links := m.links[person]
	for _, l := range links {
		edges = append(edges, resolve.Edge{
			A: place[l.a], B: place[l.b], Method: l.method, Source: uint16(l.source), Seen: l.last, Ages: m.ages(l),
		})
	}
	tree, spares := new(resolve.Planner).Backbone(len(members), edges)
	rooted := new(resolve.Planner).Root(len(members), edges, tree, uint32(root%len(members)))
	out := &snapshot.Person{ID: id, Born: m.asOf.Unix()}
	to := make([]uint32, len(members))
	for at, member := range rooted.Order {
		to[member] = uint32(at)
		i := m.ids[members[member]]
		ns, _ := c.dicts.Namespaces.ByName(i.space)
		n := snapshot.Node{
			Hash:      snapshot.IdentifierHasher(secret).Sum([]byte(i.space + ":" + i.value)),
			Namespace: ns, Value: []byte(i.value), Parent: rooted.Parent[at], Seen: snapshot.Day(dayOf(m.asOf)),
		}
		if e := rooted.Edge[at]; e >= 0 {
			n.Method, n.Source, n.Seen = edges[e].Method, edges[e].Source, edges[e].Seen
		}
		out.Nodes = append(out.Nodes, n)
	}
	for _, e := range spares {
		a, b := to[edges[e].A], to[edges[e].B]
		out.Spares = append(out.Spares, snapshot.Spare{A: min(a, b), B: max(a, b), Method: edges[e].Method, Seen: edges[e].Seen})
	}
	for i, l := range links {
		a, b := to[edges[i].A], to[edges[i].B]
		out.Links = append(out.Links, snapshot.Link{
			A: min(a, b), B: max(a, b), Method: l.method, Source: uint16(l.source), First: l.first, Last: l.last,
		})
	}
	slices.SortFunc(out.Links, func(x, y snapshot.Link) int {
		return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B), cmp.Compare(x.Method, y.Method), cmp.Compare(x.Source, y.Source))
	})
	for _, i := range m.profiles[person] {
		q := m.pool.profiles[i]
		out.Profiles = append(out.Profiles, snapshot.Profile{
			Node: to[place[q.id]], Tenant: uint16(q.tenant), Kind: q.kind, Customer: []byte(m.ids[q.id].value),
			Segments: q.segments, Consent: q.consent,
		})
	}
	return out
}

// clock is a clock that a test sets.
type clock struct{ at atomic.Int64 }

func (c *clock) set(t time.Time) { c.at.Store(t.UnixNano()) }

func (c *clock) now() time.Time { return time.Unix(0, c.at.Load()).UTC() }

// newEngine makes an engine over a store, closed at the end of the test: but
// a test that has failed may have left a session, for which Close would wait.
func newEngine(t testing.TB, o engine.Options) *engine.Engine {
	t.Helper()
	e := must(engine.New(o))(t)
	t.Cleanup(func() {
		if !t.Failed() {
			ok(t, e.Close())
		}
	})
	return e
}

func reload(t testing.TB, e *engine.Engine) {
	t.Helper()
	if changed := must(e.Reload())(t); !changed {
		t.Fatal("the new snapshot was not swapped in")
	}
}

func begin(t testing.TB, e *engine.Engine, client string) *engine.Session {
	t.Helper()
	s := must(e.Begin(client))(t)
	return &s
}
