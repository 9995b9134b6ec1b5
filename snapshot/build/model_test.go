package build

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/normalise"
	"github.com/matchd/matchd/snapshot/build/spill"
	"github.com/matchd/matchd/snapshot/resolve"
)

// world is a random graph of few identifiers, as plain text, and the naive
// answers about it.
type world struct {
	cfg   *config.Config
	links []worldLink
	rows  []worldRow
	live  *worldLive // nil where there are no live changes
}

type worldLink struct {
	a, b   string
	source uint16
	method snapshot.Method
	seen   snapshot.Day
}

type worldRow struct {
	customer string // with its namespace
	tenant   uint16
	kind     snapshot.Kind
	age      int // of its file, in days
	segments []string
	consent  snapshot.ConsentState
	contacts []string
}

// ownSourcesOnly is how many sources are the tenants' own, and come first.
const ownSourcesOnly = 2

// modelConfig is a pool of two tenants, one under consent.
func modelConfig(t testing.TB, anonymous bool) *config.Config {
	t.Helper()
	c, err := config.Parse(fmt.Appendf(nil, `
version: 1
keep_anonymous: %t
namespaces: [cookie.pub]
tenants:
  - {name: acme, legal_basis: consent, profiles: [{path: a.csv}]}
  - {name: beta, legal_basis: contract, profiles: [{path: b.csv}]}
links:
  - {path: l.csv, source: pub, party: second}
  - {path: l.csv, source: pub, party: third}
  - {path: l.csv, source: site, party: first}
`, anonymous), ".")
	if err != nil {
		t.Fatal(err)
	}
	c.AsOf = testAsOf
	return c
}

// names of identifiers in a world; the profiles are crm ones. Where a world is
// of few people, most of them are devices, so that persons have cycles.
func worldName(r *rand.Rand, n int, few bool) string {
	i, kind := r.IntN(n), r.IntN(6)
	if few && r.IntN(4) > 0 {
		i, kind = i/2, 5
	} else if few {
		i = r.IntN(2)
	}
	switch kind {
	case 0:
		return fmt.Sprint("crm.acme:C-", i)
	case 1:
		return fmt.Sprint("crm.beta:C-", i)
	case 2:
		return fmt.Sprintf("email_sha256:%064x", i+16)
	case 3:
		return fmt.Sprintf("phone_sha256:%064x", i+16)
	case 4:
		return fmt.Sprintf("postal_sha256:%064x", i+16)
	}
	if r.IntN(2) == 0 {
		return fmt.Sprintf("maid:6d92078a-8246-4ba4-ae5b-%012x", i)
	}
	return fmt.Sprint("cookie.pub:", i, "x")
}

func newWorld(t testing.TB, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 0))
	w := &world{cfg: modelConfig(t, r.IntN(2) == 0)}
	if r.IntN(2) == 0 { // otherwise the rules are the default ones
		w.cfg.Rules = resolve.Rules{
			MaxIdentifiers: 2 + r.IntN(10), MaxOnDevice: 1 + r.IntN(3), MaxOnContact: 1 + r.IntN(3), Shared: resolve.Shared(r.IntN(2)),
		}
	}
	n, few := 1+r.IntN(12), r.IntN(2) == 0
	newest, _ := snapshot.DayOf(testAsOf)
	hub := worldName(r, n, false) // in a third of the worlds, what many are linked to
	hubs := max(0, r.IntN(3)-1) * 2 * n
	for i := range r.IntN(4*n) + hubs {
		left := worldName(r, n, few)
		if i < hubs {
			left = hub
		}
		l := worldLink{
			a: left, b: worldName(r, n, few && i >= hubs), source: uint16(ownSourcesOnly + r.IntN(3)),
			method: snapshot.Method(r.IntN(4)), seen: newest - snapshot.Day(r.IntN(5)*130),
		}
		if l.a != l.b {
			w.links = append(w.links, l)
		}
	}
	for range r.IntN(3 * n) {
		row := worldRow{tenant: uint16(r.IntN(2)), kind: snapshot.Kind(r.IntN(8) / 7), age: r.IntN(2) * 7}
		row.customer = fmt.Sprintf("crm.%s:C-%d", w.cfg.Tenants[row.tenant].Name, r.IntN(n))
		for _, s := range []string{"a", "b", "c"} {
			if r.IntN(2) == 0 {
				row.segments = append(row.segments, s)
			}
		}
		if r.IntN(4) > 0 {
			row.consent = snapshot.ConsentState{At: 1_700_000_000 + int64(r.IntN(3)), Purposes: snapshot.Purposes(1 + r.IntN(3))}
		}
		if r.IntN(2) > 0 {
			row.consent.Expires = 1_900_000_000 + int64(r.IntN(3))
		}
		w.rows = append(w.rows, row)
	}
	return w
}

