package openrtb_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/engine/openrtb"
)

// TestRandomRequests checks requests that often have the fields that matter,
// with types of all kinds.
func TestRandomRequests(t *testing.T) {
	var r openrtb.Request
	rapid.Check(t, func(t *rapid.T) {
		w := writer{t: t}
		w.value("request", 0)
		check(t, &r, []byte(w.b.String()), randomAdditions(t))
	})
}

// TestMutatedRequests checks that what is refused is what encoding/json refuses.
func TestMutatedRequests(t *testing.T) {
	var r openrtb.Request
	rapid.Check(t, func(t *rapid.T) {
		w := writer{t: t}
		w.value("request", 0)
		b := []byte(w.b.String())
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			at := rapid.IntRange(0, len(b)).Draw(t, "at")
			switch insert := rapid.SampledFrom(shards).Draw(t, "shard"); rapid.IntRange(0, 2).Draw(t, "how") {
			case 0:
				b = append(b[:at:at], append([]byte(insert), b[at:]...)...)
			case 1:
				b = append(b[:at:at], b[min(len(b), at+1):]...)
			case 2:
				b = append(b[:at:at], append([]byte(insert), b[min(len(b), at+len(insert)):]...)...)
			}
		}
		check(t, &r, b, randomAdditions(t))
	})
}

