package build

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
)

// Each kind of bad row is named by file, line and reason and counts against the
// limit: over it nothing is published, and the store is as it was; within it
// the other rows are.
func TestEachBadRow(t *testing.T) {
	t.Parallel()
	const links, crm = "left,right,method,observed_at\n", "customer_id,email,consent_at,segments\n"
	for _, c := range []struct{ name, file, header, good, bad, reason string }{
		{"wrong number of fields", "links.csv", links, "cookie.pub:%d0x,crm.acme:C-1,observed,2026-09-01", "cookie.pub:x,crm.acme:C-1", "2 fields"},
		{"more fields", "crm.csv", crm, "C-%d1,,,", "C-9,,,,,", "6 fields"},
		{"unknown namespace", "links.csv", links, "cookie.pub:%d0x,crm.acme:C-1,observed,2026-09-01", "cookie.bub:x,crm.acme:C-1,observed,2026-09-01", "column left"},
		{"unreadable time", "links.csv", links, "cookie.pub:%d0x,crm.acme:C-1,observed,2026-09-01", "cookie.pub:x,crm.acme:C-1,observed,last week", "column observed_at"},
		{"an unreadable time of consent", "crm.csv", crm, "C-%d1,,,", "C-9,,soon,", "column consent_at"},
		{"a link after as_of", "links.csv", links, "cookie.pub:%d0x,crm.acme:C-1,observed,2026-09-01", "cookie.pub:x,crm.acme:C-1,observed,2026-11-03", "column observed_at"},
		{"a consent after as_of", "crm.csv", crm, "C-%d1,,,", "C-9,,2026-11-03,", "column consent_at"},
		{"an identifier over 512 bytes", "links.csv", links, "cookie.pub:%d0x,crm.acme:C-1,observed,2026-09-01", "cookie.pub:" + strings.Repeat("x", 513) + ",crm.acme:C-1,observed,2026-09-01", "column left"},
		{"a customer id over 512 bytes", "crm.csv", crm, "C-%d1,,,", strings.Repeat("x", 513) + ",,,", "column customer_id"},
		{"junk on one side", "links.csv", links, "cookie.pub:%d0x,crm.acme:C-1,observed,2026-09-01", "cookie.pub:x,crm.acme:null,observed,2026-09-01", "column right"},
		{"the zero id", "links.csv", links, "cookie.pub:%d0x,crm.acme:C-1,observed,2026-09-01", "maid:00000000-0000-0000-0000-000000000000,crm.acme:C-1,observed,2026-09-01", "column left"},
		{"not UTF-8", "links.csv", links, "cookie.pub:%d0x,crm.acme:C-1,observed,2026-09-01", "cookie.pub:\xff,crm.acme:C-1,observed,2026-09-01", "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := c.header
			for i := range 9 {
				if i == 4 {
					text += c.bad + "\n"
				}
				text += fmt.Sprintf(c.good, i) + "\n"
			}
			files := map[string]string{c.file: text}
			check := func(r *Report) {
				t.Helper()
				want := c.file + ":6: "
				if len(r.Read.BadRows) != 1 || r.Read.Bad != 1 {
					t.Fatalf("the bad rows are %v", r.Read.BadRows)
				}
				if got := r.Read.BadRows[0].String(); !strings.HasPrefix(got, want) || !strings.Contains(got, c.reason) || strings.Contains(got, "xxx") {
					t.Errorf("%q, want %s%s", got, want, c.reason)
				}
			}
			var bad *TooManyBadRowsError
			report, err := fails(t, files, func(o *Options) { o.MaxBadRows = 0.05 }, "1 of ", "5 %", "nothing was published")
			if !errors.As(err, &bad) || bad.Bad != 1 {
				t.Fatalf("error %v", err)
			}
			check(report)
			o := options(writeInputs(t, with(files)), filepath.Join(t.TempDir(), "store"))
			o.MaxBadRows = 0.1
			report = run(t, o)
			check(report)
			if report.Read.LinkRows+report.Read.ProfileRows != bad.Rows-1 {
				t.Errorf("%d and %d rows are good, of %d", report.Read.LinkRows, report.Read.ProfileRows, bad.Rows)
			}
		})
	}
}

