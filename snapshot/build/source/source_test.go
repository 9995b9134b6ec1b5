package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// profiles reads the text of a profile file, with one worker.
func profiles(r io.Reader, opt Options, emit func(*ProfileRow) error) error {
	return readTestText(r, opt, new(ProfileRow).columns(), profileSink(func() func(*ProfileRow) error { return emit }))
}

// links reads the text of a link file, with one worker.
func links(r io.Reader, opt Options, emit func(*LinkRow) error) error {
	return readTestText(r, opt, new(LinkRow).columns(), linkSink(func() func(*LinkRow) error { return emit }))
}

func readTestText(r io.Reader, opt Options, columns []column, newSink func() sink) error {
	l, err := opt.Layout.Of("")
	if err != nil {
		return err
	}
	return readText(context.Background(), r, l, &reports{Options: opt}, columns, newSink)
}

// readAll reads a profile file and writes down all that happens.
func readAll(text string, columns map[string]string) (string, error) {
	var b strings.Builder
	err := profiles(strings.NewReader(text), Options{
		File: "p.csv", Columns: columns,
		Bad:  func(r BadRow) { fmt.Fprintln(&b, "bad", r) },
		Warn: func(w Warning) { fmt.Fprintln(&b, "warn", w) },
	}, func(r *ProfileRow) error {
		fmt.Fprintf(&b, "%d %s|%s|%s\n", r.Line, r.CustomerID, r.Email, r.Segments)
		return nil
	})
	return b.String(), err
}

func TestProfiles(t *testing.T) {
	for _, c := range []struct {
		name, in string
		columns  map[string]string
		want     string
	}{
		{"plain", "customer_id,email,segments\nC-1,a@b.c,vip\nC-2,,\n", nil, "2 C-1|a@b.c|vip\n3 C-2||\n"},
		{"order and case", "Segments, E-Mail ,CUSTOMER_ID\r\nvip,a@b.c,C-1\r\n", map[string]string{"e-mail": "email"}, "2 C-1|a@b.c|vip\n"},
		{"byte order mark", "\ufeffcustomer_id\nC-1", nil, "2 C-1||\n"},
		{"byte order mark before a quote", "\ufeff\"customer_id\"\nC-1", nil, "2 C-1||\n"},
		{"white space", "customer_id,email\n C-1\u00a0,\ta@b.c \n", nil, "2 C-1|a@b.c|\n"},
		{"header only", "customer_id\n", nil, ""},
		{"blank lines", "\n\ncustomer_id\n\nC-1\n\n\nC-2\n", nil, "5 C-1||\n8 C-2||\n"},
		{"row over lines", "customer_id,address\nC-1,\"a\nb\n\"\"c\"\"\"\nC-2,x\n", nil, "2 C-1||\n5 C-2||\n"},
		{"a rename goes before a name of ours", "customer_id,email\nC-1,x\n", map[string]string{"Email": "segments"}, "2 C-1||x\n"},
		{
			"unknown columns", "customer_id,Shoe Size,email,\nC-1,43,a@b.c,\n",
			map[string]string{"mail": "email"},
			"warn p.csv:1: columns ignored: \"shoe size\", column 4\n" +
				"warn p.csv:1: columns to rename that the file does not have: [\"mail\"]\n2 C-1|a@b.c|\n",
		},
		{
			"field counts", "customer_id,email\nC-1\nC-2,a@b.c,x\nC-3,a@b.c\n", nil,
			"bad p.csv:2: 1 fields, where the header has 2\nbad p.csv:3: 3 fields, where the header has 2\n4 C-3|a@b.c|\n",
		},
		{
			"bare quote", "customer_id,email\nC-1,a\"b\nC-2,a@b.c\n", nil,
			"bad p.csv:2: a quote inside a field that is not quoted; quote the field and double the quotes in it\n3 C-2|a@b.c|\n",
		},
		{
			"quote closed too early", "customer_id,email\nC-1,\"a\"b\nC-2,a@b.c\n", nil,
			"bad p.csv:2: a quoted field is not closed properly; double the quotes in it\n3 C-2|a@b.c|\n",
		},
		{
			"quote that swallows lines", "customer_id,email\nC-1,\"a\nC-2,b\nC-3,\"c\"\nC-4,d\n", nil,
			"bad p.csv:2: a quoted field is not closed properly; double the quotes in it; the row takes lines 2 to 4\n5 C-4|d|\n",
		},
		{
			"quote open in the last line", "customer_id,email\nC-1,a\nC-2,\"b", nil,
			"2 C-1|a|\nbad p.csv:3: a quoted field is not closed properly; double the quotes in it\n",
		},
		{
			"not UTF-8", "customer_id,x,email\nC-1,y,a\xff\nC-2,\xc3,a\nC-3,y,a\n", nil,
			"warn p.csv:1: columns ignored: \"x\"\nbad p.csv:2: column email: not UTF-8\nbad p.csv:3: column 2: not UTF-8\n4 C-3|a|\n",
		},
	} {
		got, err := readAll(c.in, c.columns)
		if err != nil || got != c.want {
			t.Errorf("%s: error %v\n got %s\nwant %s", c.name, err, got, c.want)
		}
	}
}

