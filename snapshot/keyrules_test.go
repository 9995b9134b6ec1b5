package snapshot

import (
	"errors"
	"testing"

	"github.com/matchd/matchd/index"
)

// TestKeyRules refuses what has other keys for the same text.
func TestKeyRules(t *testing.T) {
	ns, err := index.NewNamespaces(append(index.Builtin(), index.Namespace{Name: "cookie.a"}, index.Namespace{Name: "id.b", Compare: index.Hex, Size: 4}))
	if err != nil {
		t.Fatal(err)
	}
	r := KeyRules{Namespaces: ns, Normalised: map[string]string{index.EmailSHA256: "uid2/1"}}
	for _, c := range []struct {
		ns, was string
		now     string // where it is refused
	}{
		{"cookie.a", "exact", ""},
		{"cookie.a", "hex", "exact"},
		{"cookie.a", "uuid", "exact"},
		{"id.b", "hex", ""}, // whatever its size was
		{"id.b", "exact", "hex"},
		{"cookie.gone", "hex", ""},
		{index.MAID, "uuid", ""},
		{index.EmailSHA256, "uid2/1", ""},
		{index.EmailSHA256, "plain/1", "uid2/1"},
		{index.EmailSHA256, "hex", ""},     // made by no profile
		{index.PostalHash, "postal/1", ""}, // which none is made by now
		{index.PostalHash, "hex", ""},
	} {
		err := r.Check(map[string][]string{index.PhoneSHA256: {"hex"}, c.ns: {c.was}})
		var is *OtherRulesError
		if errors.As(err, &is) != (c.now != "") || is != nil && (is.Namespace != c.ns || is.Was != c.was || is.Now != c.now) {
			t.Errorf("%s by %s: %v", c.ns, c.was, err)
		}
	}
	made := map[string][]string{"cookie.a": {"exact"}}
	if AddComparisons(made, ns); len(made) != ns.Len() || len(made["cookie.a"]) != 1 || made["id.b"][0] != "hex" || r.Check(made) != nil {
		t.Errorf("they are %v", made)
	}
}