// packed is a file of many links, in each of its forms.
func packed(t *testing.T) (plain string, forms map[string][]byte) {
	t.Helper()
	type row struct {
		Left  string `parquet:"left"`
		Right string `parquet:"right"`
	}
	var rows []row
	plain = "left,right\n"
	for i := range 500 {
		rows = append(rows, row{fmt.Sprintf("cookie.pub:x%d", i), fmt.Sprintf("crm.acme:C-%d", 100+i)})
		plain += rows[i].Left + "," + rows[i].Right + "\n"
	}
	var gz, zs, pq bytes.Buffer
	g := gzip.NewWriter(&gz)
	z, err := zstd.NewWriter(&zs)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []interface {
		Write([]byte) (int, error)
		Close() error
	}{g, z} {
		if _, err := w.Write([]byte(plain)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := parquet.Write(&pq, rows); err != nil {
		t.Fatal(err)
	}
	return plain, map[string][]byte{"links.csv.gz": gz.Bytes(), "links.csv.zst": zs.Bytes(), "links.parquet": pq.Bytes()}
}

// A file that is cut off is refused with its name, whatever it is packed by and
// however many rows may be bad; whole, it is read as the plain one.
func TestTruncatedFiles(t *testing.T) {
	t.Parallel()
	plain, forms := packed(t)
	o := options(writeInputs(t, with(map[string]string{"links.csv": plain})), filepath.Join(t.TempDir(), "store"))
	want := run(t, o).Counts
	for name, data := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := func(data []byte) map[string]string {
				return map[string]string{name: string(data), "onboard.yaml": strings.Replace(small["onboard.yaml"], "links.csv", name, 1)}
			}
			o := options(writeInputs(t, with(files(data))), filepath.Join(t.TempDir(), "store"))
			if got := run(t, o).Counts; got.Links != want.Links || got.Identifiers != want.Identifiers {
				t.Fatalf("whole, it makes %+v, want %+v", got, want)
			}
			for _, n := range []int{1, 10, len(data) / 2, len(data) - 1} {
				fails(t, files(data[:n]), func(o *Options) { o.MaxBadRows = 1 }, name)
			}
			damaged := bytes.Clone(data)
			damaged[len(data)/2] ^= 0x55
			fails(t, files(damaged), nil)
		})
	}
}

// What makes a build useless from the start names the file or the line of the
// config, and what to do.
func TestRefusedInputs(t *testing.T) {
	t.Parallel()
	edited := func(from, to string) map[string]string {
		if !strings.Contains(small["onboard.yaml"], from) {
			t.Fatalf("the config has no %q", from)
		}
		return map[string]string{"onboard.yaml": strings.Replace(small["onboard.yaml"], from, to, 1)}
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"a column of links missing":      {map[string]string{"links.csv": "left,rigth\na,b\n"}, []string{"links.csv:1", "right"}},
		"a pattern that matches no file": {edited("links.csv", "links/*.csv"), []string{"onboard.yaml:9", "links/*.csv", "no file"}},
		"an unknown key":                 {edited("version: 1", "version: 1\nresolutoin: {}"), []string{"onboard.yaml:3", `"resolutoin"`, `"resolution"`}},
		"an unknown limit":               {edited("version: 1", "version: 1\nresolution: {max_identifier: 3}"), []string{"onboard.yaml:3", `"max_identifier"`, `"max_identifiers"`}},
		"a limit of zero":                {edited("version: 1", "version: 1\nresolution: {max_identifiers: 0}"), []string{"onboard.yaml:3", "max_identifiers", `"0"`, "1 to"}},
	} {
		t.Run(name, func(t *testing.T) { fails(t, c.files, nil, c.want...) })
	}
}

// A file that grows while it is read is refused, with its name.
func TestFileThatChangesWhileItIsRead(t *testing.T) {
	t.Parallel()
	o := options(writeInputs(t, small), filepath.Join(t.TempDir(), "store"))
	run(t, o)
	before := tree(t, o.Store)
	// All records go to one partition, so that it is written while the file is
	// still being read.
	device := "cookie.pub:" + strings.Repeat("d", 500)
	var links strings.Builder
	links.WriteString("left,right\n")
	for i := range 10_000 {
		fmt.Fprintf(&links, "%s,crm.acme:C-%d\n", device, 100+i)
	}
	for _, change := range []bool{true, false} {
		o.Config, o.AsOf = writeInputs(t, with(map[string]string{"links.csv": links.String()})), testAsOf.AddDate(0, 0, 1)
		path := filepath.Join(filepath.Dir(o.Config), "links.csv")
		changed := false
		spillAll(&o).before = func(int, string) error {
			if change && !changed {
				changed = true
				appendTo(t, path, "cookie.pub:late,crm.acme:C-1\n")
			}
			return nil
		}
		_, err := Run(context.Background(), o)
		if !change {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if err == nil || !strings.Contains(err.Error(), "links.csv") || !strings.Contains(err.Error(), "changed while it was read") {
			t.Fatalf("error %v", err)
		}
		sameTree(t, "a file that changes", before, tree(t, o.Store))
	}
}
