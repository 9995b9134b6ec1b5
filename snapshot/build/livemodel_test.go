package build

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/normalise"
)

// worldLive is what live changes of a world come to, as text. Times are in
// nanoseconds.
type worldLive struct {
	links    []LiveLink
	segments []LiveSegment
	consents []LiveConsent
	out      map[string][]string // identifiers, and the tenants that they are opted out for
	erased   map[string]worldErasure

	// former are keys that the store had before, and keys is what opt-outs and
	// erasures are by: see under.
	former []index.Secret
	keys   uint64

	rows, did LiveReport // of the last build: of the rows alone, and of all
}

// under returns the key that what is said of an identifier to a tenant was said
// under: the store's, or one that it had before.
func (l *worldLive) under(id, tenant string) index.Secret {
	h := fnv.New64a()
	fmt.Fprint(h, l.keys, id, tenant)
	if n := h.Sum64() >> 32 % uint64(len(l.former)+1); n > 0 {
		return l.former[n-1]
	}
	return *testSecret()
}

type worldErasure struct {
	tenants  []string
	contacts []string
}

func (l worldLink) at() int64 {
	return int64(l.seen) * int64(24*time.Hour)
}

func (r *worldRow) asOf() int64 { return testAsOf.AddDate(0, 0, -r.age).UnixNano() }

// newLive makes a world of people with contacts, of whom live changes tell.
func newLive(t testing.TB, seed uint64) *world {
	w := newWorld(t, seed)
	w.cfg.Live = true
	// The sources' numbers are others where there is one more of them.
	sources := w.cfg.Sources()
	for i := range w.links {
		w.links[i].source, _ = config.SourceID(sources, []snapshot.Source{
			{Name: "pub", Party: snapshot.SecondParty}, {Name: "pub", Party: snapshot.ThirdParty}, {Name: "site", Party: snapshot.FirstParty},
		}[int(w.links[i].source)-ownSourcesOnly])
	}
	r := rand.New(rand.NewPCG(seed, 7))
	n := 2 + r.IntN(8)
	contact := func() string {
		return fmt.Sprintf("%s_sha256:%064x", []string{"email", "phone", "postal"}[r.IntN(3)], r.IntN(n)+16)
	}
	for i := range w.rows {
		for range r.IntN(3) {
			w.rows[i].contacts = append(w.rows[i].contacts, contact())
		}
		slices.Sort(w.rows[i].contacts)
		w.rows[i].contacts = slices.Compact(w.rows[i].contacts)
	}
	l := &worldLive{out: map[string][]string{}, erased: map[string]worldErasure{}}
	w.live = l
	tenants := func(own string) []string {
		return [][]string{{AllTenants}, {own}, {own}, {own}}[r.IntN(4)]
	}
	when := func() int64 { // around the times of rows and files
		return testAsOf.AddDate(0, 0, -r.IntN(5)*130).UnixNano() + []int64{-7 * int64(24*time.Hour), -1, 0, 1}[r.IntN(4)]
	}
	pairs := map[[2]string]bool{}
	for range r.IntN(2 * n) {
		k := LiveLink{Left: worldName(r, n, false), Right: worldName(r, n, false), At: when(), Linked: r.IntN(2) == 0}
		if len(w.links) > 0 && r.IntN(2) == 0 {
			some := w.links[r.IntN(len(w.links))]
			k.Left, k.Right = some.a, some.b
		}
		if len(w.rows) > 0 && r.IntN(4) == 0 {
			some := w.rows[r.IntN(len(w.rows))]
			k.Left, k.Right = some.customer, contact()
		}
		pair := [2]string{min(k.Left, k.Right), max(k.Left, k.Right)}
		if k.Left == k.Right || pairs[pair] {
			continue
		}
		if pairs[pair] = true; k.Linked {
			k.Method = snapshot.Method(r.IntN(4))
		}
		l.links = append(l.links, k)
	}
	for _, c := range []string{"crm.acme:C-", "crm.beta:C-"} {
		own := strings.TrimSuffix(strings.TrimPrefix(c, index.CRMPrefix), ":C-")
		for i := range n {
			c := fmt.Sprint(c, i)
			if r.IntN(4) == 0 {
				x := worldErasure{tenants: tenants(own)}
				for range r.IntN(2) {
					x.contacts = append(x.contacts, contact())
				}
				l.erased[c] = x
				continue
			}
			for _, code := range []string{"a", "b", "d"} {
				if r.IntN(3) == 0 {
					s := LiveSegment{Customer: c, Code: code, At: when(), Added: r.IntN(2) == 0}
					s.Until = []int64{0, testAsOf.Unix(), testAsOf.Unix() + 1}[r.IntN(3)]
					l.segments = append(l.segments, s)
				}
			}
			if r.IntN(3) == 0 {
				k := LiveConsent{Customer: c, At: (1_700_000_000+int64(r.IntN(3)))*1e9 + int64(r.IntN(2)), Granted: r.IntN(2) == 0}
				if r.IntN(2) == 0 {
					k.At = when()
				}
				if k.Granted {
					k.Purposes, k.Until = snapshot.Purposes(1+r.IntN(3)), []int64{0, 1_900_000_000}[r.IntN(2)]
				}
				l.consents = append(l.consents, k)
			}
		}
	}
	if seed%2 == 1 { // the store was moved once, or twice
		l.keys = seed
		for i := range 1 + seed/2%2 {
			l.former = append(l.former, index.Secret{100 + byte(i)})
		}
		for id, x := range l.erased { // for one of them before, for the other since
			if x.tenants[0] == AllTenants {
				x.tenants = []string{"acme", "beta"}
				l.erased[id] = x
			}
		}
	}
	for range r.IntN(4) {
		l.out[worldName(r, n, false)] = [][]string{{AllTenants}, {"acme"}, {"acme", "beta"}, {"beta", "nobody"}}[r.IntN(4)]
	}
	return w
}

