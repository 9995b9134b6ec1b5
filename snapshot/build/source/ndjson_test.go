package source

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// modelJSON decodes a line by encoding/json; ok says that it is an object with
// the columns of a link, each once and each a single value.
func modelJSON(line string) (row LinkRow, ok bool) {
	if !utf8.ValidString(line) || !json.Valid([]byte(line)) {
		return row, false
	}
	dec := json.NewDecoder(strings.NewReader(line))
	dec.UseNumber()
	if first, err := dec.Token(); err != nil || first != json.Delim('{') {
		return row, false
	}
	columns, seen := row.columns(), map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			panic(err)
		}
		place := placeOf(columns, HeaderName(key.(string)))
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			panic(err)
		}
		if place < 0 {
			continue
		}
		name := columns[place].name
		if seen[name] {
			return row, false
		}
		seen[name] = true
		switch c := raw[0]; {
		case c == '{' || c == '[':
			return row, false
		case c == '"':
			if err := json.Unmarshal(raw, columns[place].value); err != nil {
				panic(err)
			}
			if strings.Contains(string(raw), `\`) && strings.Contains(*columns[place].value, "\ufffd") {
				return row, false
			}
		case c != 'n':
			*columns[place].value = string(raw)
		}
		*columns[place].value = strings.TrimSpace(*columns[place].value)
	}
	return row, seen["left"] && seen["right"]
}

// checkNDJSON reads a text in all ways, and compares rows and the lines of bad
// ones with the model.
func checkNDJSON(t *testing.T, text string, workers, blocks []int) {
	t.Helper()
	var want outcome
	body := strings.TrimPrefix(text, "\ufeff")
	for i, line := range strings.Split(body, "\n") {
		if strings.Trim(line, " \t\r") == "" {
			continue
		}
		if row, ok := modelJSON(line); ok {
			row.Line = i + 1
			want.row(&row)
		} else {
			want.bad(i+1, "")
		}
	}
	for _, w := range workers {
		for _, size := range blocks {
			all := stdinOutcome(text, Options{Layout: Layout{Format: NDJSON, Compression: Plain}, Workers: w, block: size})
			got := outcome{err: all.err}
			for _, e := range all.events {
				if at := strings.Index(e, " bad "); at >= 0 && !strings.Contains(e[:at], " ") {
					e = e[:at+len(" bad ")]
				} else if strings.HasPrefix(e, "warning ") {
					continue
				}
				got.events = append(got.events, e)
			}
			if !got.equal(want) {
				t.Fatalf("%q, %d workers, blocks of %d:\n got %q, error %s\nwant %q, error %s", text, w, size, all.events, got.err, want.events, want.err)
			}
		}
	}
}

var jsonSeeds = []string{
	`{"left":"a","right":"b"}`, `{"left":1.5e+3,"right":-0,"method":true,"observed_at":null}`,
	`{"left":"a\u00e9\n\"","right":"\ud83d\ude00"}`, `{"left":"\ud800","right":"b"}`, `{"Left ":"a","right":" b ","x":{"y":[1,{"z":[]}]}}`,
	`{"left":"a","left":"b","right":"c"}`, `{"left":["a"],"right":"b"}`, `{"left":{},"right":"b"}`, `{"right":"b"}`, `{}`, `[]`, `{"left":"a","right":"b"} x`,
	`{"left":"a",}`, `{"left":01,"right":1.}`, `{"left":"a","right":"b`, "{\"left\":\"a\x01\",\"right\":\"b\"}", "{\"left\":\"\xff\",\"right\":\"b\"}", `{"left":truex}`, `{"left":nul,"right":1}`, `"left"`, `{"left":"","right":"b","q":""}`,
}

func TestNDJSONAsTheModel(t *testing.T) {
	for _, s := range jsonSeeds {
		checkNDJSON(t, s, []int{1}, []int{1, 100})
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	all := strings.Join(jsonSeeds, "\n")
	for range 2000 {
		b := []byte(all)
		from := rnd.IntN(len(b))
		b = b[from:min(from+rnd.IntN(400), len(b))]
		for range rnd.IntN(3) {
			if len(b) > 0 {
				b[rnd.IntN(len(b))] = "{}[]\",:\\\n\r 0e-.tn"[rnd.IntN(17)]
			}
		}
		checkNDJSON(t, string(b), []int{1, 3}, []int{1 + rnd.IntN(50), 500})
	}
}

func FuzzNDJSON(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add(s + "\r\n\n" + s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "[")+strings.Count(text, "{") >= maxNesting || len(text) > 0 && strings.IndexByte("\xef\xfe\xffP", text[0]) >= 0 {
			t.Skip("encoding/json goes deeper, and such starts are something else")
		}
		checkNDJSON(t, text, []int{1, 2}, []int{1, 40})
	})
}

// readLines reads profiles in NDJSON, with one worker, and writes down all
// that happens.
func readLines(text string, opt Options) (string, error) {
	var b bytes.Buffer
	opt.File, opt.Layout.Format = "p", NDJSON
	opt.Bad = func(r BadRow) { fmt.Fprintln(&b, "bad", r) }
	opt.Warn = func(w Warning) { fmt.Fprintln(&b, "warn", w) }
	err := profiles(strings.NewReader(text), opt, func(r *ProfileRow) error {
		fmt.Fprintf(&b, "%d %s|%s|%s|%s\n", r.Line, r.CustomerID, r.Email, r.Segments, r.ConsentPurposes)
		return nil
	})
	return b.String(), err
}

func TestNDJSON(t *testing.T) {
	for _, c := range []struct {
		name, in string
		columns  map[string]string
		want     string
	}{
		{"lists", `{"customer_id":7,"segments":["a","b"],"consent_purposes":[]}`, nil, "1 7||a|b|\n"},
		{"a text for a list", `{"customer_id":"7","segments":"a|b"}`, nil, "1 7||a|b|\n"},
		{"a separator in an element", `{"customer_id":"7","segments":["a|b"]}`, nil, "bad p:1: column segments has an element with | in it\n"},
		{"a number in a list", `{"customer_id":"7","segments":["a",1]}`, nil, "bad p:1: column segments has an element that is no string\n"},
		{"a list for a text", `{"customer_id":["7"]}`, nil, "bad p:1: column customer_id is a list, where one value is due\n"},
		{"an object", `{"customer_id":{"a":1}}`, nil, "bad p:1: column customer_id is an object, where one value is due\n"},
		{"twice", `{"customer_id":1,"Customer_ID":2}`, nil, "bad p:1: column customer_id is given twice\n"},
		{"missing", "{\"email\":\"a@b.c\"}\n", nil, "bad p:1: column customer_id is missing\n"},
		{"no value of the row before", "{\"customer_id\":1,\"email\":\"x\"}\n\n{\"customer_id\":2}\n", nil, "1 1|x||\n3 2|||\n"},
		{"not an object", "[{\"customer_id\":1}]\n", nil, "bad p:1: not a JSON object; write one on each line\n"},
		{"cut", `{"customer_id":1`, nil, "bad p:1: not valid JSON at byte 17 of the line\n"},
		{"lone surrogate", `{"customer_id":"\udc00"}`, nil, "bad p:1: column customer_id has an escape that is no character\n"},
		{"not UTF-8", "{\"customer_id\":\"\xff\"}\n{\"customer_id\":1}", nil, "bad p:1: not UTF-8\n2 1|||\n"},
		{"byte order mark", "\ufeff{\"customer_id\":1}", nil, "1 1|||\n"},
		{
			"renamed and unknown", "{\"ID\":1,\"shoe\":2}\n{\"id\":2,\"jane@home.example\":1,\"hat\":[{}]}\n",
			map[string]string{"id": "customer_id", "mail": "email"},
			"1 1|||\n2 2|||\nwarn p:1: columns ignored: \"hat\", \"shoe\", keys that are no plain names\n" +
				"warn p:1: columns to rename that the file does not have: [\"mail\"]\n",
		},
	} {
		got, err := readLines(c.in, Options{Columns: c.columns})
		if err != nil || got != c.want {
			t.Errorf("%s: error %v\n got %s\nwant %s", c.name, err, got, c.want)
		}
	}
	if got, err := readLines("{\"customer_id\":1}\n{"+strings.Repeat(" ", MaxRow)+"}\n", Options{}); got != "1 1|||\n" || err == nil ||
		err.Error() != "p:2: the line is over 1048576 bytes" {
		t.Errorf("%s, error %v", got, err)
	}
}

// Keys without number do not fill memory, nor the report.
func TestNDJSONManyKeys(t *testing.T) {
	var text strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&text, "{\"customer_id\":1,\"k%d\":1}\n", i)
	}
	got, err := readLines(text.String(), Options{})
	if err != nil || !strings.HasSuffix(got, "warn p:1: the rows have over 1000 different keys\n") {
		t.Errorf("error %v, %s", err, got[max(0, len(got)-200):])
	}
}
