package rekey_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/bench/gen"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/build/rekey"
)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// key is the secret of a number.
func key(n byte) index.Secret { return index.Secret{n, 1, 2, 3} }

// pool is a store of a generated world, under key 1 at first, and its log.
type pool struct {
	dir, log string
	events   int
	// hung has, by the text of an identifier, the keys under whose hashes something
	// hangs on it.
	hung map[string][]index.Secret
}

func newPool(t testing.TB, seed uint64, shards int) *pool {
	t.Helper()
	in := filepath.Join(t.TempDir(), "in")
	c := gen.DefaultConfig()
	c.Out, c.Customers, c.Seed, c.Tenants = in, 40+int(seed%3)*30, seed, 1+int(seed%2)
	c.AsOf = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	_, err := gen.Run(t.Context(), c)
	ok(t, err)
	p := &pool{dir: filepath.Join(t.TempDir(), "store"), hung: map[string][]index.Secret{}}
	secret := key(1)
	_, err = build.Run(t.Context(), build.Options{
		Config: filepath.Join(in, "onboard.yaml"), Store: p.dir, Secret: &secret, Shards: shards, Workers: 1, MaxBadRows: 1, AsOf: c.AsOf,
	})
	ok(t, err)
	return p
}

func (p *pool) store(t testing.TB) *snapshot.Store {
	t.Helper()
	s, err := snapshot.OpenStore(p.dir)
	ok(t, err)
	return s
}

// persons are the store's persons with the hashes of their identifiers under key
// 1, whatever the store's key, and the texts of these.
func (p *pool) persons(t testing.TB) (list []snapshot.Person, texts []string) {
	t.Helper()
	hasher := snapshot.IdentifierHasher(key(1))
	ok(t, p.store(t).WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error {
		for shard := range s.RecordShards {
			for q, err := range s.Persons(shard, hasher) {
				ok(t, err)
				list = append(list, clone(q))
				for _, n := range q.Nodes {
					texts = append(texts, string(s.Namespaces.AppendText(nil, n.Namespace, n.Value)))
				}
			}
		}
		return nil
	}))
	return list, texts
}

func clone(p *snapshot.Person) snapshot.Person {
	c := *p
	c.Nodes, c.Spares, c.Profiles, c.Links = slices.Clone(p.Nodes), slices.Clone(p.Spares), slices.Clone(p.Profiles), slices.Clone(p.Links)
	for i := range c.Nodes {
		c.Nodes[i].Value = slices.Clone(c.Nodes[i].Value)
	}
	for i := range c.Profiles {
		c.Profiles[i].Customer, c.Profiles[i].Segments = slices.Clone(c.Profiles[i].Customer), slices.Clone(c.Profiles[i].Segments)
	}
	return c
}

// change appends opt-outs, opt-ins and erasures of some identifiers to the log, as
// a daemon of the store would.
func (p *pool) change(t testing.TB, r *rand.Rand, n int) {
	t.Helper()
	if p.log == "" {
		p.log = filepath.Join(t.TempDir(), "log")
	}
	store := p.store(t)
	keys, err := store.Keys()
	ok(t, err)
	log, err := eventlog.Open(p.log, eventlog.Options{})
	ok(t, err)
	ok(t, store.SetLog(log.ID().String()))
	_, texts := p.persons(t)
	ok(t, store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error {
		names := &event.Names{Namespaces: s.Namespaces, Hasher: snapshot.IdentifierHasher(keys.Secret), Key: keys.Secret.ID(), Former: event.FormerKeys(keys)}
		for _, tenant := range s.Tenants {
			names.Tenants = append(names.Tenants, tenant.Name)
		}
		for range n {
			p.events++
			id := texts[r.IntN(len(texts))]
			what := fmt.Sprintf(`"type":%q,"tenant":"*","identifier":%q`, []string{"opt_out", "opt_in"}[r.IntN(2)], id)
			customer, erasable := strings.CutPrefix(id, index.CRMPrefix)
			if erasable = erasable && r.IntN(2) == 0; erasable {
				tenant, _, _ := strings.Cut(customer, ":")
				what = fmt.Sprintf(`"type":"erase","tenant":%q,"customer":%q`, tenant, customer)
			}
			e, err := event.Parse(fmt.Appendf(nil, `{"id":"e-%d",%s}`, p.events, what))
			ok(t, err)
			b, err := e.Bind(names, "shop", time.Now())
			ok(t, err)
			p.hung[id] = append(append(p.hung[id], keys.Secret), keys.Former...)
			if erasable {
				contact := texts[r.IntN(len(texts))]
				h, err := names.Hash(contact)
				ok(t, err)
				b.Contacts = []index.Hash{h}
				p.hung[contact] = append(p.hung[contact], keys.Secret)
			}
			_, err = log.Append(t.Context(), []eventlog.Entry{{Body: b.Append(nil)}})
			ok(t, err)
		}
		return nil
	}))
	ok(t, log.Close())
}