// shards are what tends to break JSON.
var shards = []string{
	"{", "}", "[", "]", ",", ":", `"`, `\`, `\u`, `\u12`, `\uD800`, "\x00", "\x1f", "\x7f", "\xff", "\xc3", "é", " ", "\n",
	"0", "-", "1", "01", ".", "e", "E+", "1.5e-3", "true", "tru", "nul", "null", "false", "NaN", "//", "'", "\ufeff",
}

// schema has the keys of the objects that matter, with what their values are.
var schema = map[string]map[string]string{
	"request": {"device": "device", "user": "user", "regs": "regs", "imp": "any", "id": "text"},
	"device":  {"ifa": "text", "lmt": "flag", "ext": "deviceext", "ua": "text"},
	"deviceext": {
		"ifa_type": "text", "lmt": "flag",
	},
	"user": {
		"id": "text", "buyeruid": "text", "eids": "eids", "data": "data", "consent": "text", "ext": "userext", "geo": "any",
	},
	"userext": {"eids": "eids", "consent": "text", "data": "data"},
	"regs": {
		"coppa": "flag", "gdpr": "flag", "us_privacy": "text", "gpp": "text", "gpp_sid": "flags", "gpc": "flag", "ext": "regsext",
	},
	"regsext": {"coppa": "flag", "gdpr": "flag", "us_privacy": "text", "gpp": "text", "gpp_sid": "flags", "gpc": "text", "ext": "any"},
	"eid":     {"source": "text", "mm": "flag", "uids": "uids", "inserter": "text"},
	"uid":     {"id": "text", "atype": "flag"},
	"entry":   {"name": "text", "segment": "segments", "ext": "entryext", "id": "text"},
	"segment": {"id": "text", "name": "text"}, "entryext": {"segtax": "segtax"},
	"any": {"id": "any", "x": "any"},
}

var elements = map[string]string{
	"eids": "eid", "uids": "uid", "data": "entry", "segments": "segment", "flags": "flag",
}

// texts are few, so that additions are often there already.
var texts = []string{"acme.example", "A1", "A17", "é\"\\\n", "", "501", "1", "\ufffd", "ifa", "a rather long text, of more than sixteen bytes"}

// writer writes a random request.
type writer struct {
	t *rapid.T
	b strings.Builder
}

func (w *writer) n(limit int) int { return rapid.IntRange(0, limit-1).Draw(w.t, "n") }

// value writes what should be of a type of the schema, but may be anything.
func (w *writer) value(of string, depth int) {
	w.space()
	if depth > 0 && w.n(8) == 0 {
		of = []string{"request", "any", "text", "flag", "null", "list", "flags"}[w.n(7)]
	}
	if depth > 9 {
		of = "null"
	}
	switch element := elements[of]; {
	case schema[of] != nil:
		w.object(of, depth)
	case element != "" || of == "list":
		w.list(element, depth)
	case of == "text":
		w.text(rapid.SampledFrom(texts).Draw(w.t, "text"))
	case of == "flag":
		w.b.WriteString(rapid.SampledFrom([]string{"0", "1", `"1"`, `"0"`, "3", `"5"`, "-1", "1.0", "2e3", "true", `"\u0031"`, "null"}).Draw(w.t, "flag"))
	case of == "segtax":
		w.b.WriteString(rapid.SampledFrom([]string{"501", `"501"`, "4", "0", "501.0", `"x"`, "null", "-7", "9999999999"}).Draw(w.t, "segtax"))
	default:
		w.b.WriteString("null")
	}
	w.space()
}

func (w *writer) object(of string, depth int) {
	gen := rapid.SampledFrom(slices.Sorted(maps.Keys(schema[of])))
	w.b.WriteByte('{')
	for k := range w.n(6) {
		if k > 0 {
			w.b.WriteByte(',')
		}
		w.space()
		key := gen.Draw(w.t, "key")
		child := schema[of][key]
		if w.n(12) == 0 {
			key = rapid.SampledFrom([]string{
				strings.ToUpper(key), strings.ToUpper(key[:1]) + key[1:], strings.ReplaceAll(key, "s", "ſ"), "", "é", key + "x",
			}).Draw(w.t, "other key")
		}
		w.text(key)
		w.space()
		w.b.WriteByte(':')
		w.value(child, depth+1)
	}
	w.space()
	w.b.WriteByte('}')
}

func (w *writer) list(element string, depth int) {
	w.b.WriteByte('[')
	for k := range w.n(4) {
		if k > 0 {
			w.b.WriteByte(',')
		}
		w.value(element, depth+1)
	}
	w.space()
	w.b.WriteByte(']')
}

// text writes a string with some more escapes than it needs.
func (w *writer) text(s string) {
	w.b.WriteByte('"')
	escape := w.n(6) == 0
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			w.b.WriteString(`\` + string(c))
		case c == '\n':
			w.b.WriteString(`\n`)
		case escape && w.n(2) == 0:
			fmt.Fprintf(&w.b, `\u%04x`, c)
		default:
			w.b.WriteRune(c)
		}
	}
	switch w.n(40) {
	case 0:
		w.b.WriteString(`\ud83d\uDE00`)
	case 1:
		w.b.WriteString(`\ud83d\/`)
	case 2:
		w.b.WriteString("\xff")
	}
	w.b.WriteByte('"')
}

func (w *writer) space() {
	if w.n(10) == 0 {
		w.b.WriteString(rapid.SampledFrom([]string{" ", "\n\t", "\r\n"}).Draw(w.t, "space"))
	}
}

func randomAdditions(t *rapid.T) *openrtb.Additions {
	text := rapid.OneOf(rapid.SampledFrom(texts), rapid.String(), rapid.SampledFrom([]string{"\xff", "a\xc3", "\u2028<\x00", "bytes \xff that are not UTF-8"}))
	var a openrtb.Additions
	for range rapid.IntRange(0, 3).Draw(t, "data") {
		a.Data = append(a.Data, openrtb.Data{
			Name: text.Draw(t, "name"), Segtax: rapid.SampledFrom([]int{0, 501, -7, 9999999999}).Draw(t, "segtax"),
			Segments: rapid.SliceOfN(text, 0, 4).Draw(t, "segments"),
		})
	}
	for range rapid.IntRange(0, 2).Draw(t, "eids") {
		a.EIDs = append(a.EIDs, openrtb.EID{
			Inserter: text.Draw(t, "inserter"), Matcher: text.Draw(t, "matcher"), Source: text.Draw(t, "source"),
			Method: rapid.IntRange(0, 5).Draw(t, "mm"), ID: []byte(text.Draw(t, "id")), AType: rapid.IntRange(0, 3).Draw(t, "atype"),
		})
	}
	return &a
}

// TestText checks that what is written is read as what encoding/json reads.
func TestText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		var r openrtb.Request
		check(t, &r, []byte("{}"), &openrtb.Additions{Data: []openrtb.Data{{Name: s, Segments: []string{s}}}})
		if !utf8.ValidString(valid(s)) {
			t.Fatal("the test's own valid is wrong")
		}
	})
}

// TestOddTexts checks what random texts seldom meet.
func TestOddTexts(t *testing.T) {
	for _, c := range []struct {
		body  string
		text  string // the name, the segment, the source and the id
		there bool
	}{
		{`{"user":{"data":[{"name":"","segment":[{"id":null},{"id":{}},{}]}],"eids":[{"source":"","uids":[{"id":null}]}]}}`, "", false},
		{`{"user":{"data":[{"name":"","segment":[{"id":""}]}],"eids":[{"source":"","uids":[{"id":""}]}]}}`, "", true},
		{`{"user":{"data":[{"segment":[{"id":17}],"name":17}],"eids":[{"source":17,"uids":[{"id":17}]}]}}`, "17", true},
		{`{}`, "12345678\xff12345678", false},
		{`{}`, "1234567\xc312345678", false},
		{`{}`, "12345678\x0012345678\"\\\x1f\x7f", false},
		{"{\"user\":{\"data\":[{\"name\":\"\ufffd\",\"segment\":[{\"id\":\"\ufffd\"}]}],\"eids\":[{\"source\":\"\ufffd\",\"uids\":[{\"id\":\"\ufffd\"}]}]}}", "\xff", true},
	} {
		var r openrtb.Request
		a := openrtb.Additions{
			Data: []openrtb.Data{{Name: c.text, Segments: []string{c.text}}},
			EIDs: []openrtb.EID{{Source: c.text, ID: []byte(c.text)}},
		}
		check(t, &r, []byte(c.body), &a)
		if _, added := r.AppendPatch(nil, &a); added == c.there {
			t.Errorf("%q, %s: added is %v", c.text, c.body, added)
		}
	}
}
