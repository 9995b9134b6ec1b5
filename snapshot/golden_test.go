package snapshot

import (
	"bytes"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The bytes of a tiny snapshot are those of testdata/golden. Where this fails
// and the change is meant, the format has changed: raise FormatVersion or
// Revision, describe it in FORMAT.md, and run
//
//	go test ./snapshot -run Golden -update
//
// after copying what was there to testdata/golden-VERSION, for
// [TestOlderRevisions].
func TestGolden(t *testing.T) {
	fs, d, m := memFS{}, sampleDicts(t), sampleMeta(7, 1, 2)
	m.Rules = map[string]string{"max_identifiers": "100", "max_customers": "5"}
	d.Tenants[0].BidStream = sampleBidStream()
	persons := samplePersons(t, d, 12)
	w, err := NewWriter(fs, "", m, d)
	if err != nil {
		t.Fatal(err)
	}
	w.SetLineage(Lineage{Previous: "20261031T060000Z-0123456789ab", Kept: 7, New: 4, Split: 1, Merged: 2, Gone: 3})
	_, hash, err := w.WriteAll(t.Context(), func(shard int) iter.Seq[*Person] { return shardOf(persons, shard, m.RecordShards) })
	if err != nil {
		t.Fatal(err)
	}
	files := fs.files()
	dir := filepath.Join("testdata", "golden")
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, data := range files {
			overwrite(t, filepath.Join(dir, name), data)
		}
	}
	want := readDir(t, dir)
	if fmt.Sprint(names(files)) != fmt.Sprint(names(want)) {
		t.Fatalf("files %q, want %q", names(files), names(want))
	}
	for _, name := range names(want) {
		if at := firstDifference(files[name], want[name]); at >= 0 {
			section, _ := region(t, name, files[name], min(int64(at), int64(len(files[name])-1)))
			t.Errorf("%s differs from byte %d on, in section %s", name, at, section)
		}
	}
	s := openSample(t, want, nil)
	checkGolden(t, s)
	if s.Outdated() || fmt.Sprint(s.Rules) != fmt.Sprint(m.Rules) || s.Lineage == nil || *s.Lineage != *w.lineage {
		t.Errorf("outdated: %t; rules %v, lineage %+v", s.Outdated(), s.Rules, s.Lineage)
	}
	if !reflect.DeepEqual(s.Tenants, d.Tenants) {
		t.Errorf("tenants %+v, want %+v", s.Tenants, d.Tenants)
	}
	if _, err := OpenBytes(want, hash); err != nil {
		t.Errorf("the manifest's hash: %v", err)
	}
}

// Snapshots of older revisions are read, and said to be outdated.
func TestOlderRevisions(t *testing.T) {
	for revision := range Revision {
		dir := fmt.Sprintf("testdata/golden-%d.%d", FormatVersion, revision)
		s := openSample(t, readDir(t, dir), nil)
		checkGolden(t, s)
		// What later revisions tell is absent, and so denied.
		if s.Tenants[0].BidStream != nil {
			t.Errorf("%s has the bid stream %+v", dir, s.Tenants[0].BidStream)
		}
		if !s.Outdated() || int(s.manifest.header.revision) != revision {
			t.Errorf("%s has revision %d; outdated: %t", dir, s.manifest.header.revision, s.Outdated())
		}
	}
}

// checkGolden checks that a golden snapshot answers.
func checkGolden(t *testing.T, s *Snapshot) {
	t.Helper()
	for _, p := range samplePersons(t, sampleDicts(t), 12) {
		for i := range p.Nodes {
			if r, at, ok := lookup(t, s, p.Nodes[i].Hash); !ok || r.ID != p.ID || at != i {
				t.Errorf("identifier %d of %v leads to %v, %d (%t)", i, p.ID, r.ID, at, ok)
			}
		}
	}
}

// firstDifference returns where a and b differ first, or -1.
func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}

// FORMAT.md is of the version that this package writes, and describes every
// section.
func TestFormatDocument(t *testing.T) {
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	version := fmt.Sprintf("%d.%d", FormatVersion, Revision)
	title, _, _ := strings.Cut(string(b), "\n")
	if !strings.HasSuffix(title, "version "+version) {
		t.Errorf("the title %q does not say version %s", title, version)
	}
	if !regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(version) + ` \|`).Match(b) {
		t.Errorf("the table of versions has no line for %s", version)
	}
	files, _ := sampleFiles(t, 1, 1, 10)
	tags := 0
	for _, name := range names(files) {
		f, err := parseFile(name, files[name])
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range f.toc {
			tags++
			if !bytes.Contains(b, []byte("`"+e.tag+"`")) {
				t.Errorf("section %s of %s is not described", e.tag, name)
			}
		}
	}
	if tags != 12 {
		t.Errorf("the files have %d sections, and format.go has 12", tags)
	}
}
