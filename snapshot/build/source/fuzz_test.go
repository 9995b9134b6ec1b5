package source

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// fuzzed reads one file and checks what holds of any: lines ascend, no line is
// reported twice, rows are clean, and reports are UTF-8 without control
// characters.
type fuzzed struct {
	t    *testing.T
	last int
}

func (f *fuzzed) line(n int) {
	if n <= f.last {
		f.t.Fatalf("line %d after line %d", n, f.last)
	}
	f.last = n
}

func (f *fuzzed) bad(b BadRow) {
	f.line(b.Line)
	f.text(b.String())
}

func (f *fuzzed) warn(w Warning) { f.text(w.String()) }

func (f *fuzzed) text(s string) {
	if !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\n\r\x1b") {
		f.t.Fatalf("a report is not clean: %q", s)
	}
}

func (f *fuzzed) row(line int, columns []column) {
	f.line(line)
	for _, c := range columns {
		if !utf8.ValidString(*c.value) || *c.value != strings.TrimSpace(*c.value) {
			f.t.Fatalf("line %d, %s: %q", line, c.name, *c.value)
		}
	}
}

// secret stands in values; no report may repeat it.
const secret = "jane.secret"

func (f *fuzzed) done(err error) {
	if err != nil {
		f.text(err.Error())
	}
}

func (f *fuzzed) noSecret(s string) {
	if strings.Contains(s, secret) {
		f.t.Fatalf("a report repeats a value: %q", s)
	}
}

func FuzzProfiles(f *testing.F) {
	for _, s := range []string{
		"customer_id,email\nC-1,a@b.c\n", "\ufeffcustomer_id\r\nC-1\r\n", "customer_id,email\nC-1,\"a\nb\",x\n",
		"customer_id,email\nC-1,\"a\nC-2,b\n", "customer_id\n\xff\n", "a;b\n", "", "\xff\xfe", "customer_id,customer_id\n",
		"customer_id,\x1b[31m\nx,y\n", "customer_id,email\rX-1,secret@x.fr\rX-2,b@x.fr\r", "customer_id,\"a\nb\",c\x00\n", "mail,customer_id\n\"\"\"\",x\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		check := &fuzzed{t: t}
		err := profiles(strings.NewReader(in), Options{
			File: "p.csv", Columns: map[string]string{"mail": "email"}, Bad: check.bad, Warn: check.warn,
		}, func(r *ProfileRow) error {
			check.row(r.Line, r.columns())
			return nil
		})
		check.done(err)
		if strings.Count(in, "\n")+1 < check.last {
			t.Fatalf("line %d of a file of %d", check.last, strings.Count(in, "\n")+1)
		}
		// The same bytes after a good header that ends in CR alone: it is
		// refused, and no report repeats them.
		err = profiles(strings.NewReader("customer_id,email\rC-1,"+secret+"@x.fr\r"+in), Options{
			File: "p.csv", Bad: check.bad, Warn: func(w Warning) { check.noSecret(w.String()) },
		}, func(*ProfileRow) error { return nil })
		if err == nil {
			t.Fatal("a header with CR in a name is read")
		}
		check.noSecret(err.Error())
		// The same bytes as a row under a good header: no report repeats them.
		under := "customer_id,email\nC-1," + secret + in + "\n" + in + secret + "\n"
		err = profiles(strings.NewReader(under), Options{
			File: "p.csv", Bad: func(b BadRow) { check.noSecret(b.String()) }, Warn: func(w Warning) { check.noSecret(w.String()) },
		}, func(*ProfileRow) error { return nil })
		if err != nil {
			check.noSecret(err.Error())
		}
	})
}

func FuzzLinks(f *testing.F) {
	for _, s := range []string{
		"left,right\nmaid:a,crm.acme:b\n", "right,left,method,observed_at\na,b,c,d\n", "left,right\n\"\n", "left\n", "left,right,left\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		check := &fuzzed{t: t}
		err := links(strings.NewReader(in), Options{File: "l.csv", Bad: check.bad, Warn: check.warn}, func(r *LinkRow) error {
			check.row(r.Line, r.columns())
			return nil
		})
		check.done(err)
	})
}