// renamed is what the store's snapshot has to say of the identifiers.
func (p *pool) renamed(t testing.TB, to index.Secret) (want []snapshot.Renamed) {
	t.Helper()
	ok(t, p.store(t).WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error {
		for id, keys := range p.hung {
			k, _, err := s.Namespaces.AppendKey(nil, []byte(id))
			ok(t, err)
			for _, was := range keys {
				want = append(want, snapshot.Renamed{Old: snapshot.IdentifierHasher(was).Sum(k), New: snapshot.IdentifierHasher(to).Sum(k)})
			}
		}
		return nil
	}))
	slices.SortFunc(want, snapshot.Renamed.Compare)
	return slices.Compact(want)
}

func (p *pool) move(t testing.TB, to index.Secret, workers int, memory int64) *rekey.Report {
	t.Helper()
	r, err := rekey.Run(t.Context(), rekey.Options{Store: p.store(t), Log: p.log, Key: &to, Workers: workers, Memory: memory})
	ok(t, err)
	return r
}

// whole checks that a store has a key and nothing of a move that is not at its end.
func whole(t testing.TB, dir string, to index.Secret, former []string) {
	t.Helper()
	store, err := snapshot.OpenStore(dir)
	ok(t, err)
	keys, err := store.Keys()
	ok(t, err)
	written, err := snapshot.ReadSecret(filepath.Join(dir, "secret.key"))
	ok(t, err)
	if keys.Secret != to || written != to {
		t.Fatalf("the store has key %s and secret.key %s, not %s", keys.Secret.ID(), written.ID(), to.ID())
	}
	var have []string
	for _, f := range keys.Former {
		have = append(have, f.ID())
	}
	files, err := filepath.Glob(filepath.Join(dir, "keys", "*"))
	ok(t, err)
	if !slices.Equal(have, former) || len(files) != len(former) {
		t.Fatalf("former keys are %q in files %q, not %q", have, files, former)
	}
	list, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	ok(t, err)
	cur, err := store.Current()
	if err == snapshot.ErrNoSnapshot {
		if len(list) > 0 {
			t.Fatalf("left are %v", list)
		}
		return
	}
	ok(t, err)
	if len(list) != 1 || list[0].Name() != cur.Name {
		t.Fatalf("left are %v, and %s is current", list, cur.Name)
	}
	served, err := store.Served()
	ok(t, err)
	for _, c := range served {
		if !c.Same(cur) {
			t.Fatalf("%s is to have been served", c.Name)
		}
	}
	ok(t, store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error { return s.Verify(snapshot.IdentifierHasher(to)) }))
}

// ids are the ids of keys, ascending.
func ids(keys ...index.Secret) (out []string) {
	for _, k := range keys {
		out = append(out, k.ID())
	}
	slices.Sort(out)
	return out
}

// A store that is moved, and moved again, holds the same persons, and says of
// which identifiers something hangs in the log, under which former key.
func TestMovingKeepsPersons(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := newPool(t, seed, 1<<(seed%3))
		before, texts := p.persons(t)
		var former []string
		for n := byte(2); n < 5; n++ {
			if n < 4 { // nothing is known by key 3 alone
				p.change(t, r, 10)
				former = ids([]index.Secret{key(1), key(2)}[:n-1]...)
			}
			report := p.move(t, key(n), 1+r.IntN(3), build.MinMemory)
			whole(t, p.dir, key(n), former)
			if after, _ := p.persons(t); !reflect.DeepEqual(before, after) {
				t.Fatalf("seed %d, move %d: the persons are not those of before", seed, n)
			}
			want := p.renamed(t, key(n))
			hung := map[index.Hash]bool{}
			for _, r := range want {
				hung[r.New] = true
			}
			ok(t, p.store(t).WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error {
				if !slices.Equal(s.Renamed, want) || len(want) < 5 {
					t.Errorf("seed %d, move %d: %d renamed, not %d", seed, n, len(s.Renamed), len(want))
				}
				return nil
			}))
			if report.Identifiers != int64(len(texts)) || report.Renamed != int64(len(hung)) || report.Completed || report.To != ids(key(n))[0] ||
				report.From != ids(key(n - 1))[0] || len(report.Removed) != 1 || !slices.Equal(report.FormerKeys, former) {
				t.Errorf("seed %d, move %d: %+v", seed, n, report)
			}
		}
	}
}

