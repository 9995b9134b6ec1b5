package resolve

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/matchd/matchd/index"
)

// Kind says what an identifier stands for.
type Kind uint8

// The kinds. All but devices are anchors: they stand for somebody by
// themselves, and a device stands for whoever it is linked to.
const (
	Device Kind = iota // a cookie, an advertising id, whatever is declared
	Customer
	Email
	Phone
	Postal
)

// KindOf returns the kind of the identifiers of a namespace.
func KindOf(n index.Namespace) Kind {
	switch {
	case strings.HasPrefix(n.Name, index.CRMPrefix):
		return Customer
	case n.Name == index.EmailSHA256:
		return Email
	case n.Name == index.PhoneSHA256:
		return Phone
	case n.Name == index.PostalHash:
		return Postal
	}
	return Device
}

func (k Kind) contact() bool { return k > Customer }

// Weight orders kinds by how well their identifiers stand for a person; less is
// better. A person of the snapshot before goes on in whoever has the one of its
// identifiers that weighs least, and of those the one with the smallest hash.
func (k Kind) Weight() int {
	switch k {
	case Customer:
		return 0
	case Email:
		return 1
	case Phone:
		return 2
	case Postal:
		return 3
	}
	return 4
}

// Node is an identifier to resolve.
type Node struct {
	Kind Kind
	// Tenant is the number of a customer's tenant.
	Tenant uint16
}

// Shared says whom an identifier serves that several people use.
type Shared uint8

// The policies.
const (
	SharedNobody Shared = iota // it serves nobody
	SharedLatest               // the one whose link is the strongest and latest
)

var sharedNames = []string{"nobody", "latest"}

func (s Shared) String() string { return sharedNames[s] }

// ParseShared reads the name of a policy.
func ParseShared(s string) (Shared, error) {
	for i, name := range sharedNames {
		if s == name {
			return Shared(i), nil
		}
	}
	return 0, fmt.Errorf("%q is neither nobody nor latest", s)
}

// Rules are the limits of resolution.
type Rules struct {
	// MaxIdentifiers is how many identifiers a person can have.
	MaxIdentifiers int
	// MaxOnDevice is how many emails, phone numbers or customers of one tenant
	// may be linked to one device; more, and it is shared.
	MaxOnDevice int
	// MaxOnContact is how many customers of one tenant may have one email,
	// phone number or postal address; more, and it is shared.
	MaxOnContact int
	// Shared says whom a shared identifier serves.
	Shared Shared
}

// Version is that of the rules in this package; another one may make other
// persons of the same links.
const Version = 1

// DefaultRules are limits that a practitioner would choose: a person of 50
// identifiers is as many as others allow (Adobe's identity graph), a household
// has a handful of people, and ten records of one customer are a CRM's
// duplicates where forty are a call centre's number.
func DefaultRules() Rules {
	return Rules{MaxIdentifiers: 50, MaxOnDevice: 4, MaxOnContact: 10}
}

// Text returns the rules as a manifest records them.
func (r Rules) Text() map[string]string {
	return map[string]string{
		"max_identifiers":           strconv.Itoa(r.MaxIdentifiers),
		"max_customers_per_device":  strconv.Itoa(r.MaxOnDevice),
		"max_customers_per_contact": strconv.Itoa(r.MaxOnContact),
		"shared":                    r.Shared.String(),
		"version":                   strconv.Itoa(Version),
	}
}

// ParseRules reads what Text wrote; what is missing is as in [DefaultRules]. It
// passes over what it does not know, the version too: the rules of this package
// are applied.
func ParseRules(text map[string]string) (Rules, error) {
	r := DefaultRules()
	for _, n := range []struct {
		name string
		to   *int
	}{
		{"max_identifiers", &r.MaxIdentifiers}, {"max_customers_per_device", &r.MaxOnDevice}, {"max_customers_per_contact", &r.MaxOnContact},
	} {
		if s, ok := text[n.name]; ok {
			var err error
			if *n.to, err = strconv.Atoi(s); err != nil {
				return r, fmt.Errorf("%s: %q is no number", n.name, s)
			}
		}
	}
	if s, ok := text["shared"]; ok {
		var err error
		if r.Shared, err = ParseShared(s); err != nil {
			return r, fmt.Errorf("shared: %w", err)
		}
	}
	return r, r.Validate()
}

// MaxLimit is the largest that a limit can be.
const MaxLimit = 10_000

// Validate checks the ranges.
func (r Rules) Validate() error {
	for _, l := range []struct {
		name  string
		value int
	}{
		{"identifiers of a person", r.MaxIdentifiers}, {"customers on a device", r.MaxOnDevice}, {"customers on a contact", r.MaxOnContact},
	} {
		if l.value < 1 || l.value > MaxLimit {
			return fmt.Errorf("limit of %s: %d is not from 1 to %d", l.name, l.value, MaxLimit)
		}
	}
	return nil
}

// Reason says why a link was cut.
type Reason uint8

// The reasons.
const (
	Kept Reason = iota
	// TooMany: more customers, emails or phones are linked to the identifier
	// than the limit; it is shared.
	TooMany
	// SharedID: people that are not one are linked to the identifier as
	// strongly; it is shared.
	SharedID
	// Different: the link would make one of people that their own data tells
	// apart.
	Different
	// Weak: only a link over a device, or one that nobody proved, says that the
	// two are one.
	Weak
	// TooLarge: the person would have more identifiers than the limit.
	TooLarge
	reasons
)

var reasonNames = []string{"kept", "too_many_customers", "shared_identifier", "different_people", "weak_link", "too_many_identifiers"}

func (r Reason) String() string { return reasonNames[r] }

// Reasons lists the reasons for which links are cut.
func Reasons() []Reason { return []Reason{TooMany, SharedID, Different, Weak, TooLarge} }
