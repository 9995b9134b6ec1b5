package build

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/normalise"
)

// liveInput is the input of a build that live changes of each type are about.
var liveInput = map[string]string{
	"onboard.yaml": `
version: 1
default_region: FR
keep_anonymous: true
namespaces: [cookie.pub]
tenants:
  - {name: acme, profiles: [{path: "acme-*.csv"}]}
  - {name: bolt, legal_basis: contract, profiles: [{path: "bolt.csv", as_of: 2026-10-01}]}
links:
  - {path: "links.csv", source: pub, party: second}
`,
	// Ann is erased. Her address is also Al's, by another spelling, and bolt's.
	"acme-1.csv": `customer_id,email,phone,segments,consent_at
ann,Ann.Lee+shop@gmail.com,+33612345678,secret,2026-01-05
bob,bob@example.com,,vip|old,2026-01-05
`,
	"acme-2.csv": `customer_id,email,phone,segments,consent_at
al,annlee@gmail.com,+33612345679,vip,2026-01-05
eve,eve@example.com,,vip,2026-01-05
ann,,+33612345670,not|a|good,last week
`,
	"bolt.csv": `customer_id,email,phone,segments
B-1,annlee@gmail.com,,gold
`,
	"links.csv": `left,right,method,observed_at
cookie.pub:ann,crm.acme:ann,authenticated,2026-09-01
cookie.pub:bob,crm.acme:bob,authenticated,2026-09-01T10:00:00Z
cookie.pub:late,crm.acme:bob,authenticated,2026-09-01T10:00:01Z
cookie.pub:out,crm.acme:eve,authenticated,2026-09-01
cookie.pub:far,cookie.pub:out,observed,2026-09-01
`,
}

// formerKey is a key that a store of the tests had before.
var formerKey = index.Secret{100}