// hashOf is the hash of an identifier of the world under a key.
func (w *world) hashOf(t testing.TB, secret index.Secret, text string) index.Hash {
	t.Helper()
	ns, err := w.cfg.NamespaceTable()
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := ns.AppendKey(nil, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return snapshot.IdentifierHasher(secret).Sum(key)
}

// given is what the builder is given.
func (l *worldLive) given(t testing.TB, w *world) *Live {
	live := &Live{
		Log: strings.Repeat("0a", 16), Seq: 9,
		Links: slices.Values(l.links), Segments: slices.Values(l.segments), Consents: slices.Values(l.consents),
	}
	var outs []LiveOptOut
	for id, tenants := range l.out {
		for key, some := range l.byKey(id, tenants) {
			outs = append(outs, LiveOptOut{w.hashOf(t, key, id), some})
		}
	}
	var erasures []LiveErasure
	for id, x := range l.erased {
		for key, some := range l.byKey(id, x.tenants) {
			e := LiveErasure{Customer: w.hashOf(t, key, id), Tenants: some}
			for _, c := range x.contacts {
				e.Contacts = append(e.Contacts, w.hashOf(t, key, c))
			}
			erasures = append(erasures, e)
		}
	}
	live.OptOuts, live.Erasures = slices.Values(outs), slices.Values(erasures)
	return live
}

// byKey parts tenants by the key under which each was told of an identifier.
func (l *worldLive) byKey(id string, tenants []string) map[index.Secret][]string {
	out := map[index.Secret][]string{}
	for _, tenant := range tenants {
		key := l.under(id, tenant)
		out[key] = append(out[key], tenant)
	}
	return out
}

// renamed is what a snapshot has to say of identifiers that are in it: each hash
// under a former key on which something hangs.
func (w *world) renamed(t testing.TB, there func(id string) bool) (list []snapshot.Renamed) {
	add := func(id string, key index.Secret) {
		if key != *testSecret() && there(id) {
			list = append(list, snapshot.Renamed{Old: w.hashOf(t, key, id), New: w.hashOf(t, *testSecret(), id)})
		}
	}
	for id, tenants := range w.live.out {
		for key := range w.live.byKey(id, tenants) {
			add(id, key)
		}
	}
	for id, x := range w.live.erased {
		for key := range w.live.byKey(id, x.tenants) {
			add(id, key)
			for _, c := range x.contacts {
				add(c, key)
			}
		}
	}
	slices.SortFunc(list, snapshot.Renamed.Compare)
	return slices.Compact(list)
}

// forgotten does with the row of an erased customer what the reader does.
func (l *worldLive) forgotten(t testing.TB, w *rowWriter, o *worldRow) bool {
	t.Helper()
	if _, ok := l.erased[o.customer]; !ok {
		return false
	}
	key := func(text string) normalise.Identifier {
		k, ns, err := w.r.ns.AppendKey(nil, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return normalise.Identifier{Namespace: ns, Key: k}
	}
	tenants, _ := w.erased(w.hash(key(o.customer).Key))
	for _, c := range o.contacts {
		if err := w.withhold(w.hash(key(c).Key), tenants); err != nil {
			t.Fatal(err)
		}
	}
	return true
}

func ofTenant(id string) (tenant string, ok bool) {
	rest, ok := strings.CutPrefix(id, index.CRMPrefix)
	tenant, _, _ = strings.Cut(rest, ":")
	return tenant, ok
}

// outForAll reports whether an identifier is opted out for both tenants.
func (l *worldLive) outForAll(id string) bool {
	t := l.out[id]
	return slices.Contains(t, AllTenants) || slices.Contains(t, "acme") && slices.Contains(t, "beta")
}

func (l *worldLive) gone(id string) bool {
	_, erased := l.erased[id]
	return erased || l.outForAll(id)
}

// apart reports whether a pair was unlinked at a time or later; or ever, where what
// says otherwise is of the build's own time.
func (l *worldLive) apart(a, b string, at int64) bool {
	return slices.ContainsFunc(l.links, func(k LiveLink) bool {
		return !k.Linked && (k.At >= at || at == testAsOf.UnixNano()) && (k.Left == a && k.Right == b || k.Left == b && k.Right == a)
	})
}

// segment is whether a customer is in a segment, which files of a time say or
// not.
func (l *worldLive) segment(customer, code string, files int64, in bool) bool {
	if l == nil {
		return in
	}
	for _, s := range l.segments {
		if s.Customer != customer || s.Code != code || s.Until != 0 && s.Until <= testAsOf.Unix() {
			continue
		}
		if s.At > files {
			return s.Added
		}
		if s.At == files || !s.Added && files == testAsOf.UnixNano() {
			return in && s.Added
		}
	}
	return in
}

// consent is said, or the customer's own word where that is later.
func (l *worldLive) consent(customer string, files int64, said []snapshot.ConsentState, t *config.Tenant) []snapshot.ConsentState {
	if l == nil {
		return said
	}
	stated := int64(0)
	for _, c := range said {
		stated = max(stated, c.At)
	}
	if t.LegalBasis == snapshot.Consent && slices.ContainsFunc(said, func(c snapshot.ConsentState) bool { return c.At == 0 }) {
		stated = 0
	}
	timed := stated != 0
	if stated *= 1e9; !timed {
		stated = files
	}
	for _, c := range l.consents {
		switch {
		case c.Customer != customer:
		case !c.Granted && (c.At >= stated || !timed):
			return []snapshot.ConsentState{{At: c.At / 1e9}}
		case c.Granted && c.At > stated:
			return []snapshot.ConsentState{{At: c.At / 1e9, Purposes: c.Purposes, Expires: c.Until}}
		}
	}
	return said
}

// withheldFrom are the tenants that must not use a contact identifier.
func (w *world) withheldFrom(id string) map[string]bool {
	out := map[string]bool{}
	for customer, x := range w.live.erased {
		named := slices.Contains(x.contacts, id)
		for _, r := range w.rows {
			named = named || r.customer == customer && slices.Contains(r.contacts, id)
		}
		for _, tenant := range x.tenants {
			if !named {
				continue
			}
			if out[tenant] = true; tenant == AllTenants {
				out["acme"], out["beta"] = true, true
			}
		}
	}
	return out
}

// lived is the world as live changes leave it: what the files would have to say
// for the same persons to come of them.
func (w *world) lived(t testing.TB) *world {
	out := &world{cfg: w.cfg, live: w.live}
	withheld := map[string]map[string]bool{}
	from := func(id, other string) bool {
		if withheld[id] == nil {
			withheld[id] = w.withheldFrom(id)
		}
		tenant, ok := ofTenant(other)
		return ok && withheld[id][tenant] || withheld[id]["acme"] && withheld[id]["beta"]
	}
	add := func(l worldLink, at int64) {
		if !w.live.gone(l.a) && !w.live.gone(l.b) && !w.live.apart(l.a, l.b, at) && !from(l.a, l.b) && !from(l.b, l.a) {
			out.links = append(out.links, l)
		}
	}
	for _, l := range w.links {
		add(l, l.at())
	}
	newest, _ := snapshot.DayOf(testAsOf)
	for _, r := range w.rows {
		if w.live.gone(r.customer) {
			continue
		}
		out.rows = append(out.rows, r)
		for _, c := range r.contacts {
			add(worldLink{a: r.customer, b: c, source: ownSources(w.cfg)[r.tenant], method: snapshot.Authenticated, seen: newest - snapshot.Day(r.age)}, r.asOf())
		}
	}
	source, _ := config.SourceID(w.cfg.Sources(), config.LiveSource())
	for _, k := range w.live.links {
		if day, _ := snapshot.DayOf(time.Unix(0, k.At)); k.Linked {
			add(worldLink{a: k.Left, b: k.Right, source: source, method: k.Method, seen: min(day, newest)}, 1<<62)
		}
	}
	for {
		gone := map[string]bool{}
		for _, id := range out.names() {
			if by := w.withheldFrom(id); len(by) > 0 && !out.othersHave(t, id, by) {
				gone[id] = true
			}
		}
		if len(gone) == 0 {
			return out
		}
		out.links = slices.DeleteFunc(out.links, func(l worldLink) bool { return gone[l.a] || gone[l.b] })
	}
}

// othersHave reports whether somebody is a person with id who is a customer of
// another tenant than those.
func (w *world) othersHave(t testing.TB, id string, but map[string]bool) bool {
	members, _ := w.component(t, id)
	return slices.ContainsFunc(members, func(m string) bool {
		tenant, ok := ofTenant(m)
		return ok && !but[tenant] && len(w.newestRows(m)) > 0
	})
}

// Live changes make the same persons as files that say what they come to, under
// whatever keys of the store they were made; the snapshot says on which of its
// identifiers something hangs under former ones.
func TestLiveAgreesWithANaiveModel(t *testing.T) {
	t.Parallel()
	worlds := 400
	if testing.Short() {
		worlds = 60
	}
	total, dropped := map[string]int{}, LiveReport{}
	for seed := range uint64(worlds) {
		w := newLive(t, seed)
		s, files := w.build(t, seed, 1<<(seed%3))
		what := fmt.Sprint("world ", seed)
		lived := w.lived(t)
		checkWorld(t, what, lived, s, total)
		there := lived.names()
		for _, id := range slices.Concat(w.names(), w.contacts()) {
			if slices.Contains(there, id) {
				continue
			}
			total["gone"]++
			if _, _, ok := findRecord(t, s, id); ok {
				t.Fatalf("%s: %s is found", what, id)
			}
			if strings.Contains(string(files[snapshot.QuarantineJSON]), `"`+id+`"`) {
				t.Fatalf("%s: %s is named in %s", what, id, snapshot.QuarantineJSON)
			}
		}
		want := w.renamed(t, func(id string) bool { _, _, ok := findRecord(t, s, id); return ok })
		if total["renamed"] += len(want); !slices.Equal(s.Renamed, want) {
			t.Fatalf("%s: %v are renamed, not %v", what, s.Renamed, want)
		}
		dropped.add(&w.live.did)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		p := *w
		p.rows, p.links = slices.Clone(w.rows), slices.Clone(w.links)
		slices.Reverse(p.rows)
		slices.Reverse(p.links)
		again, other := p.build(t, seed, 1<<(seed%3))
		sameTree(t, what, files, other)
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, what := range []string{"found", "left out", "cut", "several profiles", "gone", "renamed"} {
		if total[what] < worlds/10 {
			t.Errorf("%s: %d, too few for %d worlds", what, total[what], worlds)
		}
	}
	for what, n := range map[string]int64{
		"links": dropped.Links, "left out": dropped.LinksLeftOut, "unlinked": dropped.UnlinkedRows, "link rows": dropped.DroppedLinkRows,
		"opted out": dropped.OptedOutRows, "cut": dropped.CutContacts, "dropped": dropped.DroppedContacts, "segments": dropped.Segments, "consents": dropped.Consents,
	} {
		if n < int64(worlds)/20 {
			t.Errorf("%s: %d, too few for %d worlds", what, n, worlds)
		}
	}
}

// contacts are all contact identifiers that rows or erasures name.
func (w *world) contacts() (list []string) {
	for _, r := range w.rows {
		list = append(list, r.contacts...)
	}
	for _, x := range w.live.erased {
		list = append(list, x.contacts...)
	}
	return list
}
