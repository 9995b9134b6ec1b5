package index

import (
	"strings"
	"testing"
)

func TestNamespaceIsValidated(t *testing.T) {
	for _, c := range []struct {
		why string // "" where it is valid
		n   Namespace
	}{
		{"", Namespace{Name: "maid", Compare: UUID}},
		{"", Namespace{Name: "cookie.publisher-a_2"}},
		{"", Namespace{Name: strings.Repeat("a", MaxName)}},
		{"", Namespace{Name: "h", Compare: Hex, Size: MaxValue / 2}},
		{"1 to 64 bytes", Namespace{}},
		{"1 to 64 bytes", Namespace{Name: strings.Repeat("a", MaxName+1)}},
		{"start with a letter", Namespace{Name: "1a"}},
		{"start with a letter", Namespace{Name: ".a"}},
		{"at 1", Namespace{Name: "aB"}},
		{"at 1", Namespace{Name: "a:b"}},
		{"at 1", Namespace{Name: "a\x00"}},
		{"at 1", Namespace{Name: "aé"}},
		{"comparison", Namespace{Name: "a", Compare: 3}},
		{"size", Namespace{Name: "a", Compare: Hex, Size: -1}},
		{"size", Namespace{Name: "a", Compare: Hex, Size: MaxValue/2 + 1}},
		{"size", Namespace{Name: "a", Compare: Exact, Size: 1}},
		{"size", Namespace{Name: "a", Compare: UUID, Size: 16}},
	} {
		_, err := NewNamespaces([]Namespace{c.n})
		if c.why == "" && err != nil || c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)) {
			t.Errorf("%+v: %v, want %q", c.n, err, c.why)
		}
	}
}

func TestNamespaceTable(t *testing.T) {
	if _, err := NewNamespaces([]Namespace{{Name: "a"}, {Name: "b"}, {Name: "a"}}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a name twice: %v", err)
	}
	if _, err := NewNamespaces(make([]Namespace, MaxNamespaces+1)); err == nil {
		t.Error("too many namespaces are accepted")
	}
	ns := namespaces(t)
	for i, n := range ns.All() {
		id, ok := ns.ByName(n.Name)
		if !ok || int(id) != i || ns.At(id) != n {
			t.Errorf("namespace %d is %q, found as %d (%t)", i, n.Name, id, ok)
		}
	}
	ns.All()[0].Name = "changed"
	if ns.At(0).Name != MAID {
		t.Error("All gives the table itself away")
	}
}

// Links from cookies and device ids age; those of CRM ids and contact data do
// not.
func TestTracer(t *testing.T) {
	for name, want := range map[string]bool{
		MAID: true, "cookie.acme": true, "ctv": true, "crmx": true,
		EmailSHA256: false, PhoneSHA256: false, PostalHash: false, "crm.acme": false,
	} {
		if got := (Namespace{Name: name}).Tracer(); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}

func TestCompareNames(t *testing.T) {
	for _, c := range []Compare{Exact, Hex, UUID} {
		if got, err := ParseCompare(c.String()); err != nil || got != c {
			t.Errorf("%v is read as %v (%v)", c, got, err)
		}
	}
	if _, err := ParseCompare("fuzzy"); err == nil {
		t.Error("an unknown comparison is accepted")
	}
}
