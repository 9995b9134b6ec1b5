package build

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// built is a person of a snapshot.
type built struct {
	id   snapshot.PersonID
	born int64
	ids  []string // its identifiers, sorted
}

// people reads the persons of a store's current snapshot.
func people(t testing.TB, store string) (out map[snapshot.PersonID]*built, m snapshot.Manifest) {
	t.Helper()
	s, _ := openStore(t, store)
	out = map[snapshot.PersonID]*built{}
	for shard := range s.RecordShards {
		for p, err := range s.Persons(shard, snapshot.IdentifierHasher(*testSecret())) {
			if err != nil {
				t.Fatal(err)
			}
			if out[p.ID] != nil {
				t.Fatalf("two persons have the id %x", p.ID)
			}
			b := &built{id: p.ID, born: p.Born}
			for i := range p.Nodes {
				b.ids = append(b.ids, string(s.Namespaces.AppendText(nil, p.Nodes[i].Namespace, p.Nodes[i].Value)))
			}
			slices.Sort(b.ids)
			out[p.ID] = b
		}
	}
	m = s.Manifest
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if int(m.Counts.Persons) != len(out) {
		t.Fatalf("%d persons are counted, %d there", m.Counts.Persons, len(out))
	}
	return out, m
}

// personOf finds the person of an identifier.
func personOf(persons map[snapshot.PersonID]*built, id string) *built {
	for _, p := range persons {
		if slices.Contains(p.ids, id) {
			return p
		}
	}
	return nil
}

// evolving is a world that changes from build to build.
type evolving struct {
	r         *rand.Rand
	customers map[string]bool
	links     map[[2]string]string // to their methods
	ns        *index.Namespaces
	hasher    index.Hasher
}

func newEvolving(t testing.TB, seed uint64) *evolving {
	t.Helper()
	ns, err := index.NewNamespaces(append(index.Builtin(), index.Namespace{Name: "cookie.pub"}, index.Namespace{Name: "crm.acme"}))
	if err != nil {
		t.Fatal(err)
	}
	return &evolving{
		r: rand.New(rand.NewPCG(seed, 9)), customers: map[string]bool{}, links: map[[2]string]string{},
		ns: ns, hasher: snapshot.IdentifierHasher(*testSecret()),
	}
}

func (w *evolving) name(n int) string {
	i := w.r.IntN(n)
	switch w.r.IntN(5) {
	case 0, 1:
		return fmt.Sprint("crm.acme:C-", i)
	case 2:
		return fmt.Sprintf("email_sha256:%064x", i+16)
	case 3:
		return fmt.Sprintf("phone_sha256:%064x", i+16)
	}
	return fmt.Sprint("cookie.pub:", i, "x")
}

