package build

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot"
)

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
