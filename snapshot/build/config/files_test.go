package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot/build/source"
)

// folder makes a folder with empty files and the config, and reads it.
func folder(t *testing.T, text string, files ...string) *Config {
	t.Helper()
	// The folder's name would be a pattern, were it not escaped.
	dir := filepath.Join(t.TempDir(), "a[b]*")
	for _, f := range append(files, "onboard.yaml") {
		path := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(filepath.Join(dir, "onboard.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFiles(t *testing.T) {
	c := folder(t, `
version: 1
tenants:
  - name: zeta
    profiles: [{path: "z.csv"}]
  - name: acme
    profiles:
      - {path: "crm/b*.csv"}
      - {path: "crm/*"}
links:
  - {path: "p/*.csv", source: s, party: second}
  - {path: "p/1.csv", source: s, party: second}
  - {path: "p/1.csv", source: s, party: first}
`, "z.csv", "crm/b1.csv", "crm/a.csv", "crm/folder/x.csv", "p/2.csv", "p/1.csv", "p/3.txt")
	profiles, links, err := c.Files()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	check := func(f File) {
		if f.Path != filepath.Join(c.dir, f.Name) {
			t.Errorf("path of %s is %s", f.Name, f.Path)
		}
	}
	for _, f := range profiles {
		check(f.File)
		fmt.Fprintln(&got, c.Tenants[f.Tenant].Name, f.Name, f.Spec.Line)
	}
	for _, f := range links {
		check(f.File)
		fmt.Fprintln(&got, f.Name, f.Spec.Source.Party, f.Spec.Line)
	}
	want := `acme crm/a.csv 9
acme crm/b1.csv 8
zeta z.csv 5
p/1.csv first 13
p/1.csv second 11
p/2.csv second 11
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}

func TestAbsolutePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := folder(t, minimal("links: [{path: \""+path+"\", source: s, party: first}]\n"))
	_, links, err := c.Files()
	if err != nil || len(links) != 1 || links[0].Name != path || links[0].Path != path {
		t.Errorf("links %+v, error %v", links, err)
	}
}

func TestFilesErrors(t *testing.T) {
	for _, c := range []struct{ name, links, want string }{
		{"no match", "links:\n  - {path: \"q/*.csv\", source: s, party: first}\n", `:4: path "q/*.csv" matches no file in `},
		{"a folder alone", "links:\n  - {path: \"p\", source: s, party: first}\n", `:4: path "p" matches no file in `},
	} {
		_, _, err := folder(t, minimal(c.links), "p/1.csv").Files()
		if err == nil || !strings.Contains(err.Error(), "onboard.yaml"+c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
	_, _, err := folder(t, `
version: 1
tenants:
  - name: acme
    profiles:
      - {path: "*.csv"}
      - {path: "a.csv", as_of: 2026-01-01}
`, "a.csv").Files()
	if want := "onboard.yaml:7: a.csv is also matched at line 6, with another as_of, format or other columns; let one path match it"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

// How a file is read says nothing of what its rows mean: it is not in the
// canonical text. But one file is read in one way.
func TestLayout(t *testing.T) {
	spec := func(keys string) string {
		return minimal("links:\n  - {path: a.txt, source: s, party: first" + keys + "}\n")
	}
	c := folder(t, spec(`, format: csv, compression: gzip, delimiter: "\t", encoding: Windows-1252`), "a.txt")
	want := source.Layout{Format: source.CSV, Compression: source.Gzip, Delimiter: '\t', Encoding: "windows-1252"}
	_, links, err := c.Files()
	if err != nil || links[0].Spec.Layout != want {
		t.Errorf("layout %+v, error %v; want %+v", links[0].Spec.Layout, err, want)
	}
	plain := folder(t, spec(""), "a.txt")
	if string(c.Canonical()) != string(plain.Canonical()) {
		t.Errorf("the canonical text tells of the layout:\n%s", c.Canonical())
	}
	for _, other := range []struct{ path, keys, want string }{
		{"a.txt", ", format: csv, encoding: utf-8", ""},
		{"a.txt", ", format: ndjson", "onboard.yaml:5: a.txt is also matched at line 4, with another format; let one path match it"},
		{"a.txt", ", delimiter: ;", "onboard.yaml:5: a.txt is also matched at line 4, with another format; let one path match it"},
		{"b.parquet", ", delimiter: ;", "onboard.yaml:5: b.parquet: format parquet has no delimiter; remove it, or say format: csv"},
	} {
		text := spec("") + "  - {path: " + other.path + ", source: s, party: first" + other.keys + "}\n"
		_, _, err := folder(t, text, "a.txt", "b.parquet").Files()
		if got := fmt.Sprint(err); other.want == "" && err != nil || other.want != "" && !strings.HasSuffix(got, other.want) {
			t.Errorf("%s%s: error %v, want %s", other.path, other.keys, err, other.want)
		}
	}
}

func TestStandardInput(t *testing.T) {
	c := folder(t, minimal("links: [{path: \"-\", source: s, party: first}]\n"))
	_, links, err := c.Files()
	if err != nil || len(links) != 1 || links[0].Path != source.Stdin || links[0].Name != "standard input" {
		t.Errorf("links %+v, error %v", links, err)
	}
	// A file of this name is still to be had.
	c = folder(t, minimal("links: [{path: \"./-\", source: s, party: first}]\n"), "-")
	if _, links, err = c.Files(); err != nil || len(links) != 1 || links[0].Path == source.Stdin {
		t.Errorf("links %+v, error %v", links, err)
	}
}
