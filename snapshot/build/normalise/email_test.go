package normalise

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestEmail(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"JaneSaoirse+UID2@Gmail.com", "janesaoirse@gmail.com"},
		{"  jane.saoirse@gmail.com\t", "janesaoirse@gmail.com"},
		{"Jane.Saoirse+x@googlemail.com", "jane.saoirse+x@googlemail.com"},
		{"Jane.Saoirse+x@mail.gmail.com", "jane.saoirse+x@mail.gmail.com"},
		{"ÉLODIE@Exemple.FR", "élodie@exemple.fr"},
		{"o'brien@a.b.example", "o'brien@a.b.example"},
		{"\u212Aelvin@a.example", "kelvin@a.example"},
	} {
		got, err := AppendEmail([]byte("x"), c.in)
		if err != nil || string(got) != "x"+c.want {
			t.Errorf("%q: %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func TestEmailRefused(t *testing.T) {
	long := strings.Repeat("a", MaxEmail)
	for _, c := range []struct {
		in   string
		want error
	}{
		{"", errEmailAt},
		{"jane", errEmailAt},
		{"jane@home@a.example", errEmailAt},
		{"@a.example", errEmailLocal},
		{"+promo@gmail.com", errEmailLocal},
		{"...@gmail.com", errEmailLocal},
		{"jane@", errEmailDomain},
		{"jane@localhost", errEmailDomain},
		{"jane@.example", errEmailDomain},
		{"jane@a.example.", errEmailDomain},
		{"jane@a..example", errEmailDomain},
		{"jane doe@a.example", errEmailChar},
		{"jane\u00a0doe@a.example", errEmailChar},
		{"jane\u200b@a.example", errEmailChar},
		{"jane\x00@a.example", errEmailChar},
		{"jane\x7f@a.example", errEmailChar},
		{"jane\xff@a.example", errEmailChar},
		{"Jane<jane@a.example>", errEmailChar},
		{"mailto:jane@a.example", errEmailChar},
		{"jane@a.example;joe", errEmailChar},
		{long + "@a.example", errEmailLong},
		// 249 bytes, that are 371 in lower case.
		{strings.Repeat("\u023a", 120) + "@a.exampl", errEmailLong},
	} {
		got, err := AppendEmail([]byte("x"), c.in)
		if err != c.want || string(got) != "x" {
			t.Errorf("%q: %q, %v; want %v", c.in, got, err, c.want)
		}
	}
}

// The vector is UID2's own.
func TestEmailHashVector(t *testing.T) {
	hash, err := EmailHash("JaneSaoirse+UID2@Gmail.com")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := base64.StdEncoding.EncodeToString(hash[:]), "ku4mBX7Z3qJTXWyLFB1INzkyR2WZGW4ANSJUiW21iI8="; got != want {
		t.Errorf("hash is %s, want %s", got, want)
	}
}

func FuzzEmail(f *testing.F) {
	for _, s := range []string{
		"JaneSaoirse+UID2@Gmail.com", " a.b@gmail.com ", "+x@gmail.com", "ÉLODIE@Exemple.FR",
		"\u0130stanbul@a.example", "\u023a\u023a@a.b", "a@b@c.d", "jane@", "\xff@a.b", "jane.doe",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := AppendEmail(nil, s)
		if err != nil {
			checkNoLeak(t, err, s)
			return
		}
		if len(once) > MaxEmail {
			t.Fatalf("%q becomes %d bytes", s, len(once))
		}
		twice, err := AppendEmail(nil, string(once))
		if err != nil || string(twice) != string(once) {
			t.Fatalf("%q becomes %q, and that %q, %v", s, once, twice, err)
		}
		a, _ := EmailHash(s)
		if b, err := EmailHash(string(once)); err != nil || a != b {
			t.Fatalf("hashes of %q and %q differ", s, once)
		}
	})
}

// checkNoLeak fails where the error repeats the value, or its local part,
// beyond what the message says of any value.
func checkNoLeak(t *testing.T, err error, value string) {
	t.Helper()
	local, _, _ := strings.Cut(value, "@")
	for _, part := range []string{value, strings.TrimSpace(value), local} {
		if len(part) > 3 && strings.Contains(err.Error(), part) && !strings.Contains(allReasons, part) {
			t.Fatalf("error %q repeats %q", err, part)
		}
	}
}

// allReasons are words that a fuzzer finds to be both value and message.
var allReasons = strings.Join([]string{
	errEmailLong.Error(), errEmailAt.Error(), errEmailLocal.Error(), errEmailDomain.Error(), errEmailChar.Error(),
	errPhone.Error(), errPhoneExtension.Error(),
}, "\n")
