package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Names of the profiles of rules, with their versions. What each does stands
// in package normalise.
const (
	EmailUID2  = "uid2/1"
	EmailPlain = "plain/1"
	PhoneE164  = "e164/1"
	Postal     = "postal/1"
	// PostalNone makes no postal keys.
	PostalNone = "none"
)

// Normalise names the profiles by which identifiers are made, for the whole
// pool: hashes of two profiles never match.
type Normalise struct {
	Email, Phone, Postal string
}

// defaultNormalise is what a config that says nothing gets.
var defaultNormalise = Normalise{Email: EmailUID2, Phone: PhoneE164, Postal: Postal}

// The profiles to choose from; of one name the newest version is first.
var (
	emailProfiles  = []string{EmailUID2, EmailPlain}
	phoneProfiles  = []string{PhoneE164}
	postalProfiles = []string{Postal, PostalNone}
)

func (p *parser) normalise(n *yaml.Node) {
	d := &p.c.Normalise
	p.mapping(n, "normalise", keys{
		"email":  func(n *yaml.Node) { value(&p.decoder, n, "normalise email", &d.Email, parseProfile(emailProfiles)) },
		"phone":  func(n *yaml.Node) { value(&p.decoder, n, "normalise phone", &d.Phone, parseProfile(phoneProfiles)) },
		"postal": func(n *yaml.Node) { value(&p.decoder, n, "normalise postal", &d.Postal, parseProfile(postalProfiles)) },
	})
}

// parseProfile reads one of known; a name without its version is the newest.
func parseProfile(known []string) func(string) (string, error) {
	return func(s string) (string, error) {
		for _, k := range known {
			if name, _, _ := strings.Cut(k, "/"); s == k || s == name {
				return k, nil
			}
		}
		return "", fmt.Errorf("profile %q is unknown%s", s, suggest(s, slices.Sorted(slices.Values(known))))
	}
}