// Neither cores nor memory change a byte of what is written.
func TestMovingIsTheSameOnAnyCores(t *testing.T) {
	p := newPool(t, 4, 4)
	p.change(t, rand.New(rand.NewPCG(1, 1)), 20)
	name := ""
	for _, workers := range []int{1, 2, 5} {
		dir := filepath.Join(t.TempDir(), "store")
		ok(t, os.CopyFS(dir, os.DirFS(p.dir)))
		ok(t, os.Chmod(filepath.Join(dir, "secret.key"), 0o600))
		q := *p
		q.dir = dir
		if got := q.move(t, key(2), workers, build.MinMemory*int64(workers)).Snapshot; name != "" && got != name {
			t.Errorf("%d workers write %s, not %s", workers, got, name)
		} else {
			name = got
		}
	}
}

// A copy of a store from before it had a log, and before it was moved, is moved to
// the key that the log's last hashes are of, and by no other.
func TestMovingACopy(t *testing.T) {
	p, old := newPool(t, 2, 1), newPool(t, 2, 1)
	r := rand.New(rand.NewPCG(1, 1))
	p.change(t, r, 5)
	p.move(t, key(2), 1, 0)
	p.change(t, r, 5)
	to := key(3)
	if _, err := rekey.Run(t.Context(), rekey.Options{Store: old.store(t), Log: p.log, Key: &to}); !errors.Is(err, overlay.ErrKey) {
		t.Errorf("to another key: %v", err)
	}
	if id, err := old.store(t).Log(); err != nil || id != "" {
		t.Errorf("the log of what was refused is %q: %v", id, err)
	}
	old.log = p.log
	old.move(t, key(2), 1, 0)
	whole(t, old.dir, key(2), ids(key(1)))
	is, err := p.store(t).Log()
	ok(t, err)
	log, err := eventlog.Open(p.log, eventlog.Options{})
	ok(t, err)
	seq, _, _ := log.Last()
	ok(t, log.Close())
	ok(t, old.store(t).WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error {
		if got := s.Knows(is); got != seq || seq == 0 {
			t.Errorf("it knows the log up to %d of %d", got, seq)
		}
		return nil
	}))
	if id, err := old.store(t).Log(); err != nil || id != is {
		t.Errorf("its log is %q, not %q: %v", id, is, err)
	}
}

// What cannot be moved is refused, and stays as it is.
func TestMovingRefuses(t *testing.T) {
	p := newPool(t, 2, 1)
	p.change(t, rand.New(rand.NewPCG(1, 1)), 5)
	p.move(t, key(2), 1, 0)
	other := newPool(t, 3, 1)
	other.change(t, rand.New(rand.NewPCG(1, 1)), 5)
	open, err := eventlog.Open(other.log, eventlog.Options{})
	ok(t, err)
	defer func() { ok(t, open.Close()) }()
	none := newPool(t, 3, 1)
	for _, c := range []struct {
		of   *pool
		log  string
		key  byte
		want string
	}{
		{p, p.log, 2, "already"},
		{p, p.log, 1, "had the key"},
		{p, "", 3, "live changes belong to store"},
		{p, other.log, 3, "a daemon has it open: stop it"},
		{p, filepath.Join(t.TempDir(), "none"), 3, "there is no log of live changes"},
	} {
		to := key(c.key)
		cur, err := c.of.store(t).Current()
		ok(t, err)
		if _, err := rekey.Run(context.Background(), rekey.Options{Store: c.of.store(t), Log: c.log, Key: &to}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.want, err)
		}
		if now, err := c.of.store(t).Current(); err != nil || !now.Same(cur) {
			t.Errorf("%s: the store has %s: %v", c.want, now.Name, err)
		}
	}
	whole(t, p.dir, key(2), ids(key(1)))
	// The log of another store, that nobody has open.
	third := newPool(t, 1, 1)
	third.change(t, rand.New(rand.NewPCG(1, 1)), 5)
	to := key(3)
	if _, err := rekey.Run(context.Background(), rekey.Options{Store: p.store(t), Log: third.log, Key: &to}); err == nil || !strings.Contains(err.Error(), "the log of live changes is") {
		t.Errorf("another log: %v", err)
	}
	// A key that the log names is gone from the store.
	ok(t, os.RemoveAll(filepath.Join(p.dir, "keys")))
	if _, err := rekey.Run(context.Background(), rekey.Options{Store: p.store(t), Log: p.log, Key: &to}); err == nil || !strings.Contains(err.Error(), "they are of key "+ids(key(1))[0]) {
		t.Errorf("without a key that the log names: %v", err)
	}
	// Pinned to another snapshot than the current one.
	cur, err := none.store(t).Current()
	ok(t, err)
	ok(t, none.store(t).Pin(cur))
	ok(t, os.Remove(filepath.Join(none.dir, "CURRENT")))
	if _, err := rekey.Run(context.Background(), rekey.Options{Store: none.store(t), Key: &to}); err == nil || !strings.Contains(err.Error(), "run matchd unpin first") {
		t.Errorf("pinned: %v", err)
	}
}
