package build

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
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
	for seed := range uint64(15) {
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
		if n < 20 {
			t.Errorf("%d persons are %s: the worlds are too simple (%+v)", n, what, total)
		}
	}
}

// An identifier leaves its person, which lives on under the id that was made
// of it, and comes back alone: it is another person with another id.
func TestAnIDIsNotGivenTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := options("", filepath.Join(t.TempDir(), "store"))
	o.Previous = Current
	build := func(day int, crm, links string) map[snapshot.PersonID]*built {
		w := with(map[string]string{"crm.csv": "customer_id\n" + crm, "links.csv": "left,right,method,observed_at\n" + links})
		for name, text := range w {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		o.Config, o.AsOf = filepath.Join(dir, "onboard.yaml"), testAsOf.AddDate(0, 0, day)
		run(t, o)
		now, _ := people(t, o.Store)
		return now
	}
	both := "crm.acme:C-1,crm.acme:C-2,authenticated,2026-10-01\n"
	first := build(0, "C-1\nC-2\n", both)
	person := personOf(first, "crm.acme:C-1")
	for round := range 6 {
		// Whichever of the two made the id, one of the rounds takes it away.
		gone, stays := "C-1", "C-2"
		if round%2 == 1 {
			gone, stays = stays, gone
		}
		left := build(3*round+1, stays+"\n", "cookie.pub:x,crm.acme:"+stays+",observed,2026-10-01\n")
		if p := personOf(left, "crm.acme:"+stays); p.id != person.id {
			t.Fatalf("round %d: the person that lives on changes its id", round)
		}
		back := build(3*round+2, "C-1\nC-2\n", "cookie.pub:x,crm.acme:"+stays+",observed,2026-10-01\n")
		if p := personOf(back, "crm.acme:"+gone); p.id == person.id {
			t.Fatalf("round %d: who comes back has the id of who stayed", round)
		}
		again := build(3*round+3, "C-1\nC-2\n", both)
		if p := personOf(again, "crm.acme:C-1"); len(again) != 1 || p.id != person.id {
			t.Fatalf("round %d: of %d persons that merge the first born does not keep its id", round, len(again))
		}
	}
}

// Without a previous snapshot a person's id depends on its strongest identifier
// and the key alone.
func TestFirstIDDependsOnTheStrongestIdentifier(t *testing.T) {
	t.Parallel()
	id := func(files map[string]string, edit func(*Options)) snapshot.PersonID {
		t.Helper()
		o := options(writeInputs(t, with(files)), filepath.Join(t.TempDir(), "store"))
		if edit != nil {
			edit(&o)
		}
		run(t, o)
		s := openCurrent(t, o.Store)
		secret := testSecret()
		if o.Secret != nil {
			secret = o.Secret
		}
		for shard := range s.RecordShards {
			for p, err := range s.Persons(shard, snapshot.IdentifierHasher(*secret)) {
				if err != nil {
					t.Fatal(err)
				}
				if slices.ContainsFunc(p.Profiles, func(q snapshot.Profile) bool { return string(q.Customer) == "C-1" }) {
					return p.ID
				}
			}
		}
		t.Fatal("C-1 is not found")
		return snapshot.PersonID{}
	}
	want := id(nil, nil)
	for name, c := range map[string]struct {
		files map[string]string
		edit  func(*Options)
		other bool
	}{
		"a later time":        {nil, func(o *Options) { o.AsOf = o.AsOf.AddDate(0, 1, 0) }, false},
		"more shards":         {nil, func(o *Options) { o.Shards = 8 }, false},
		"current of no store": {nil, func(o *Options) { o.Previous = Current }, false},
		"no links":            {map[string]string{"links.csv": "left,right\n"}, nil, false},
		"another email":       {map[string]string{"crm.csv": "customer_id,email\nC-1,zoe@example.com\nC-7,\n"}, nil, false},
		"a key of another":    {nil, func(o *Options) { o.Secret[3] ^= 1 }, true},
	} {
		if got := id(c.files, c.edit); (got != want) != c.other {
			t.Errorf("%s: the id is %x, and was %x", name, got, want)
		}
	}
}

