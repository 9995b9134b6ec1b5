package normalise

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strings"
	"testing"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/source"
)

// The config's profiles decide what keys are made, and the manifest says them.
func TestConfiguredProfiles(t *testing.T) {
	row := source.ProfileRow{
		CustomerID: "C-1", Email: "Jane.Doe+x@GMAIL.com", Phone: "0612345679",
		FirstName: "Jane", LastName: "Doe", Address: "12 rue Basse", Postcode: "75011",
	}
	for _, c := range []struct {
		normalise string
		email     string
		ids       int
		manifest  map[string]string
	}{
		{"", "janedoe@gmail.com", 4, map[string]string{index.EmailSHA256: "uid2/1", index.PhoneSHA256: "e164/1", index.PostalHash: "postal/1"}},
		{"{email: plain, postal: none}", "jane.doe+x@gmail.com", 3, map[string]string{index.EmailSHA256: "plain/1", index.PhoneSHA256: "e164/1"}},
	} {
		yaml := testConfig
		if c.normalise != "" {
			yaml += "normalise: " + c.normalise + "\n"
		}
		cfg, err := config.Parse([]byte(yaml), ".")
		if err != nil {
			t.Fatal(err)
		}
		ns, err := cfg.NamespaceTable()
		if err != nil {
			t.Fatal(err)
		}
		n, err := New(cfg, ns, testAsOf)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Normalised(); !maps.Equal(got, c.manifest) {
			t.Errorf("%s: the manifest says %v, want %v", c.normalise, got, c.manifest)
		}
		p, err := n.Profiles(0, &cfg.Tenants[0].Profiles[0])
		if err != nil {
			t.Fatal(err)
		}
		var out Profile
		if err := p.Normalise(&row, &out); err != nil || len(out.BadFields) > 0 || len(out.Identifiers) != c.ids {
			t.Fatalf("%s: %v, bad fields %v, %d identifiers, want %d", c.normalise, err, out.BadFields, len(out.Identifiers), c.ids)
		}
		hash := sha256.Sum256([]byte(c.email))
		if got := text(ns, out.Identifiers[1]); got != "email_sha256:"+hex.EncodeToString(hash[:])+"\n" {
			t.Errorf("%s: %s, want the hash of %s", c.normalise, got, c.email)
		}
		if c.ids == 4 {
			postal, ok := PostalHash(&row, "FR")
			if id := out.Identifiers[3]; !ok || ns.At(id.Namespace).Name != index.PostalHash || !strings.HasSuffix(string(id.Key), string(postal[:])) {
				t.Errorf("the fourth identifier is %q, want the postal key %x", id.Key, postal)
			}
		}
	}
}

// The two people of a household have two keys, the same person twice has one.
func TestHousehold(t *testing.T) {
	hash := func(first string) [32]byte {
		h, ok := PostalHash(&source.ProfileRow{FirstName: first, LastName: "Doe", Address: "12 rue Basse", Postcode: "75011"}, "FR")
		if !ok {
			t.Fatalf("%s has no key", first)
		}
		return h
	}
	if hash("Jane") == hash("John") || hash("Jane") != hash("JANE") {
		t.Error("first names do not tell the people of a household apart")
	}
}
