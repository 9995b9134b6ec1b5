package openrtb_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/engine/openrtb"
)

// sameAsUnmarked checks that a body is read by its marks as without, and that
// what is marked is JSON.
func sameAsUnmarked(t tester, marked, plain *openrtb.Request, body []byte) {
	t.Helper()
	err, want := marked.Scan(body), plain.Scan(body)
	if !reflect.DeepEqual(err, want) {
		t.Fatalf("%s\nis refused with %v, without marks with %v", body, err, want)
	}
	if err != nil {
		return
	}
	if marked.Marked() && !json.Valid(body) {
		t.Fatalf("%s\nis marked and no JSON", body)
	}
	if !reflect.DeepEqual(marked.IDs(), plain.IDs()) || !reflect.DeepEqual(marked.Signals(), plain.Signals()) || marked.Places() != plain.Places() {
		t.Fatalf("%s\nis read as %v %v %v, without marks as %v %v %v",
			body, marked.IDs(), marked.Signals(), marked.Places(), plain.IDs(), plain.Signals(), plain.Places())
	}
}

// needsMarks skips a test where the processor cannot do what is tested.
func needsMarks(t *testing.T) {
	if !openrtb.CanMark {
		t.Skip("this processor has no AVX2")
	}
}

// compact are the requests without white space, but for those that are too deep.
func compact(t *testing.T) [][]byte {
	var out [][]byte
	for _, body := range requests(t) {
		var b bytes.Buffer
		if json.Compact(&b, body) == nil && b.Bytes()[0] == '{' && !bytes.Contains(b.Bytes(), []byte(strings.Repeat("}]", openrtb.MaxMarkedDepth/2))) {
			out = append(out, b.Bytes())
		}
	}
	if len(out) == 0 {
		t.Fatal("there are no requests")
	}
	return out
}

// TestMarkedAnywhere lets every token of many requests lie at every place of a
// block, and begin and end in different ones.
func TestMarkedAnywhere(t *testing.T) {
	needsMarks(t)
	plain := openrtb.Unmarked()
	var r openrtb.Request
	for _, body := range compact(t) {
		for n := range 130 {
			shifted := slices.Concat([]byte(`{"x":"`+strings.Repeat("x", n)+`",`), body[1:])
			if !json.Valid(shifted) {
				shifted = slices.Concat([]byte(`{"x":"`+strings.Repeat("x", n)+`"`), body[1:]) // it was empty
			}
			for _, end := range []string{"", "\n", " \r\n\t"} {
				whole := append(slices.Clip(shifted), end...)
				sameAsUnmarked(t, &r, plain, whole)
				if len(shifted) <= openrtb.MaxMarked && !r.Marked() {
					t.Fatalf("%s\nis not marked", whole)
				}
			}
		}
	}
}

// TestMarkedChanged changes every byte of many requests: what is no JSON any
// more is refused with the same words, and the rest is read the same.
func TestMarkedChanged(t *testing.T) {
	needsMarks(t)
	plain := openrtb.Unmarked()
	var r openrtb.Request
	for i, body := range compact(t) {
		if testing.Short() && i > 2 || len(body) > 4<<10 {
			continue
		}
		for at := range body {
			for _, insert := range shards {
				sameAsUnmarked(t, &r, plain, slices.Concat(body[:at], []byte(insert), body[at:]))
				sameAsUnmarked(t, &r, plain, slices.Concat(body[:at], []byte(insert), body[at+1:]))
			}
			sameAsUnmarked(t, &r, plain, slices.Concat(body[:at], body[at+1:]))
			sameAsUnmarked(t, &r, plain, body[:at])
		}
	}
}

// TestMarkedText is about everything that a string can hold at the end of a
// block: escapes above all.
func TestMarkedText(t *testing.T) {
	needsMarks(t)
	plain := openrtb.Unmarked()
	var r openrtb.Request
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]string{`\`, `\\`, `"`, `\"`, `\n`, `\u00e9`, `\u12`, "a", "aaaaaaaaaaaaaaa", "é", "\x01", ",", ":", "{", "}"}), 0, 90).Draw(t, "text")
		body := `{"user":{"id":"` + strings.Join(text, "") + `","n":[1,-0.5e3,true,{"k":null}]},"x":"` + strings.Join(text, "") + `"}`
		sameAsUnmarked(t, &r, plain, []byte(body))
		if json.Valid([]byte(body)) && !r.Marked() {
			t.Fatalf("%s\nis not marked", body)
		}
	})
}

// TestMarkedRandom compares over random requests.
func TestMarkedRandom(t *testing.T) {
	needsMarks(t)
	plain := openrtb.Unmarked()
	var r openrtb.Request
	marked := 0
	rapid.Check(t, func(t *rapid.T) {
		w := writer{t: t}
		w.value("request", 0)
		body := []byte(w.b.String())
		sameAsUnmarked(t, &r, plain, body)
		var b bytes.Buffer
		if json.Compact(&b, body) == nil {
			sameAsUnmarked(t, &r, plain, b.Bytes())
			if b.Bytes()[0] == '{' && b.Len() <= openrtb.MaxMarked && !r.Marked() {
				t.Fatalf("%s\nis not marked", b.Bytes())
			}
			marked++
		}
	})
	if marked == 0 {
		t.Fatal("nothing was marked")
	}
}

// TestMarkedBounds is about what is just within the bounds of marks, and just
// beyond, where it is read without.
func TestMarkedBounds(t *testing.T) {
	needsMarks(t)
	plain := openrtb.Unmarked()
	var r openrtb.Request
	for _, long := range []int{-1, 0, 1} {
		body := `{"user":{"id":"1"},"x":"`
		body += strings.Repeat("x", openrtb.MaxMarked+long-len(body)-2) + `"}`
		sameAsUnmarked(t, &r, plain, []byte(body))
		if r.Marked() != (long <= 0) {
			t.Errorf("of %d bytes: marked is %t", len(body), r.Marked())
		}
	}
	for _, deep := range []int{-1, 0, 1} {
		n := openrtb.MaxMarkedDepth + deep - 1
		body := `{"user":{"id":"1"},"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
		sameAsUnmarked(t, &r, plain, []byte(body))
		if r.Marked() != (deep <= 0) {
			t.Errorf("%d deep: marked is %t", n+1, r.Marked())
		}
	}
}
