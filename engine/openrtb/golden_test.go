package openrtb_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/matchd/matchd/engine/openrtb"
)

var update = flag.Bool("update", false, "write the golden files anew")

// requests returns the bid requests of testdata by their names.
func requests(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/requests/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 20 {
		t.Fatalf("%d requests in testdata", len(names))
	}
	bodies := map[string][]byte{}
	for _, name := range names {
		if bodies[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return bodies
}

// TestGolden compares what is read from each request, what it becomes, and the patch,
// with the files in testdata.
func TestGolden(t *testing.T) {
	var r openrtb.Request
	for name, body := range requests(t) {
		t.Run(name, func(t *testing.T) {
			check(t, &r, body, additions())
			if err := r.Scan(body); err != nil {
				t.Fatal(err)
			}
			out, added := r.Append(nil, additions())
			if !added && !bytes.Equal(out, body) {
				t.Error("nothing was added, and the output differs")
			}
			golden(t, "enriched/"+name, out)
			patch, _ := r.AppendPatch(nil, additions())
			golden(t, "read/"+name+".txt", fmt.Appendf(nil, "%sadded %v\n%s\n", describe(&r), added, patch))
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// describe lists the ids and the signals of a request.
func describe(r *openrtb.Request) string {
	places := [...]string{"device.ifa", "user.buyeruid", "user.id", "eids"}
	signals := [...]string{"gdpr", "consent", "gpp", "gpp_sid", "us_privacy", "gpc", "lmt", "coppa"}
	var b bytes.Buffer
	for _, id := range r.IDs() {
		fmt.Fprintf(&b, "%s %q from %q, mm %d\n", places[id.Place], id.Value, id.Source, id.Method)
	}
	for _, s := range r.Signals() {
		if s.Bad {
			fmt.Fprintf(&b, "%s is bad\n", signals[s.Signal])
		} else {
			fmt.Fprintf(&b, "%s %q\n", signals[s.Signal], s.Value)
		}
	}
	return b.String()
}
