package quality

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/normalise"
)

// drawnWorld is a world and its files.
type drawnWorld struct {
	world
	crm, link bytes.Buffer
	badRows   int64
	postal    [][2]string // customer and postal identifier of the rows of a file
}

var worldIDs = map[string][]string{
	"crm.acme":         {"C-1", "C-2", "C-3"},
	index.EmailSHA256:  {strings.Repeat("01", 32), strings.Repeat("02", 32)},
	index.MAID:         {"6d92078a-8246-4ba4-ae5b-76104861e7dc", "7d92078a-8246-4ba4-ae5b-76104861e7dc"},
	"cookie.pub":       {"a", "b"},
	index.PostalHash:   {strings.Repeat("03", 32)},
	"cookie.elsewhere": {"z"},
}

func drawWorld(t *rapid.T) *drawnWorld {
	d := &drawnWorld{world: world{truth: map[string][]string{}, profiles: map[string]bool{}}}
	d.anonymous = rapid.Bool().Draw(t, "anonymous")
	var ids []string
	for _, space := range []string{"crm.acme", index.EmailSHA256, index.MAID, "cookie.pub", index.PostalHash, "cookie.elsewhere"} {
		for _, value := range worldIDs[space] {
			ids = append(ids, space+":"+value)
		}
	}
	owners := rapid.SampledFrom([][]string{{"p"}, {"p"}, {"p"}, {"q"}, {"q"}, {"p", "q"}, {"q", "r"}, {"p", "q", "r"}, nil})
	groups := rapid.IntRange(0, 3)
	persons := make([][]string, 4)
	for _, id := range ids {
		list := owners.Draw(t, "owners")
		if namespaceOf(id) == index.PostalHash && rapid.Bool().Draw(t, "derived") {
			list = nil
		}
		if list != nil {
			d.truth[id] = list
		}
		if at := groups.Draw(t, "group"); at > 0 {
			persons[at] = append(persons[at], id)
		}
	}
	d.persons = slices.DeleteFunc(persons, func(p []string) bool { return p == nil })
	d.drawProfiles(t, ids)
	d.drawLinks(t, ids)
	return d
}

func (d *drawnWorld) drawProfiles(t *rapid.T, ids []string) {
	d.crm.WriteString("customer_id,kind,email_sha256\n")
	for range rapid.IntRange(0, 5).Draw(t, "profiles") {
		customer := rapid.SampledFrom(ids[:3]).Draw(t, "customer")
		email := rapid.SampledFrom(append([]string{"email_sha256:"}, ids[3:5]...)).Draw(t, "email")
		_, id, _ := strings.Cut(customer, ":")
		_, hash, _ := strings.Cut(email, ":")
		if rapid.IntRange(0, 5).Draw(t, "bad") == 0 {
			fmt.Fprintf(&d.crm, "%s,neither,%s\n", id, hash)
			d.badRows++
			continue
		}
		d.profiles[customer] = true
		if rapid.IntRange(0, 2).Draw(t, "postal") == 0 {
			postal := ids[9]
			d.postal = append(d.postal, [2]string{customer, postal})
			d.links = append(d.links, worldLink{customer, postal, false})
			continue
		}
		fmt.Fprintf(&d.crm, "%s,,%s\n", id, hash)
		if hash != "" {
			d.links = append(d.links, worldLink{customer, email, false})
		}
	}
}

func (d *drawnWorld) drawLinks(t *rapid.T, ids []string) {
	d.link.WriteString("left,right,on\n")
	for range rapid.IntRange(0, 14).Draw(t, "links") {
		a, b := rapid.SampledFrom(ids).Draw(t, "left"), rapid.SampledFrom(ids).Draw(t, "right")
		if a == b || rapid.IntRange(0, 9).Draw(t, "bad") == 0 {
			d.link.WriteString(a + rapid.SampledFrom([]string{",maid:null,\n", "," + a + ",\n", ",maid:null\n"}).Draw(t, "junk"))
			d.badRows++
			continue
		}
		if namespaceOf(b) == index.PostalHash {
			a, b = b, a // so that only profile rows have one on the right
		}
		day := rapid.SampledFrom([]string{"2025-10-01", "2025-09-30", "2026-10-31"}).Draw(t, "day")
		fmt.Fprintf(&d.link, "%s,%s,%s\n", a, b, day)
		tracer := false
		for _, id := range []string{a, b} {
			tracer = tracer || namespaceOf(id) == index.MAID || strings.HasPrefix(id, "cookie.")
		}
		d.links = append(d.links, worldLink{a, b, tracer && day < "2025-10-01"})
	}
}

// measure writes the files and measures, with the rows that have a postal
// identifier as those of one more file.
func (d *drawnWorld) measure(t rapid.TB, dir string) *Report {
	t.Helper()
	var truth strings.Builder
	truth.WriteString("persons,identifier\n")
	for id, persons := range d.truth {
		fmt.Fprintf(&truth, "%s,%s\n", strings.Join(persons, "|"), id)
	}
	yaml := fmt.Sprintf(`
version: 1
keep_anonymous: %t
namespaces: [cookie.pub, cookie.elsewhere]
tenants: [{name: acme, profiles: [{path: crm.csv}]}]
links: [{path: links.csv, source: pub, party: second, columns: {on: observed_at}}]
`, d.anonymous)
	for name, text := range map[string]string{"onboard.yaml": yaml, "crm.csv": d.crm.String(), "links.csv": d.link.String(), "truth.csv": truth.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(filepath.Join(dir, "onboard.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	snap := writeSnapshot(t, cfg, d.persons)
	o := Options{Config: cfg, Truth: filepath.Join(dir, "truth.csv"), Snapshot: snap, Worst: 1000}
	in, err := open(&o)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.read(context.Background()); err != nil {
		t.Fatal(err)
	}
	// Each row by a reader of its own, so that they have to agree on numbers.
	for _, link := range d.postal {
		in.reader().profile(&normalise.Profile{Identifiers: []normalise.Identifier{identifier(t, in, link[0]), identifier(t, in, link[1])}})
	}
	r, err := newGraph(in).measure(context.Background(), &o)
	if err := snap.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func identifier(t rapid.TB, in *input, text string) normalise.Identifier {
	t.Helper()
	key, space, err := in.empty.known.ns.AppendKey(nil, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return normalise.Identifier{Namespace: space, Key: key}
}