// movedStore makes a store that had formerKey before.
func movedStore(t testing.TB) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	if _, err := snapshot.CreateStore(snapshot.OS{}, dir, testSecret()); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(dir, "keys")
	if err := os.Mkdir(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(keys, formerKey.ID()+".key"), snapshot.FormatSecret(formerKey), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// liveChanges are those of a log, up to a record.
func liveChanges(t testing.TB, seq uint64) LiveSource { return liveChangesBy(t, seq, *testSecret()) }

// liveChangesBy are those of a log whose opt-outs and erasures were made under a
// key.
func liveChangesBy(t testing.TB, seq uint64, secret index.Secret) LiveSource {
	t.Helper()
	return func(ns *index.Namespaces, _ snapshot.Keys) (*Live, error) {
		hash := func(text string) index.Hash {
			key, _, err := ns.AppendKey(nil, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			return snapshot.IdentifierHasher(secret).Sum(key)
		}
		at := func(text string) int64 {
			when, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			return when.UnixNano()
		}
		return &Live{
			Log: strings.Repeat("0a", 16), Seq: seq, Hash: [32]byte{byte(seq)},
			Normalised: map[string][]string{index.EmailSHA256: {normalise.EmailUID2}},
			Links: slices.Values([]LiveLink{
				{Left: "cookie.pub:bob", Right: "crm.acme:bob", At: at("2026-09-01T10:00:00Z")},
				{Left: "cookie.pub:late", Right: "crm.acme:bob", At: at("2026-09-01T10:00:00Z")},
				{Left: "cookie.pub:new", Right: "crm.acme:bob", At: at("2027-09-01T10:00:00Z"), Linked: true, Method: snapshot.Observed},
				{Left: "cookie.pub:hers", Right: "crm.acme:ann", At: at("2026-10-30T10:00:00Z"), Linked: true},
				{Left: "cookie.pub:tel:+33612345678", Right: "crm.acme:bob", At: at("2026-10-30T10:00:00Z"), Linked: true},
			}),
			Segments: slices.Values([]LiveSegment{
				{Customer: "crm.acme:bob", Code: "live", At: at("2026-11-02T00:00:00Z"), Added: true},
				{Customer: "crm.acme:bob", Code: "old", At: at("2026-11-01T00:00:00Z")},
				{Customer: "crm.acme:eve", Code: "live", At: at("2026-11-01T00:00:00Z"), Added: true},
				{Customer: "crm.acme:eve", Code: "unheard", At: at("2026-11-02T00:00:00Z")},
				{Customer: "crm.acme:nobody", Code: "live", At: at("2026-11-02T00:00:00Z"), Added: true},
				{Customer: "crm.bolt:B-1", Code: "gold", At: at("2026-10-02T00:00:00Z")},
			}),
			Consents: slices.Values([]LiveConsent{
				{Customer: "crm.acme:bob", At: at("2026-10-01T00:00:00Z"), Granted: true, Purposes: snapshot.Share},
				{Customer: "crm.bolt:B-1", At: at("2026-01-01T00:00:00Z")},
			}),
			OptOuts:  slices.Values([]LiveOptOut{{hash("cookie.pub:out"), []string{"bolt", "acme"}}, {hash("cookie.pub:late"), []string{"bolt"}}}),
			Erasures: slices.Values([]LiveErasure{{Customer: hash("crm.acme:ann"), Tenants: []string{"acme"}}}),
		}, nil
	}
}

// found lists the identifiers that lead to a person, of those that are asked.
func found(t testing.TB, s *snapshot.Snapshot, ids ...string) (list []string) {
	t.Helper()
	for _, id := range ids {
		if _, _, ok := findRecord(t, s, id); ok {
			list = append(list, id)
		}
	}
	return list
}

func email(t testing.TB, hash [32]byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return index.EmailSHA256 + ":" + snapshot.HexBytes(hash[:]).String()
}

// A build from files and a log has what both come to.
func TestBuildWithLiveChanges(t *testing.T) {
	o := options(writeInputs(t, liveInput), filepath.Join(t.TempDir(), "store"))
	o.Live, o.MaxBadRows = liveChanges(t, 7), 1
	if s := checkLiveBuild(t, o); len(s.Renamed) > 0 {
		t.Errorf("%v are renamed", s.Renamed)
	}
}

// It has the same of a log from before the store was moved to its key, and says
// who in it has opted out for a tenant under the former one.
func TestBuildOfAMovedStore(t *testing.T) {
	o := options(writeInputs(t, liveInput), movedStore(t))
	o.Live, o.MaxBadRows = liveChangesBy(t, 7, formerKey), 1
	s := checkLiveBuild(t, o)
	late := []byte("cookie.pub:late")
	want := []snapshot.Renamed{{Old: snapshot.IdentifierHasher(formerKey).Sum(late), New: snapshot.IdentifierHasher(*testSecret()).Sum(late)}}
	if !slices.Equal(s.Renamed, want) {
		t.Errorf("%v are renamed, not %v", s.Renamed, want)
	}
}

// checkLiveBuild builds from liveInput and liveChanges.
func checkLiveBuild(t *testing.T, o Options) *snapshot.Snapshot {
	t.Helper()
	r := run(t, o)
	s := openCurrent(t, o.Store)
	hash, err := normalise.EmailHash("annlee@gmail.com")
	hers := email(t, hash, err)
	ids := []string{
		"crm.acme:ann", "cookie.pub:ann", "cookie.pub:hers", "cookie.pub:bob", "cookie.pub:out", "cookie.pub:tel:+33612345678",
		"crm.acme:bob", "cookie.pub:late", "cookie.pub:new", "crm.acme:al", "crm.acme:eve", "crm.bolt:B-1", hers,
	}
	if got, want := found(t, s, ids...), ids[6:]; !slices.Equal(got, want) {
		t.Errorf("found are\n%q, not\n%q", got, want)
	}
	persons := map[string][]string{
		"crm.acme:bob": {"cookie.pub:late", "cookie.pub:new", "crm.acme:bob", email(t, mustEmail(t, "bob@example.com"), nil)},
		"crm.bolt:B-1": {"crm.bolt:B-1", hers},
		"crm.acme:eve": {"crm.acme:eve", email(t, mustEmail(t, "eve@example.com"), nil)},
	}
	for id, want := range persons {
		if got := membersOf(t, s, id); !slices.Equal(got, want) {
			t.Errorf("%s is with %q, not %q", id, got, want)
		}
	}
	if got := membersOf(t, s, "crm.acme:al"); slices.Contains(got, hers) || len(got) != 2 {
		t.Errorf("al is with %q", got)
	}
	for customer, want := range map[string]string{
		"crm.acme:bob": "[live vip] share 2026-10-01",
		"crm.acme:eve": "[vip] use 2026-01-05",
		"crm.bolt:B-1": "[] none 2026-10-01", // that of its file
	} {
		if got := profileOf(t, s, customer); got != want {
			t.Errorf("%s: %s, not %s", customer, got, want)
		}
	}
	for _, seg := range s.Segments {
		if seg.Code == "secret" || seg.Code == "unheard" {
			t.Errorf("segment %s is in the dictionary", seg.Code)
		}
	}
	want := LiveReport{
		Log: strings.Repeat("0a", 16), Seq: 7, Links: 1, LinksLeftOut: 2, UnlinkedRows: 1, ErasedRows: 2, DroppedLinkRows: 3,
		CutContacts: 1, DroppedContacts: 0, Segments: 3, Consents: 2,
	}
	if *r.Live != want {
		t.Errorf("the report counts\n%+v, not\n%+v", *r.Live, want)
	}
	// bob, al, eve, B-1, three emails, al's phone, and the cookies late and new.
	if r.Identifiers != 10 {
		t.Errorf("%d identifiers were read", r.Identifiers)
	}
	if s.Applied[want.Log] != 7 || len(s.Applied) != 1 {
		t.Errorf("applied %v", s.Applied)
	}
	store, err := snapshot.OpenStore(o.Store)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := store.Log(); id != want.Log || err != nil {
		t.Errorf("the store's log is %q, %v", id, err)
	}
	return s
}

func mustEmail(t testing.TB, s string) [32]byte {
	t.Helper()
	h, err := normalise.EmailHash(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// membersOf are the identifiers of somebody's person.
func membersOf(t testing.TB, s *snapshot.Snapshot, id string) (names []string) {
	t.Helper()
	addr, r, ok := findRecord(t, s, id)
	if !ok {
		t.Fatalf("%s is not found", id)
	}
	block, err := s.ReadCold(s.ColdBlockOf(addr, r))
	if err != nil {
		t.Fatal(err)
	}
	cold, err := s.Cold(block, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range cold.Identifiers {
		names = append(names, string(s.Namespaces.AppendText(nil, id.Namespace, id.Value)))
	}
	slices.Sort(names)
	return names
}

// profileOf describes a customer's profile: segments, purposes, time of consent.
func profileOf(t testing.TB, s *snapshot.Snapshot, customer string) string {
	t.Helper()
	_, r, ok := findRecord(t, s, customer)
	if !ok {
		t.Fatalf("%s is not found", customer)
	}
	var p snapshot.Profile
	for ps := r.Profiles(); ps.Next(&p); {
		if index.CRMPrefix+s.Tenants[p.Tenant].Name+":"+string(p.Customer) != customer {
			continue
		}
		codes := []string{}
		for _, i := range p.Segments {
			codes = append(codes, s.Segments[i].Code)
		}
		purposes := map[snapshot.Purposes]string{0: "none", snapshot.Use: "use", snapshot.Share: "share"}[p.Consent.Purposes]
		return "[" + strings.Join(codes, " ") + "] " + purposes + " " + time.Unix(p.Consent.At, 0).UTC().Format(time.DateOnly)
	}
	t.Fatalf("%s has no profile", customer)
	return ""
}

// The same input and log position give the same bytes; another position another
// id; and the order of files and cores do not matter. A store that was moved has
// more that could differ.
func TestLiveBuildsAreReproducible(t *testing.T) {
	input := writeInputs(t, liveInput)
	build := func(config string, seq uint64, workers int) (id snapshot.ID, files map[string][]byte) {
		o := options(config, movedStore(t))
		o.Live, o.MaxBadRows, o.Workers = liveChangesBy(t, seq, formerKey), 1, workers
		r := run(t, o)
		return openCurrent(t, o.Store).ID, tree(t, filepath.Join(o.Store, "snapshots", r.Snapshot))
	}
	first, files := build(input, 7, 1)
	turned := map[string]string{}
	for name, text := range liveInput {
		turned[name] = text
	}
	turned["acme-1.csv"], turned["acme-2.csv"] = turned["acme-2.csv"], turned["acme-1.csv"]
	for _, workers := range []int{1, 3} {
		id, again := build(input, 7, workers)
		if id != first {
			t.Errorf("%d workers: another id", workers)
		}
		sameTree(t, "again", files, again)
		if id, again = build(writeInputs(t, turned), 7, workers); id != first {
			t.Error("in another order: another id")
		}
		for _, name := range []string{"manifest", "records-0000", "index-0000"} {
			if string(again[name]) != string(files[name]) {
				t.Errorf("in another order: %s differs", name)
			}
		}
	}
	if id, _ := build(input, 8, 1); id == first {
		t.Error("another position has the same id")
	}
}

// What cannot be proved to obey the log is refused, before anything is written.
func TestLiveRefusals(t *testing.T) {
	input := writeInputs(t, liveInput)
	plain := strings.Replace(liveInput["onboard.yaml"], "version: 1\n", "version: 1\nnormalise: {email: plain}\n", 1)
	other := writeInputs(t, with(map[string]string{"onboard.yaml": plain, "acme-1.csv": liveInput["acme-1.csv"], "bolt.csv": liveInput["bolt.csv"], "links.csv": liveInput["links.csv"]}))
	dir := filepath.Join(t.TempDir(), "store")
	o := options(input, dir)
	o.Live, o.MaxBadRows = liveChanges(t, 7), 1
	run(t, o)
	before := tree(t, dir)
	another := func(ns *index.Namespaces, keys snapshot.Keys) (*Live, error) {
		l, err := liveChanges(t, 9)(ns, keys)
		l.Log = strings.Repeat("0b", 16)
		return l, err
	}
	broken := errors.New("no log here")
	var is *snapshot.OtherLogError
	for what, c := range map[string]struct {
		change func(*Options)
		is     func(error) bool
	}{
		"without the log": {func(o *Options) { o.Live = nil }, func(err error) bool { return errors.As(err, &is) && is.Given == "" }},
		"another log":     {func(o *Options) { o.Live = another }, func(err error) bool { return errors.As(err, &is) && is.Given != "" }},
		"rewound":         {func(o *Options) { o.Live = liveChanges(t, 6) }, func(err error) bool { return errors.Is(err, ErrLiveRewound) }},
		"other rules":     {func(o *Options) { o.Config = other }, func(err error) bool { return strings.Contains(err.Error(), "normalise") }},
		"an unread log": {func(o *Options) {
			o.Live = func(*index.Namespaces, snapshot.Keys) (*Live, error) { return nil, broken }
		}, func(err error) bool { return errors.Is(err, broken) }},
	} {
		bad := o
		c.change(&bad)
		if _, err := Run(context.Background(), bad); err == nil || !c.is(err) {
			t.Errorf("%s: %v", what, err)
		}
		sameTree(t, what, before, tree(t, dir))
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	bad := o
	bad.Store, bad.Config, bad.Secret = fresh, other, nil
	if _, err := Run(context.Background(), bad); err == nil {
		t.Error("other rules in a new store: no error")
	}
	if _, err := os.Stat(fresh); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the store was made: %v", err)
	}
	// A longer log is none of these.
	o.Live = liveChanges(t, 8)
	run(t, o)
}
