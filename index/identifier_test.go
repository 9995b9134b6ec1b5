package index

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// namespaces returns a table with one namespace of each comparison.
func namespaces(t testing.TB) *Namespaces {
	t.Helper()
	ns, err := NewNamespaces(append(
		Builtin(),
		Namespace{Name: "cookie.acme"},
		Namespace{Name: "crm.acme"},
		Namespace{Name: "ctv", Compare: UUID},
		Namespace{Name: "hash", Compare: Hex},
	))
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// key parses text, which must be an identifier.
func key(t testing.TB, ns *Namespaces, text string) ([]byte, NamespaceID) {
	t.Helper()
	k, id, err := ns.AppendKey(nil, []byte(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return k, id
}

const someHash = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"

func TestIdentifiersCompareByNamespace(t *testing.T) {
	ns := namespaces(t)
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"maid:6d92078a-8246-4ba4-ae5b-76104861e7dc", "maid:6D92078A-8246-4BA4-AE5B-76104861E7DC", true},
		{"maid:6d92078a-8246-4ba4-ae5b-76104861e7dc", "maid:6d92078a82464ba4ae5b76104861e7dc", true},
		{"maid:6d92078a-8246-4ba4-ae5b-76104861e7dc", "maid:6d92078a-8246-4ba4-ae5b-76104861e7dd", false},
		{"maid:6d92078a-8246-4ba4-ae5b-76104861e7dc", "ctv:6d92078a-8246-4ba4-ae5b-76104861e7dc", false},
		{"email_sha256:" + someHash, "email_sha256:" + strings.ToUpper(someHash), true},
		{"email_sha256:" + someHash, "phone_sha256:" + someHash, false},
		{"hash:aB12", "hash:Ab12", true},
		{"cookie.acme:aB12", "cookie.acme:Ab12", false},
		{"cookie.acme:x", "cookie.acme:x ", false},
		{"cookie.acme:a:b", "cookie.acme:a:b", true},
		{"crm.acme:C-123", "crm.acme:c-123", false},
		{"crm.acme:Zoë", "crm.acme:Zoe\u0308", false},
	} {
		a, _ := key(t, ns, c.a)
		b, _ := key(t, ns, c.b)
		if bytes.Equal(a, b) != c.same {
			t.Errorf("%q and %q: same is %t, want %t", c.a, c.b, !c.same, c.same)
		}
	}
}

func TestJunkIsNoIdentifier(t *testing.T) {
	ns := namespaces(t)
	for _, c := range []struct{ why, text string }{
		{"no colon", ""},
		{"no colon", "maid"},
		{"unknown namespace", "nobody:1"},
		{"unknown namespace", ":1"},
		{"unknown namespace", "MAID:6d92078a-8246-4ba4-ae5b-76104861e7dc"},
		{"unknown namespace", " maid:6d92078a-8246-4ba4-ae5b-76104861e7dc"},
		{"junk", "maid:"},
		{"junk", "maid:00000000-0000-0000-0000-000000000000"},
		{"junk", "maid:00000000000000000000000000000000"},
		{"junk", "maid:ffffffff-ffff-ffff-ffff-ffffffffffff"},
		{"junk", "maid:FFFFFFFF-FFFF-FFFF-ffff-ffffffffffff"},
		{"junk", "maid:11111111-1111-1111-1111-111111111111"},
		{"junk", "ctv:aaaaaaaa-AAAA-aaaa-aaaa-aaaaaaaaaaaa"},
		{"junk", "email_sha256:" + strings.Repeat("0", 64)},
		{"junk", "email_sha256:" + strings.Repeat("e", 64)},
		{"junk", "cookie.acme:"},
		{"junk", "cookie.acme: "},
		{"junk", "cookie.acme:   \t"},
		{"junk", "cookie.acme:null"},
		{"junk", "cookie.acme:NULL"},
		{"junk", "cookie.acme:None"},
		{"junk", "cookie.acme:undefined"},
		{"junk", "cookie.acme:UNDEFINED"},
		{"junk", "cookie.acme:0"},
		{"junk", "cookie.acme:-1"},
		{"junk", "cookie.acme:${UID}"},
		{"junk", "cookie.acme:${}"},
		{"junk", "cookie.acme:[UID]"},
		{"junk", "cookie.acme:[]"},
		{"junk", "cookie.acme:{{uid}}"},
		{"junk", "cookie.acme:%%UID%%"},
		{"junk", "maid:null"},
		{"junk", "email_sha256:undefined"},
		{"UUID", "maid:6d92078a-8246-4ba4-ae5b-76104861e7d"},
		{"UUID", "maid:6d92078a-8246-4ba4-ae5b-76104861e7dcc"},
		{"UUID", "maid:6d92078a-8246-4ba4-ae5b-76104861e7dg"},
		{"UUID", "maid:6d92078a82-46-4ba4-ae5b-76104861e7dc"},
		{"UUID", "maid:{6d92078a82464ba4ae5b76104861e7dc}"},
		{"digits", "email_sha256:" + someHash[1:]},
		{"digits", "email_sha256:" + someHash + "00"},
		{"digits", "email_sha256:" + someHash[:62] + "zz"},
		{"digits", "email_sha256:someone@example.com"},
		{"digits", "hash:123"},
		{"512 bytes", "cookie.acme:" + strings.Repeat("ab", 256) + "c"},
		{"control", "cookie.acme:a\x00b"},
		{"control", "cookie.acme:a\nb"},
		{"control", "cookie.acme:\x1b[2J"},
		{"control", "cookie.acme:a\x7f"},
		{"control", "cookie.acme:a\u0085b"},
		{"control", "cookie.acme:a\u009b2Jb"}, // a terminal may take it for ESC [
		{"control", "cookie.acme:\u0080"},
		{"control", "cookie.acme:a\xff"},
	} {
		dst := []byte("before")
		got, _, err := ns.AppendKey(dst, []byte(c.text))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%q: error %v, want one that says %q", c.text, err, c.why)
		}
		if string(got) != "before" {
			t.Errorf("%q: dst became %q", c.text, got)
		}
	}
}