func TestFileErrors(t *testing.T) {
	long := strings.Repeat("x", MaxRow)
	for _, c := range []struct{ name, in, rows, want string }{
		{"empty", "", "", "p.csv:1: the file is empty; it needs a header row"},
		{"only a mark", "\ufeff", "", "p.csv:1: the file is empty; it needs a header row"},
		{"UTF-16", "\xff\xfec\x00", "", "p.csv:1: the file is UTF-16; say encoding: utf-16, or save it as UTF-8"},
		{"header not UTF-8", "customer_id,pr\xe9nom\n", "", "p.csv:1: column 2 of the header is not UTF-8; save the file as UTF-8, or say which encoding it has"},
		{"lone CR", "customer_id,email\rX-1,secret@x.fr\rX-2,b@x.fr\r", "", "p.csv:1: column 2 of the header holds a control character; the line endings may be CR; save the file with LF or CR LF"},
		{"lone CR first", "customer_id\rX-1\rX-2\n", "", "p.csv:1: column 1 of the header holds a control character; the line endings may be CR; save the file with LF or CR LF"},
		{"lone CR in a long file", "customer_id" + strings.Repeat("\rX-1", MaxRow/2), "", "p.csv:1: the header is over 1048576 bytes; the line endings may be CR; save the file with LF or CR LF"},
		{"line feed in a name", "customer_id,\"a\nsecret@x.fr\"\n", "", "p.csv:1: column 2 of the header holds a control character; the line endings may be CR; save the file with LF or CR LF"},
		{"NUL in a name", "customer_id,secret\x00\n", "", "p.csv:1: column 2 of the header holds a control character; the line endings may be CR; save the file with LF or CR LF"},
		{"tabs", "customer_id\temail\nC-1\ta\n", "", `p.csv:1: column customer_id is missing; the header has 1; the fields seem to be separated by "\t"; say so as delimiter`},
		{"header quote", "customer_id,a\"b\n", "", "p.csv:1: the header: a quote inside a field that is not quoted; quote the field and double the quotes in it"},
		{"required column", "email,kind\na@b.c,customer\n", "", "p.csv:1: column customer_id is missing; the header has 2; add it, or say under columns what the file calls it"},
		{"no header", "\njane@home.example,Jane\n", "", "p.csv:2: column customer_id is missing; the header has 2; add it, or say under columns what the file calls it"},
		{"semicolons", "customer_id;email\nC-1;a\n", "", `p.csv:1: column customer_id is missing; the header has 1; the fields seem to be separated by ";"; say so as delimiter`},
		{"twice", "customer_id,email,Email \n", "", "p.csv:1: column email is given twice, as columns 2 and 3; remove or rename one"},
		{"unclosed quote", "customer_id,email\nC-1,a\nC-2,\"b\nC-3,c\nC-4,d\n", "2 C-1|a|\n", "p.csv:3: a quote opens here and no row ends before the end of the file; close or double it"},
		{"row too long", "customer_id,email\nC-1,a\nC-2,\"" + long + long, "2 C-1|a|\n", "p.csv:3: the row that starts here is over 1048576 bytes; look for a quote that is not closed"},
	} {
		rows, err := readAll(c.in, nil)
		if err == nil || err.Error() != c.want || rows != c.rows {
			t.Errorf("%s: rows %q, error %v\nwant rows %q, error %s", c.name, rows, err, c.rows, c.want)
		}
	}
}

