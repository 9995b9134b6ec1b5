package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// badBodies are refused, by the parser and by its model.
var badBodies = []string{
	``, ` `, `{`, `{}`, `[]`, `null`, `"ids"`, `{"ids"}`, `{"ids":}`, `{"ids":null}`, `{"ids":"a"}`, `{"ids":{}}`,
	`{"ids":[]}`, `{"ids":[ ]}`, `{"ids":[1]}`, `{"ids":[null]}`, `{"ids":["a",]}`, `{"ids":[,"a"]}`, `{"ids":["a" "b"]}`,
	`{"ids":["a"]`, `{"ids":["a"}`, `{"ids":["a]}`, `{"ids":["a"],}`, `{"ids":["a"],"x":1}`, `{"x":1,"ids":["a"]}`,
	`{"ids":["a"],"ids":["b"]}`, `{"IDS":["a"]}`, `{"ids":["a"]}x`, `{"ids":["a"]}{}`, `{"ids":[["a"]]}`, `{'ids':['a']}`,
	`{"ids":["\x"]}`, `{"ids":["\u12"]}`, `{"ids":["\u12g4"]}`, `{"ids":["\"]}`, "{\"ids\":[\"a\nb\"]}", "{\"ids\":[\"\\n\x00\"]}",
	"{\"ids\":[\"\xff\"]}", "{\"ids\":[\"\xed\xa0\x80\"]}", "\ufeff{\"ids\":[\"a\"]}", "{\"ids\":[\"a\"]}\x00", "{\"ids\":\x0b[\"a\"]}", "{\"ids\":[\"a\"]}\xff",
}

var goodBodies = []string{
	`{"ids":["a"]}`, " {\t\"ids\"\r\n:\n[ \"a\" , \"b\" ] } \n", `{"ids":[""]}`, `{"\u0069ds":["a"]}`,
	`{"ids":["\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac"]}`, `{"ids":["\ud83d\ude00 \uD83D\uDE00"]}`,
	`{"ids":["\ud83d","\ude00","\ud83dx","\ud83d\n","\ud83d\u0041","\ud83d\ud83d\ude00"]}`,
	`{"ids":["é€😀","maid:6d92078a-8246-4ba4-ae5b-76104861e7dc"]}`,
}

var errModel = errors.New("not the shape")