// change drops and adds some rows.
func (w *evolving) change(rows int) {
	const n = 9
	for _, k := range slices.SortedFunc(maps.Keys(w.links), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		if w.r.IntN(6) == 0 {
			delete(w.links, k)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(w.customers)) {
		if w.r.IntN(8) == 0 {
			delete(w.customers, c)
		}
	}
	for range rows {
		a, b := w.name(n), w.name(n)
		if a != b {
			w.links[[2]string{min(a, b), max(a, b)}] = []string{"authenticated", "authenticated", "observed", "inferred"}[w.r.IntN(4)]
		}
		if c := w.name(n); strings.HasPrefix(c, "crm.") {
			w.customers[c] = true
		}
	}
	w.customers["crm.acme:Z"] = true // so that no file is empty
}

// write writes the world over its files.
func (w *evolving) write(t testing.TB, dir string) string {
	t.Helper()
	crm, links := "customer_id\n", "left,right,method,observed_at\n"
	for _, c := range slices.Sorted(maps.Keys(w.customers)) {
		crm += strings.TrimPrefix(c, "crm.acme:") + "\n"
	}
	for k, m := range w.links {
		links += fmt.Sprintf("%s,%s,%s,2026-10-01\n", k[0], k[1], m)
	}
	for name, text := range map[string]string{
		"onboard.yaml": small["onboard.yaml"], "crm.csv": crm, "links.csv": links,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "onboard.yaml")
}

// given reports whether an identifier is in the input.
func (w *evolving) given(id string) bool {
	if w.customers[id] {
		return true
	}
	for k := range w.links {
		if k[0] == id || k[1] == id {
			return true
		}
	}
	return false
}

// heir is the strongest identifier of a person that is still given: a customer
// before an email, a phone, a device; of several the one with the smallest
// hash. It is "" where none is given.
func (w *evolving) heir(t testing.TB, p *built) (heir string) {
	t.Helper()
	weight := func(id string) int {
		return slices.IndexFunc([]string{"crm.", "email_", "phone_", ""}, func(prefix string) bool { return strings.HasPrefix(id, prefix) })
	}
	hash := func(id string) index.Hash {
		key, _, err := w.ns.AppendKey(nil, []byte(id))
		if err != nil {
			t.Fatal(err)
		}
		return w.hasher.Sum(key)
	}
	for _, id := range p.ids {
		if w.given(id) && (heir == "" || cmp.Or(cmp.Compare(weight(id), weight(heir)), hash(id).Compare(hash(heir))) < 0) {
			heir = id
		}
	}
	return heir
}

// checkLineage compares what became of the persons before with a naive count,
// and returns it.
func (w *evolving) checkLineage(t testing.TB, before, now map[snapshot.PersonID]*built, m snapshot.Manifest, used map[snapshot.PersonID]bool) snapshot.Lineage {
	t.Helper()
	heirs := map[*built][]*built{} // by person now: those before whose heir it has
	known := map[*built]bool{}
	for _, p := range before {
		if heir := w.heir(t, p); heir != "" {
			if at := personOf(now, heir); at != nil {
				heirs[at] = append(heirs[at], p)
			}
		}
		for _, id := range p.ids {
			if at := personOf(now, id); at != nil {
				known[at] = true
			}
		}
	}
	want := snapshot.Lineage{Previous: m.Lineage.Previous}
	for id, p := range now {
		list := heirs[p]
		if len(list) == 0 {
			if used[id] {
				t.Fatalf("the id of %q, which is of nobody before, was somebody's", p.ids)
			}
			if p.born != m.AsOf.Unix() {
				t.Fatalf("%q is born at %d", p.ids, p.born)
			}
			if known[p] {
				want.Split++
			} else {
				want.New++
			}
			continue
		}
		oldest := slices.MinFunc(list, func(a, b *built) int {
			return cmp.Or(cmp.Compare(a.born, b.born), bytes.Compare(a.id[:], b.id[:]))
		})
		if oldest.id != id || oldest.born != p.born {
			t.Fatalf("%q has the id %x and the birth %d, want those of %q, %x and %d", p.ids, id, p.born, oldest.ids, oldest.id, oldest.born)
		}
		want.Kept++
		want.Merged += int64(len(list) - 1)
	}
	want.Gone = int64(len(before)) - want.Kept - want.Merged
	if *m.Lineage != want {
		t.Fatalf("the manifest counts %+v, want %+v", *m.Lineage, want)
	}
	return want
}

// Chains of builds of worlds that change at random: persons keep their ids, and
// the manifest counts them, as a naive recount of the snapshots says; an id
// that was somebody's is never given to somebody else.
func TestLineageAgreesWithANaiveRecount(t *testing.T) {
	t.Parallel()
	var total snapshot.Lineage
	worlds := uint64(15)
	if testing.Short() {
		worlds = 8
	}
	for seed := range worlds {
		w := newEvolving(t, seed)
		dir := t.TempDir()
		o := options(w.write(t, dir), filepath.Join(t.TempDir(), "store"))
		o.Previous = Current
		var before map[snapshot.PersonID]*built
		used := map[snapshot.PersonID]bool{}
		for step := range 7 {
			w.change(12)
			w.write(t, dir)
			o.AsOf = testAsOf.AddDate(0, 0, step)
			report := run(t, o)
			now, m := people(t, o.Store)
			if step == 0 {
				if m.Lineage != nil {
					t.Fatalf("a first build tells of %+v", m.Lineage)
				}
			} else {
				l := w.checkLineage(t, before, now, m, used)
				if *report.Lineage != l {
					t.Fatalf("the report counts %+v, the manifest %+v", *report.Lineage, l)
				}
				total.Kept += l.Kept
				total.New += l.New
				total.Merged += l.Merged
				total.Split += l.Split
				total.Gone += l.Gone
			}
			for id := range now {
				used[id] = true
			}
			before = now
		}
	}
	for what, n := range map[string]int64{"kept": total.Kept, "new": total.New, "merged": total.Merged, "split": total.Split, "gone": total.Gone} {
		if n < int64(worlds*4/3) {
			t.Errorf("%d persons are %s: the worlds are too simple (%+v)", n, what, total)
		}
	}
}
