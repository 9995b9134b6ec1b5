package openrtb_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/prebid/openrtb/v20/openrtb2"

	"github.com/matchd/matchd/engine/openrtb"
)

// tester is what testing and rapid have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// check scans body and adds a to it, and compares all that comes out with what
// encoding/json and the naive reader say. r has been used for other bodies before.
func check(t tester, r *openrtb.Request, body []byte, a *openrtb.Additions) {
	t.Helper()
	want, problem := accepted(body)
	came := bytes.Clone(body)
	err := r.Scan(body)
	if err != nil != (problem != "") {
		t.Fatalf("Scan: %v, but: %q\n%s", err, problem, body)
	}
	if err != nil {
		checkRefused(t, r, body, err, a)
		return
	}
	checkRead(t, r, want, body)

	out, added := r.Append([]byte("x"), a)
	if out[0] != 'x' {
		t.Fatalf("Append changed what was there before")
	}
	out = out[1:]
	out2, added2 := r.Append(nil, a)
	if !bytes.Equal(out, out2) || added != added2 {
		t.Fatalf("a second Append differs\n%s\n%s", out, out2)
	}
	if !bytes.Equal(body, came) {
		t.Fatalf("the body has changed")
	}
	if without := r.WithoutAdditions(out2); !bytes.Equal(without, body) {
		t.Fatalf("without the additions:\n%s\nwant\n%s", without, body)
	}
	wantAdded := naiveEnrich(want, a)
	if added != wantAdded {
		t.Fatalf("added is %v, want %v\n%s", added, wantAdded, body)
	}
	if got, err := parse(out); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v: not as the naive reader adds\n%s\n%s", err, body, out)
	}
	checkPatch(t, r, a, added)
	checkPrebid(t, body, out)

	var again openrtb.Request
	if err := again.Scan(out); err != nil {
		if len(out) > openrtb.MaxBytes {
			return
		}
		t.Fatalf("the output: %v\n%s", err, out)
	}
	if twice, added := again.Append(nil, a); added || !bytes.Equal(twice, out) {
		t.Fatalf("enriched twice: added is %v\n%s\n%s", added, out, twice)
	}
}

// accepted says what, if anything, is wrong with a body.
func accepted(body []byte) (n *node, problem string) {
	if len(body) > openrtb.MaxBytes {
		return nil, "too long"
	}
	if !json.Valid(body) {
		return nil, "not JSON"
	}
	n, err := parse(body)
	switch {
	case err != nil:
		return nil, "not JSON"
	case n.kind != '{':
		return nil, "not an object"
	case n.depth() > openrtb.MaxDepth:
		return nil, "too deep"
	}
	return n, ""
}

func checkRefused(t tester, r *openrtb.Request, body []byte, err error, a *openrtb.Additions) {
	t.Helper()
	var syntax *openrtb.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(body) || syntax.Problem == "" {
		t.Fatalf("Scan: %#v", err)
	}
	out, added := r.Append(nil, a)
	patch, patched := r.AppendPatch(nil, a)
	if len(r.IDs())+len(r.Signals())+len(out)+len(patch) > 0 || added || patched {
		t.Fatalf("a refused request is not empty")
	}
}

// checkRead compares ids and signals.
func checkRead(t tester, r *openrtb.Request, root *node, body []byte) {
	t.Helper()
	var ids []naiveID
	for _, id := range r.IDs() {
		ids = append(ids, naiveID{id.Place, valid(string(id.Source)), valid(string(id.Value)), id.Method})
	}
	if want := naiveIDs(root); !reflect.DeepEqual(ids, want) {
		t.Fatalf("ids %v, want %v\n%s", ids, want, body)
	}
	var signals []naiveSignal
	for _, s := range r.Signals() {
		v := naiveSignal{signal: s.Signal, bad: s.Bad}
		if !s.Bad {
			v.value = valid(string(s.Value))
		}
		signals = append(signals, v)
	}
	want := naiveSignals(root)
	if len(want) > openrtb.MaxSignals {
		checkOverflow(t, signals)
		return
	}
	order := func(a, b naiveSignal) int {
		bad := 0
		if a.bad != b.bad {
			bad = 1
			if b.bad {
				bad = -1
			}
		}
		return cmp.Or(cmp.Compare(a.signal, b.signal), cmp.Compare(a.value, b.value), bad)
	}
	slices.SortFunc(signals, order)
	slices.SortFunc(want, order)
	if !slices.Equal(signals, want) {
		t.Fatalf("signals %v, want %v\n%s", signals, want, body)
	}
}

// checkOverflow checks that all signals are bad.
func checkOverflow(t tester, signals []naiveSignal) {
	t.Helper()
	for s := openrtb.GDPR; s <= openrtb.COPPA; s++ {
		if !slices.Contains(signals, naiveSignal{signal: s, bad: true}) {
			t.Fatalf("too many signals, and %d is not bad: %v", s, signals)
		}
	}
}

func checkPatch(t tester, r *openrtb.Request, a *openrtb.Additions, added bool) {
	t.Helper()
	full, _ := r.Append(nil, a)
	var want []byte // the additions of Append
	for _, s := range r.Additions() {
		want = append(want, full[s[0]:s[1]]...)
	}
	patch, patched := r.AppendPatch([]byte("x"), a)
	patch = patch[1:]
	if patched != added || !added && len(patch) > 0 {
		t.Fatalf("the patch is %q, added %v", patch, patched)
	}
	if !added {
		return
	}
	if !json.Valid(patch) || !utf8.Valid(patch) {
		t.Fatalf("the patch is not JSON, or not UTF-8: %q", patch)
	}
	// Apart from what joins them, a patch and the additions are the same.
	var q struct {
		User struct {
			Data, EIDs []json.RawMessage
		}
	}
	if err := json.Unmarshal(patch, &q); err != nil {
		t.Fatalf("the patch: %v", err)
	}
	for _, entry := range append(q.User.Data, q.User.EIDs...) {
		if !bytes.Contains(want, entry) {
			t.Fatalf("the patch has %s, what was added is %s", entry, want)
		}
	}
	if len(q.User.Data)+len(q.User.EIDs) == 0 {
		t.Fatalf("an empty patch: %s", patch)
	}
}

// checkPrebid checks that the output decodes if the input does.
func checkPrebid(t tester, body, out []byte) {
	t.Helper()
	var before, after openrtb2.BidRequest
	if json.Unmarshal(body, &before) == nil {
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatalf("prebid decodes what came, but not what goes out: %v\n%s\n%s", err, body, out)
		}
	}
}

// additions are those of the tests over files and of fuzzing.
func additions() *openrtb.Additions {
	return &openrtb.Additions{
		Data: []openrtb.Data{
			{Name: "acme.example", Segtax: 501, Segments: []string{"A1", "A17"}},
			{Name: "b\u00e9ta.example", Segments: []string{`"vip" \ gold`}},
			{Name: "nothing.example", Segtax: 502},
		},
		EIDs: []openrtb.EID{{
			Inserter: "acme.example", Matcher: "match.example", Source: "id.acme.example",
			Method: 3, ID: []byte("p-5f0d2c91"), AType: 3,
		}},
	}
}

func newRequest(t *testing.T, body string) *openrtb.Request {
	t.Helper()
	var r openrtb.Request
	if err := r.Scan([]byte(body)); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return &r
}