// churn replaces a share of the rows of a world's link files: the device that a
// row names is another one from then on, or its link is somebody else's. As
// many profile rows of the first tenant lose their email.
func churn(t *testing.T, config string, share float64, seed uint64) (changed, rows int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	for name, data := range tree(t, filepath.Dir(config)) {
		if name == "crm/acme-1.csv" {
			forgetEmails(t, filepath.Join(filepath.Dir(config), name), r, share)
		}
		if !strings.HasPrefix(name, "partners/") && !strings.HasPrefix(name, "site/") {
			continue
		}
		lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		for i := range lines[1:] {
			rows++
			if r.Float64() >= share {
				continue
			}
			fields := strings.Split(lines[i+1], ",")
			if r.IntN(3) == 0 { // it links somebody else from then on
				fields[0], _, _ = strings.Cut(lines[1+r.IntN(len(lines)-1)], ",")
				lines[i+1] = strings.Join(fields, ",")
				changed++
				continue
			}
			for at := range 2 {
				if space, _, _ := strings.Cut(fields[at], ":"); strings.HasPrefix(space, "cookie.") {
					fields[at] = fmt.Sprintf("%s:%016x", space, r.Uint64())
				} else if space == "maid" {
					fields[at] = fmt.Sprintf("maid:%08x-0000-4000-8000-%012x", r.Uint32(), r.Uint64()>>16)
				} else {
					continue
				}
				changed++
				break
			}
			lines[i+1] = strings.Join(fields, ",")
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(config), name), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return changed, rows
}

// forgetEmails takes the email out of a share of the rows of a profile file.
func forgetEmails(t *testing.T, path string, r *rand.Rand, share float64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := csv.NewReader(bytes.NewReader(data))
	read.FieldsPerRecord = -1
	rows, err := read.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(rows[0], "email")
	for _, row := range rows[1:] {
		if at < len(row) && r.Float64() < share {
			row[at] = ""
		}
	}
	var out bytes.Buffer
	if err := csv.NewWriter(&out).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// With 5 % of the links churned between two builds, at least 99 % of the
// persons, found by their customers, keep their ids and births; so in a chain.
func TestPersonsKeepTheirIDsUnderChurn(t *testing.T) {
	t.Parallel()
	config, _ := generate(t, 3000)
	o := options(config, filepath.Join(t.TempDir(), "store"))
	o.MaxBadRows, o.Workers, o.Shards, o.Previous = 0.05, 2, 4, Current
	run(t, o)
	before, _ := people(t, o.Store)
	for step := range 3 {
		changed, rows := churn(t, config, 0.05, uint64(step))
		if changed*100 < rows*4 {
			t.Fatalf("%d of %d rows were churned", changed, rows)
		}
		o.AsOf = testAsOf.AddDate(0, 0, step+1)
		run(t, o)
		now, m := people(t, o.Store)
		at := map[string]*built{}
		for _, p := range now {
			for _, id := range p.ids {
				if strings.HasPrefix(id, "crm.") {
					at[id] = p
				}
			}
		}
		kept, total := 0, 0
		for _, p := range before {
			i := slices.IndexFunc(p.ids, func(id string) bool { return strings.HasPrefix(id, "crm.") })
			if i < 0 || at[p.ids[i]] == nil {
				continue
			}
			if total++; at[p.ids[i]].id == p.id && at[p.ids[i]].born == p.born {
				kept++
			}
		}
		if total < 2500 || kept*100 < total*99 {
			t.Errorf("build %d: %d of %d persons keep their ids; %+v", step, kept, total, m.Lineage)
		}
		before = now
	}
}

// A previous snapshot can be named; one that cannot be used is a clear error,
// and nothing is published.
func TestPrevious(t *testing.T) {
	t.Parallel()
	o := options(writeInputs(t, small), filepath.Join(t.TempDir(), "store"))
	first := run(t, o).Snapshot
	o.AsOf, o.Previous = testAsOf.AddDate(0, 0, 1), first
	named := run(t, o)
	if named.Lineage == nil || named.Lineage.Previous != first || named.Lineage.Kept != named.Counts.Persons {
		t.Fatalf("lineage %+v of %d persons", named.Lineage, named.Counts.Persons)
	}
	before := tree(t, o.Store)
	o.AsOf = testAsOf.AddDate(0, 0, 2)
	refused := func(what, want string) {
		t.Helper()
		_, err := Run(context.Background(), o)
		if err == nil || !strings.Contains(err.Error(), "previous snapshot") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", what, err)
		}
		sameTree(t, what, before, tree(t, o.Store))
	}
	o.Previous = "20200101T000000Z-0123456789ab"
	refused("a name that is not there", "20200101T000000Z-0123456789ab")
	o.Previous = "../other"
	refused("no name", "other")
	// A snapshot that another key made, put into the store.
	other := options(o.Config, filepath.Join(t.TempDir(), "store"))
	other.Secret[0] ^= 1
	foreign := run(t, other).Snapshot
	if err := os.CopyFS(filepath.Join(o.Store, "snapshots", foreign), os.DirFS(filepath.Join(other.Store, "snapshots", foreign))); err != nil {
		t.Fatal(err)
	}
	before = tree(t, o.Store)
	o.Previous = foreign
	refused("another key's", "key")
	for _, file := range []string{"records-0000", "manifest"} {
		path := filepath.Join(o.Store, "snapshots", first, file)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := flipBit(path, int64(len(good)/2)); err != nil {
			t.Fatal(err)
		}
		before = tree(t, o.Store)
		o.Previous = first
		refused("a damaged "+file, file)
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, o)
}