// Unknown columns are named only where the name cannot well be a value.
func TestUnknownColumns(t *testing.T) {
	for name, want := range map[string]string{
		"Shoe size": `"shoe size"`, "prénom": `"prénom"`, "x_1.b-2": `"x_1.b-2"`, "q12345": `"q12345"`,
		strings.Repeat("x", 64): `"` + strings.Repeat("x", 64) + `"`,
		"q123456":               "column 2", "06 12 34 56 78": "column 2", "1980-01-05": "column 2", "٠١٢٣٤٥": "column 2",
		"jane@home.example": "column 2", "a/b": "column 2", "a\tb": "column 2", "a\u2028b": "column 2", " ": "column 2",
		strings.Repeat("x", 65): "column 2",
	} {
		got, err := readAll("customer_id,"+name+"\n", nil)
		if want := "warn p.csv:1: columns ignored: " + want + "\n"; err != nil || got != want {
			t.Errorf("%q: %q, error %v; want %q", name, got, err, want)
		}
	}
}

// A row may be as long as MaxRow wherever in the file it stands, and the
// sum of rows may be longer.
func TestLongRows(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("customer_id,email\n")
	for range 4 {
		b.WriteString("C-1,\"" + strings.Repeat("x\n", MaxRow/2-10) + "\"\n")
		b.WriteString("C-2,y\n")
	}
	rows := 0
	err := profiles(&b, Options{File: "p.csv"}, func(*ProfileRow) error { rows++; return nil })
	if err != nil || rows != 8 {
		t.Errorf("%d rows, error %v; want 8 rows", rows, err)
	}
}

func TestReaderAndEmitErrors(t *testing.T) {
	broken := errors.New("disk is gone")
	in := io.MultiReader(strings.NewReader("customer_id\nC-1\nC-2"), iotest.ErrReader(broken))
	var rows []string
	err := profiles(in, Options{File: "p.csv"}, func(r *ProfileRow) error {
		rows = append(rows, r.CustomerID)
		return nil
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "p.csv") || !slices.Equal(rows, []string{"C-1"}) {
		t.Errorf("rows %q, error %v: want C-1 alone, and an error that names the file", rows, err)
	}
	if err := profiles(iotest.ErrReader(broken), Options{File: "p.csv"}, nil); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	stop := errors.New("stop")
	if err := profiles(strings.NewReader("customer_id\nC-1\n"), Options{}, func(*ProfileRow) error { return stop }); err != stop {
		t.Errorf("error %v, want that of emit as it is", err)
	}
}

func TestLinks(t *testing.T) {
	in := "right,Seen,left,method\ncrm.acme:C-1,2026-11-20,cookie.acme:abc,observed\n,,,\n"
	var got []LinkRow
	err := links(strings.NewReader(in), Options{File: "l.csv", Columns: map[string]string{"seen": "observed_at"}}, func(r *LinkRow) error {
		got = append(got, *r)
		return nil
	})
	want := []LinkRow{
		{Line: 2, Left: "cookie.acme:abc", Right: "crm.acme:C-1", Method: "observed", ObservedAt: "2026-11-20"},
		{Line: 3},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("rows %+v, error %v; want %+v", got, err, want)
	}
	err = links(strings.NewReader("left,method\n"), Options{File: "l.csv"}, nil)
	if err == nil || !strings.Contains(err.Error(), "l.csv:1: column right is missing") {
		t.Errorf("error %v, want one about column right", err)
	}
}

// A row costs the one string that its fields are parts of.
func TestAllocations(t *testing.T) {
	const rows = 10_000
	in := "customer_id,email,segments\n" + strings.Repeat("C-1,\"jane@a.example\",vip|b\n", rows)
	allocs := testing.AllocsPerRun(1, func() {
		if err := profiles(strings.NewReader(in), Options{}, func(*ProfileRow) error { return nil }); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > rows+100 {
		t.Errorf("%v allocations for %d rows, want one a row", allocs, rows)
	}
}

func BenchmarkProfiles(b *testing.B) {
	row := "C-123456,customer,jane.doe@a.example,06 12 34 56 78,Jane,Doe,\"1, rue de la Paix\",75002,Paris,FR,vip|churn.high,2026-01-01\n"
	in := "customer_id,kind,email,phone,first_name,last_name,address,postcode,city,country,segments,consent_at\n" + strings.Repeat(row, 10_000)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if err := profiles(strings.NewReader(in), Options{}, func(*ProfileRow) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
