package openrtb_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine/openrtb"
)

// TestRefused is the table of what is refused and where.
func TestRefused(t *testing.T) {
	deep := func(levels int) string {
		return `{"a":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + "}"
	}
	deepUser := `{"user":{"ext":{"eids":[{"uids":[{"id":` + strings.Repeat(`[`, 94)
	long := `{"a":"` + strings.Repeat("x", openrtb.MaxBytes-8) + `"}`
	for _, c := range []struct {
		name, body string
		offset     int // -1 where it is accepted
		problem    string
	}{
		{"100 levels", deep(100), -1, ""},
		{"101 levels", deep(101), 104, "nested deeper than 100 levels"},
		{"101 levels in eids", deepUser, len(deepUser) - 1, "nested deeper than 100 levels"},
		{"1 MiB", long, -1, ""},
		{"more than 1 MiB", long + " ", openrtb.MaxBytes, "longer than 1 MiB"},
		{"not UTF-8", "{\"a\xff\":\"\xc3\"}", -1, ""},
		{"nothing", "", 0, "the body ends here, expected an object"},
		{"white space", " \n", 2, "the body ends here, expected an object"},
		{"an array", " [{}]", 1, "expected an object"},
		{"null", "null", 0, "expected an object"},
		{"a byte order mark", "\ufeff{}", 0, "expected an object"},
		{"something after", "{} {}", 3, "expected nothing after the object"},
		{"no end", `{"a":1`, 6, "the body ends here, expected a comma or the end of the object"},
		{"no end of a list", `{"a":[1`, 7, "the body ends here, expected a comma or the end of the array"},
		{"no end of a list of eids", `{"user":{"eids":[1`, 18, "the body ends here, expected a comma or the end of the array"},
		{"no end of a key", `{"a`, 3, "the body ends here, expected the end of the string"},
		{"no end of a string", `{"a":"bcdefghijklmnop`, 21, "the body ends here, expected the end of the string"},
		{"no end of an escape", `{"a":"\`, 6, "expected an escape of JSON"},
		{"no such escape", `{"a":"\x41"}`, 6, "expected an escape of JSON"},
		{"half an escape", `{"a":"\u00g0"}`, 6, "expected an escape of JSON"},
		{"a control character", "{\"a\":\"12345678\n\"}", 14, "a control character in a string"},
		{"a control character in a key", "{\"user\":{\"i\td\":1}}", 11, "a control character in a string"},
		{"no key", `{a:1}`, 1, "expected a key"},
		{"no key in a nested object", `{"x":{1:1}}`, 6, "expected a key"},
		{"a comma too much", `{"a":1,}`, 7, "expected a key"},
		{"a comma too much in a list", `{"a":[1,]}`, 8, "expected a value"},
		{"a comma too much in a nested object", `{"x":{"a":1,}}`, 12, "expected a key"},
		{"no colon", `{"a" 1}`, 5, "expected a colon"},
		{"no colon in a nested object", `{"x":{"a",1}}`, 9, "expected a colon"},
		{"no value", `{"a":}`, 5, "expected a value"},
		{"no comma", `{"a":1 "b":2}`, 7, "expected a comma or the end of the object"},
		{"no comma in a list", `{"a":[1 2]}`, 8, "expected a comma or the end of the array"},
		{"the wrong bracket", `{"a":[1}}`, 7, "expected a comma or the end of the array"},
		{"the wrong brace", `{"a":{"b":1]}`, 11, "expected a comma or the end of the object"},
		{"a literal", `{"a":nul}`, 5, "expected a value"},
		{"a literal's case", `{"a":True}`, 5, "expected a value"},
		{"a leading zero", `{"a":01}`, 6, "expected a comma or the end of the object"},
		{"a bare minus", `{"a":-}`, 6, "expected a digit"},
		{"a plus", `{"a":+1}`, 5, "expected a value"},
		{"no digit after the point", `{"user":{"id":1.}}`, 16, "expected a digit"},
		{"no digit before the point", `{"a":.5}`, 5, "expected a value"},
		{"no digit in the exponent", `{"device":{"lmt":1e+}}`, 20, "expected a digit"},
		{"a wrong gpp_sid", `{"regs":{"gpp_sid":[2,x]}}`, 22, "expected a value"},
		{"a wrong regs", `{"regs":[`, 9, "the body ends here, expected a value"},
	} {
		var r openrtb.Request
		check(t, &r, []byte(c.body), additions())
		err := r.Scan([]byte(c.body))
		var syntax *openrtb.SyntaxError
		switch {
		case c.offset < 0 && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.offset >= 0 && (!errors.As(err, &syntax) || *syntax != openrtb.SyntaxError{Offset: c.offset, Problem: c.problem}):
			t.Errorf("%s: %v, want byte %d: %s", c.name, err, c.offset, c.problem)
		}
	}
}

// TestTruncated checks that no part of a request is one, and that nothing after its end
// is looked at.
func TestTruncated(t *testing.T) {
	var r openrtb.Request
	for name, body := range requests(t) {
		body = bytes.TrimSpace(body)
		step := 1 + len(body)/2000
		for n := 0; n < len(body); n += step {
			err := r.Scan(body[:n:n])
			var syntax *openrtb.SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset > n {
				t.Fatalf("%s: %d bytes of %d: %v", name, n, len(body), err)
			}
		}
	}
}

// TestBounds checks that ids are bounded and that signals fail closed.
func TestBounds(t *testing.T) {
	r := newRequest(t, `{"user":{"eids":[{"source":"s","uids":[`+strings.Repeat(`{"id":"x"},`, openrtb.MaxIDs)+`{"id":"y"}]}]}}`)
	if n := len(r.IDs()); n != openrtb.MaxIDs {
		t.Errorf("%d ids", n)
	}
	r = newRequest(t, `{"regs":{`+strings.Repeat(`"gdpr":0,`, openrtb.MaxSignals)+`"coppa":1}}`)
	signals := r.Signals()
	if len(signals) != openrtb.MaxSignals+8 {
		t.Fatalf("%d signals", len(signals))
	}
	for i, s := range signals[openrtb.MaxSignals:] {
		if !s.Bad || int(s.Signal) != i {
			t.Errorf("after what is too much: %v", s)
		}
	}
	r = newRequest(t, `{"regs":{`+strings.Repeat(`"gdpr":0,`, openrtb.MaxSignals-1)+`"coppa":1}}`)
	if signals := r.Signals(); len(signals) != openrtb.MaxSignals || signals[openrtb.MaxSignals-1].Bad {
		t.Errorf("as many signals as there may be: %v", signals)
	}
}

// TestNoAllocations is a budget: a request that has been used allocates nothing.
func TestNoAllocations(t *testing.T) {
	a := additions()
	for name, body := range requests(t) {
		var r openrtb.Request
		var out []byte
		n := testing.AllocsPerRun(20, func() {
			if err := r.Scan(body); err != nil {
				t.Fatal(err)
			}
			out, _ = r.Append(out[:0], a)
			out, _ = r.AppendPatch(out[:0], a)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if r.Text() > len(body) {
			t.Errorf("%s: holds %d bytes of text", name, r.Text())
		}
	}
}

// TestNeverUsed checks that a Request that never scanned anything is empty.
func TestNeverUsed(t *testing.T) {
	var r openrtb.Request
	if out, added := r.Append(nil, additions()); len(out) > 0 || added {
		t.Errorf("Append: %q, %v", out, added)
	}
	if out, added := r.AppendPatch(nil, additions()); len(out) > 0 || added {
		t.Errorf("AppendPatch: %q, %v", out, added)
	}
}

// FuzzRequest checks that whatever comes, what is said of it is what the naive
// reader says.
func FuzzRequest(f *testing.F) {
	for _, body := range requests(f) {
		if len(body) < 4096 {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if json.Valid(body) && bytes.Count(body, []byte("[")) > 5000 {
			t.Skip("slow for encoding/json")
		}
		var r openrtb.Request
		check(t, &r, body, additions())
	})
}