func TestOddIdentifiersAreTaken(t *testing.T) {
	ns := namespaces(t)
	for _, text := range []string{
		"cookie.acme:1", "cookie.acme:00", "cookie.acme:-11", "cookie.acme:nul", "cookie.acme:nulls",
		"cookie.acme:[a", "cookie.acme:a]", "cookie.acme:${a", "cookie.acme:{a}", "cookie.acme:%%", "cookie.acme:%a%",
		"cookie.acme: a", "cookie.acme:undefinee", "cookie.acme:é", "cookie.acme:\u00a0", "cookie.acme:日本",
		"cookie.acme:" + strings.Repeat("ab", 256),
		"maid:00000000-0000-0000-0000-000000000001",
		"maid:10101010-1010-1010-1010-101010101010",
	} {
		key(t, ns, text)
	}
}

func TestTextRoundTrip(t *testing.T) {
	ns := namespaces(t)
	for _, c := range []struct{ in, out string }{
		{"maid:6D92078A82464BA4AE5B76104861E7DC", "maid:6d92078a-8246-4ba4-ae5b-76104861e7dc"},
		{"email_sha256:" + strings.ToUpper(someHash), "email_sha256:" + someHash},
		{"hash:ABcd", "hash:abcd"},
		{"cookie.acme:9f8C:x", "cookie.acme:9f8C:x"},
	} {
		k, id := key(t, ns, c.in)
		if got := string(ns.AppendText(nil, id, ns.Value(id, k))); got != c.out {
			t.Errorf("%q is printed as %q, want %q", c.in, got, c.out)
		}
	}
}

