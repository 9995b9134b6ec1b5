package config

import (
	"strings"
	"testing"
)

func TestNormalise(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Normalise
	}{
		{"", Normalise{"uid2/1", "e164/1", "postal/1"}},
		{"normalise: {}\n", Normalise{"uid2/1", "e164/1", "postal/1"}},
		{"normalise: {email: plain}\n", Normalise{"plain/1", "e164/1", "postal/1"}},
		{"normalise: {email: plain/1, phone: e164, postal: none}\n", Normalise{"plain/1", "e164/1", "none"}},
		{"normalise: {email: uid2, phone: e164/1, postal: postal}\n", Normalise{"uid2/1", "e164/1", "postal/1"}},
	} {
		if got := mustParse(t, minimal(c.in)).Normalise; got != c.want {
			t.Errorf("%q: %+v, want %+v", c.in, got, c.want)
		}
	}
}

func TestNormaliseErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"normalise: uid2\n", "onboard.yaml:3: normalise: is a single value, and should be a mapping"},
		{"normalise: {mail: uid2}\n", `onboard.yaml:3: normalise: unknown key "mail"; did you mean "email"? Known are email, phone, postal`},
		{"normalise: {email: uid2/3}\n", `onboard.yaml:3: normalise email: profile "uid2/3" is unknown; did you mean "uid2/1"? Known are plain/1, uid2/1`},
		{"normalise: {email: none}\n", `onboard.yaml:3: normalise email: profile "none" is unknown`},
		{"normalise: {phone: e146}\n", `onboard.yaml:3: normalise phone: profile "e146" is unknown`},
		{"normalise: {postal: non}\n", `onboard.yaml:3: normalise postal: profile "non" is unknown; did you mean "none"? Known are none, postal/1`},
		{"normalise: {postal: }\n", "onboard.yaml:3: normalise postal: is empty"},
	} {
		_, err := Parse([]byte(minimal(c.in)), ".")
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.in, err, c.want)
		}
	}
}

// Each profile of the pool decides which hashes match, so each is canonical.
func TestNormaliseIsCanonical(t *testing.T) {
	seen := map[string]string{}
	for _, in := range []string{"", "normalise: {email: plain}\n", "normalise: {postal: none}\n"} {
		text := string(mustParse(t, minimal(in)).Canonical())
		if before, ok := seen[text]; ok {
			t.Errorf("%q and %q have one canonical text", before, in)
		}
		seen[text] = in
	}
	if _, ok := seen[string(mustParse(t, minimal("normalise: {email: uid2, phone: e164/1}\n")).Canonical())]; !ok {
		t.Error("the defaults, given, change the canonical text")
	}
}