// build runs the stages after reading on the world, its rows in random order,
// and opens what they write.
func (w *world) build(t testing.TB, seed uint64, shards int) (*snapshot.Snapshot, map[string][]byte) {
	t.Helper()
	disk := &memory{files: map[string]*memoryFile{}}
	b := &builder{
		opts: Options{Workers: 1 + int(seed%2), Shards: shards, FS: disk}, cfg: w.cfg, secret: *testSecret(),
		report: Report{Stages: map[string]string{}, Read: ReadReport{BadFields: map[string]int64{}}},
	}
	if err := b.prepareConfig(); err != nil {
		t.Fatal(err)
	}
	b.space = spill.NewSpace(func() (string, error) { return t.TempDir(), nil }, int64(seed%3)*20_000)
	if w.live != nil {
		b.live, b.report.Live = w.live.given(t, w), &LiveReport{}
		b.former = snapshot.Keys{Former: w.live.former}.IdentifierHashers()
	}
	n := w.number(t, b, rand.New(rand.NewPCG(seed, 1)))
	ctx := context.Background()
	g, oldest, err := b.connect(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := b.describe(n, rowSum{rows: seed}, oldest)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.resolve(ctx, n, g, meta)
	if err != nil {
		t.Fatal(err)
	}
	_, hash, err := b.writeFiles(ctx, "", r, meta)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.space.Close(); err != nil {
		t.Fatal(err)
	}
	if w.live != nil {
		b.report.Live.add(&w.live.rows)
		w.live.did = *b.report.Live
	}
	files := map[string][]byte{}
	for name, f := range disk.files {
		files[name] = f.Bytes()
	}
	s, err := snapshot.OpenBytes(files, hash)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(snapshot.IdentifierHasher(b.secret)); err != nil {
		t.Fatal(err)
	}
	return s, files
}

// number is the world as the numbering stage leaves it, its rows in a random
// order.
func (w *world) number(t testing.TB, b *builder, r *rand.Rand) *numbering {
	t.Helper()
	read := &reader{
		ns: b.ns, tracer: b.tracer, asOf: b.cfg.AsOf.Unix(), ids: snapshot.IdentifierHasher(b.secret), oldest: b.oldest, codes: newCodes(), rows: &b.progress.rows,
		to: b.space.Store("rows", partitions), former: formerHashes{},
	}
	var err error
	if read.live, err = b.liveRules(read.ids); err != nil {
		t.Fatal(err)
	}
	out := read.newWriter()
	out.cache = map[string]uint32{}
	id := func(text string) normalise.Identifier {
		key, ns, err := b.ns.AppendKey(nil, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return normalise.Identifier{Namespace: ns, Key: key}
	}
	newest, _ := snapshot.DayOf(testAsOf)
	for _, i := range r.Perm(len(w.links)) {
		l := w.links[i]
		if r.IntN(2) == 0 {
			l.a, l.b = l.b, l.a
		}
		if err := out.link(&normalise.Link{Left: id(l.a), Right: id(l.b), Method: l.method, Source: l.source, Seen: l.seen, At: l.at()}); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range r.Perm(len(w.rows)) {
		o := w.rows[i]
		clear(out.cache)
		if out.r.live != nil && w.live.forgotten(t, out, &o) {
			continue
		}
		ids := []normalise.Identifier{id(o.customer)}
		for _, c := range o.contacts {
			ids = append(ids, id(c))
		}
		err := out.profile(&normalise.Profile{
			Tenant: o.tenant, Source: ownSources(w.cfg)[o.tenant], Kind: o.kind, Consent: o.consent, Segments: o.segments, Seen: newest - snapshot.Day(o.age),
			Identifiers: ids,
		}, testAsOf.AddDate(0, 0, -o.age).Unix())
		if err != nil {
			t.Fatal(err)
		}
	}
	if b.live != nil {
		read.former.merge(out.former)
		if err := b.writeLive(read); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.out.Close(); err != nil {
		t.Fatal(err)
	}
	if w.live != nil {
		w.live.rows = *out.did
	}
	n := b.numbering(read.codes, read.to)
	n.former = read.former
	if err := n.run(context.Background(), b.begin("number")); err != nil {
		t.Fatal(err)
	}
	return n
}

// Random worlds, hundreds of them: what connects is one person, with all its
// links and profiles, found by every identifier; all else leads nowhere.
func TestSnapshotAgreesWithANaiveModel(t *testing.T) {
	t.Parallel()
	worlds := 600
	if testing.Short() {
		worlds = 100
	}
	total := map[string]int{}
	for seed := range uint64(worlds) {
		w := newWorld(t, seed)
		s, _ := w.build(t, seed, 1<<(seed%3))
		checkWorld(t, fmt.Sprint("world ", seed), w, s, total)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, what := range []string{"found", "left out", "absent", "cut", "several profiles", "anonymous", "spares"} {
		if total[what] < worlds/10 {
			t.Errorf("%s: %d, too few for %d worlds", what, total[what], worlds)
		}
	}
}

func checkWorld(t testing.TB, what string, w *world, s *snapshot.Snapshot, total map[string]int) {
	t.Helper()
	persons := map[snapshot.PersonID]bool{}
	for _, id := range w.names() {
		members, shared := w.component(t, id)
		var profiles []string
		for _, m := range members {
			if p := w.profileText(m); p != "" {
				profiles = append(profiles, p)
			}
		}
		slices.Sort(profiles)
		addr, r, ok := findRecord(t, s, id)
		if kept := !shared && (len(profiles) > 0 || w.cfg.KeepAnonymous && len(members) > 1); ok != kept {
			t.Fatalf("%s: %s is found: %t, want %t", what, id, ok, kept)
		}
		if !ok {
			total["left out"]++
			continue
		}
		gotMembers, gotProfiles, gotLinks := personText(t, w, s, addr, r)
		if !slices.Equal(gotMembers, members) {
			t.Fatalf("%s: the person of %s is %q, want %q", what, id, gotMembers, members)
		}
		if !slices.Equal(gotProfiles, profiles) {
			t.Fatalf("%s: the profiles of %s are\n%q, want\n%q", what, id, gotProfiles, profiles)
		}
		if want := w.wantLinks(members); !slices.Equal(gotLinks, want) {
			t.Fatalf("%s: the links of %s are\n%q, want\n%q", what, id, gotLinks, want)
		}
		persons[r.ID] = true
		total["found"]++
		total["cut"] += min(1, len(w.connected(id))-len(members))
		total["several profiles"] += min(1, len(profiles)/2)
		total["anonymous"] += 1 - min(1, len(profiles))
		total["spares"] += r.Spares()
	}
	if int(s.Counts.Persons) != len(persons) {
		t.Fatalf("%s: %d persons are counted, %d found", what, s.Counts.Persons, len(persons))
	}
	for i := range 50 {
		if _, _, ok := findRecord(t, s, fmt.Sprint("cookie.pub:absent", i)); ok {
			t.Fatalf("%s: absent identifier %d is found", what, i)
		}
		total["absent"]++
	}
}

// Rows in another order and another number of workers give the same bytes,
// also where rows contradict one another: worlds are full of that.
func TestWorldsDoNotDependOnOrder(t *testing.T) {
	t.Parallel()
	worlds := uint64(80)
	if testing.Short() {
		worlds = 15
	}
	for seed := range worlds {
		w := newWorld(t, seed)
		a, files := w.build(t, 2*seed, 2)
		for i := range uint64(2) {
			p := *w
			p.rows, p.links = slices.Clone(w.rows), slices.Clone(w.links)
			slices.SortFunc(p.rows, func(x, y worldRow) int { return cmp.Compare(fmt.Sprint(x), fmt.Sprint(y)) })
			slices.Reverse(p.links)
			if i == 1 {
				slices.Reverse(p.rows)
			}
			b, other := p.build(t, 2*seed, 2)
			sameTree(t, fmt.Sprint("world ", seed), files, other)
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Worlds through files: what is read from CSV makes the same persons as what
// is put into the graph by hand.
func TestFilesAgreeWithANaiveModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		w := newWorld(t, seed)
		o := options(w.write(t), filepath.Join(t.TempDir(), "store"))
		if len(w.rows)+len(w.links) == 0 {
			continue
		}
		run(t, o)
		checkWorld(t, fmt.Sprint("world ", seed), w, openCurrent(t, o.Store), map[string]int{})
	}
}