// Whatever parses has a text that parses to the same key, and the text is its
// own text.
func TestTextRoundTripProperty(t *testing.T) {
	ns := namespaces(t)
	value := rapid.OneOf(
		rapid.StringMatching(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`),
		rapid.StringMatching(`[0-9a-fA-F]{64}`), rapid.StringMatching(`([0-9a-fA-F]{2}){1,20}`), rapid.String(),
	)
	parsed := 0
	rapid.Check(t, func(t *rapid.T) {
		name := ns.At(NamespaceID(rapid.IntRange(0, ns.Len()-1).Draw(t, "namespace"))).Name
		text := name + ":" + value.Draw(t, "value")
		k, id, err := ns.AppendKey(nil, []byte(text))
		if err != nil {
			return
		}
		parsed++
		checkRoundTrip(t, ns, id, k)
	})
	if parsed == 0 {
		t.Fatal("no text parsed")
	}
}

// checkRoundTrip fails where the text of a key does not lead back to it.
func checkRoundTrip(t interface {
	Helper()
	Fatalf(string, ...any)
}, ns *Namespaces, id NamespaceID, k []byte,
) {
	t.Helper()
	text := ns.AppendText(nil, id, ns.Value(id, k))
	again, id2, err := ns.AppendKey(nil, text)
	if err != nil || id2 != id || !bytes.Equal(again, k) {
		t.Fatalf("key %q has text %q, whose key is %q (%v)", k, text, again, err)
	}
	if of := ns.AppendKeyOf(nil, id, ns.Value(id, k)); !bytes.Equal(of, k) {
		t.Fatalf("key %q is put together as %q", k, of)
	}
	if len(k) > MaxKey {
		t.Fatalf("key of %d bytes, over MaxKey", len(k))
	}
}

// A key is the same in every table that has its namespace.
func TestKeyDoesNotDependOnTheTable(t *testing.T) {
	one := namespaces(t)
	list := one.All()
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	other, err := NewNamespaces(list)
	if err != nil {
		t.Fatal(err)
	}
	const text = "maid:6d92078a-8246-4ba4-ae5b-76104861e7dc"
	a, ida := key(t, one, text)
	b, idb := key(t, other, text)
	if !bytes.Equal(a, b) || ida == idb {
		t.Fatalf("keys %q (namespace %d) and %q (namespace %d)", a, ida, b, idb)
	}
}

// Junk and good identifiers alike cost no allocation.
func TestAppendKeyAllocatesNothing(t *testing.T) {
	ns := namespaces(t)
	dst := make([]byte, 0, MaxKey)
	for _, text := range []string{
		"maid:6d92078a-8246-4ba4-ae5b-76104861e7dc", "email_sha256:" + someHash, "cookie.acme:9f8c",
		"maid:00000000-0000-0000-0000-000000000000", "nobody:1", "maid:x", "hash:1", "hash:zz", "cookie.acme:${UID}", "", "cookie.acme:\x00",
	} {
		b := []byte(text)
		if n := testing.AllocsPerRun(100, func() { _, _, _ = ns.AppendKey(dst, b) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}

func FuzzAppendKey(f *testing.F) {
	for _, seed := range []string{
		"maid:6d92078a-8246-4ba4-ae5b-76104861e7dc", "maid:6D92078A82464BA4AE5B76104861E7DC", "maid:{}", "ctv:",
		"email_sha256:" + someHash, "hash:ab", "hash:a", "cookie.acme:9f8c", "cookie.acme:${UID}", "cookie.acme:\u009b",
		"crm.acme:C-123", ":", "", "maid", "cookie.acme:\xff", "hash:00", "hash:0001",
	} {
		f.Add([]byte(seed))
	}
	ns := namespaces(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		k, id, err := ns.AppendKey([]byte("x"), text)
		if !bytes.Equal(text, before) {
			t.Fatalf("the text %q was changed to %q", before, text)
		}
		if err != nil {
			if !errors.Is(err, ErrInvalid) || string(k) != "x" {
				t.Fatalf("%q: %q, %v", text, k, err)
			}
			return
		}
		checkRoundTrip(t, ns, id, k[1:])
	})
}