// modelIDs reads a body by encoding/json, token by token.
func modelIDs(body []byte) (ids []string, err error) {
	if !utf8.Valid(body) {
		return nil, errModel
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	for _, want := range []json.Token{json.Delim('{'), "ids", json.Delim('[')} {
		if got, err := dec.Token(); err != nil || got != want {
			return nil, errModel
		}
	}
	for dec.More() {
		t, err := dec.Token()
		id, ok := t.(string)
		if err != nil || !ok {
			return nil, errModel
		}
		ids = append(ids, id)
	}
	for _, want := range []json.Token{json.Delim(']'), json.Delim('}')} {
		if got, err := dec.Token(); err != nil || got != want {
			return nil, errModel
		}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || len(ids) == 0 || len(ids) > MaxIDs || !json.Valid(body) {
		return nil, errModel
	}
	return ids, nil
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkIDs(t fataler, q *request, body []byte) {
	t.Helper()
	want, err := modelIDs(body)
	p := q.parseIDs(body)
	if (p == nil) != (err == nil) {
		t.Fatalf("%q: got %+v, encoding/json has %v", body, p, err)
	}
	if p != nil {
		return
	}
	if len(q.ids) != len(want) {
		t.Fatalf("%q: got %q, want %q", body, q.ids, want)
	}
	for i := range want {
		if string(q.ids[i]) != want[i] {
			t.Fatalf("%q: got %q, want %q", body, q.ids, want)
		}
	}
}

func TestParseIDs(t *testing.T) {
	q := new(request)
	for _, body := range badBodies {
		checkIDs(t, q, []byte(body))
		if q.parseIDs([]byte(body)) == nil {
			t.Errorf("%q is accepted", body)
		}
	}
	for _, body := range goodBodies {
		checkIDs(t, q, []byte(body))
		if p := q.parseIDs([]byte(body)); p != nil {
			t.Errorf("%q: %+v", body, p)
		}
	}
}

// Bodies that encoding/json wrote, with one byte changed, or put together from
// pieces, mean to the parser what they mean to encoding/json.
func TestParseIDsAsEncodingJSON(t *testing.T) {
	q := new(request)
	pieces := []string{
		`{`, `}`, `[`, `]`, `"`, `,`, `:`, ` `, "\n", `"ids"`, `ids`, `"a"`, `"b:c"`, `\`, `\n`, `\u`, `\ud83d`, `\ude00`, `0041`,
		`{"ids":[`, `]}`, "é", "\xff", "\x01", "\x7f", `null`, `1`,
	}
	rapid.Check(t, func(t *rapid.T) {
		var body []byte
		if rapid.Bool().Draw(t, "written") {
			ids := rapid.SliceOfN(rapid.String(), 1, 5).Draw(t, "ids")
			body = []byte(batch(ids...))
			if rapid.Bool().Draw(t, "changed") {
				body[rapid.IntRange(0, len(body)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "to")
			}
		} else {
			inside := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), "")
			body = []byte(inside)
			if rapid.Bool().Draw(t, "wrapped") {
				body = []byte(`{"ids":["` + inside + `"]}`)
			}
		}
		checkIDs(t, q, body)
	})
}

// Identifiers stay what they are while the request is served, whatever the
// parser decoded after them.
func TestParsedIDsDoNotMove(t *testing.T) {
	q := new(request)
	body := []byte(`{"ids":["\u0061` + strings.Repeat(`","\u0062\n`, 100) + `"]}`)
	checkIDs(t, q, body)
	for i, id := range q.ids {
		if cap(id) != len(id) {
			t.Fatalf("id %d can grow into its neighbour", i)
		}
	}
}

func FuzzIDs(f *testing.F) {
	for _, body := range append(badBodies, goodBodies...) {
		f.Add([]byte(body))
	}
	q := new(request)
	f.Fuzz(func(t *testing.T, body []byte) { checkIDs(t, q, body) })
}

func TestQueryAsNetURL(t *testing.T) {
	q := new(request)
	pieces := []string{"id", "=", "&", "%41", "%c3%a9", "%00", "%", "%zz", "+", "a:b", "é", "x", "==", "&&"}
	rapid.Check(t, func(t *rapid.T) {
		raw := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 15).Draw(t, "pieces"), "")
		want, err := url.ParseQuery(raw)
		for pair := range strings.SplitSeq(raw, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if name, _ = url.QueryUnescape(name); name == "id" && strings.Contains(value, "+") {
				err = errModel // which net/url takes for a space
			}
		}
		_, p := q.parseQuery([]byte(raw))
		if (p == nil) != (err == nil) {
			t.Fatalf("%q: got %+v, net/url has %v", raw, p, err)
		}
		if p != nil {
			return
		}
		got := make([]string, len(q.ids))
		for i, id := range q.ids {
			got[i] = string(id)
		}
		if strings.Join(got, "\x00|") != strings.Join(want["id"], "\x00|") || len(got) != len(want["id"]) {
			t.Fatalf("%q: got %q, want %q", raw, got, want["id"])
		}
	})
}

func TestStringsAsEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,30}`),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		canonical, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var want string
		if err := json.Unmarshal(canonical, &want); err != nil {
			t.Fatal(err)
		}
		for _, enc := range [][]byte{appendString(nil, s), appendBytes(nil, []byte(s))} {
			var got string
			if err := json.Unmarshal(enc, &got); err != nil || got != want || !utf8.Valid(enc) {
				t.Fatalf("%q: %s is %q, want %q (%v)", s, enc, got, want, err)
			}
		}
		wantClean := true
		for i := range len(s) {
			wantClean = wantClean && plain(s[i])
		}
		if clean([]byte(s)) != wantClean {
			t.Fatalf("%q: clean is %v", s, !wantClean)
		}
	})
}
