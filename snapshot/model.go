package snapshot

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/matchd/matchd/index"
)

// Method says how a link was learned. A smaller method is stronger.
type Method uint8

// The methods, strongest first.
const (
	Authenticated Method = iota // somebody logged in
	Observed                    // both identifiers were seen in one request
	CookieSync                  // two parties exchanged their cookies
	Inferred                    // a model says so
	methods
)

var methodNames = []string{"authenticated", "observed", "cookie_sync", "inferred"}

func (m Method) String() string { return name(methodNames, m, "method") }

// OpenRTB returns the method as the value of OpenRTB 2.6's eid.mm.
func (m Method) OpenRTB() int { return [...]int{3, 4, 2, 5}[m] }

// ParseMethod reads the name of a method.
func ParseMethod(s string) (Method, error) { return parse[Method](methodNames, s, "method") }

// Party says who owns a source's data, seen from the tenants of the pool.
type Party uint8

// The parties.
const (
	FirstParty Party = iota
	SecondParty
	ThirdParty
	parties
)

var partyNames = []string{"first", "second", "third"}

func (p Party) String() string { return name(partyNames, p, "party") }

// ParseParty reads the name of a party.
func ParseParty(s string) (Party, error) { return parse[Party](partyNames, s, "party") }

// Kind says what a profile's record is to its tenant.
type Kind uint8

// The kinds.
const (
	Customer Kind = iota
	Prospect
	kinds
)

var kindNames = []string{"customer", "prospect"}

func (k Kind) String() string { return name(kindNames, k, "kind") }

// ParseKind reads the name of a kind.
func ParseKind(s string) (Kind, error) { return parse[Kind](kindNames, s, "kind") }

// LegalBasis is a tenant's ground for using its profiles.
type LegalBasis uint8

// The legal bases. Under Consent a profile without consent does not answer.
const (
	Consent LegalBasis = iota
	Contract
	LegitimateInterest
	legalBases
)

var legalBasisNames = []string{"consent", "contract", "legitimate_interest"}

func (b LegalBasis) String() string { return name(legalBasisNames, b, "legal basis") }

// ParseLegalBasis reads the name of a legal basis.
func ParseLegalBasis(s string) (LegalBasis, error) {
	return parse[LegalBasis](legalBasisNames, s, "legal basis")
}

// Purposes is the set of purposes that a profile's consent covers.
type Purposes uint8

// The purposes.
const (
	Use         Purposes = 1 << iota // by the tenant itself
	Share                            // by a second party
	allPurposes = Use | Share
)

var purposeNames = []string{"use", "share"}

// ParsePurpose reads the name of one purpose.
func ParsePurpose(s string) (Purposes, error) {
	i, err := parse[uint8](purposeNames, s, "consent purpose")
	return 1 << i, err
}

// Day is a date in UTC, in days since 1970-01-01: what a link's first and last
// time observed are kept as.
type Day uint16

// MaxDay is the last date that a Day can hold, 2149-06-06.
const MaxDay Day = 1<<16 - 1

// DayOf returns the date of t, and false where a Day cannot hold it.
func DayOf(t time.Time) (Day, bool) {
	s := t.Unix()
	if s < 0 || s/86400 > int64(MaxDay) {
		return 0, false
	}
	return Day(s / 86400), true
}

// Time returns the start of the day.
func (d Day) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

func (d Day) String() string { return d.Time().Format(time.DateOnly) }

// PersonID is a person's internal id: stable, 128 bits, never shown.
type PersonID [16]byte

func (id PersonID) String() string { return hex.EncodeToString(id[:]) }

// Tenant is a data owner.
type Tenant struct {
	// Name is also the end of the namespace of its profiles, "crm.<name>".
	Name string `json:"name"`
	// Domain is what the tenant is called in a bid request.
	Domain string `json:"domain,omitempty"`
	// LegalBasis is its ground for using its profiles.
	LegalBasis LegalBasis `json:"legal_basis"`
	// ConsentMaxAge is how long a consent without an end lasts, in months.
	ConsentMaxAge int `json:"consent_max_age_months"`
	// BidStream is nil where none of its segments enters a bid request. One that
	// has it has a Domain.
	BidStream *BidStream `json:"bid_stream,omitempty"`
}

// Source is where links come from. Two parties of one name are two sources.
type Source struct {
	Name  string `json:"name"`
	Party Party  `json:"party"`
}

// LiveSource is the name of the source, of the first party, of links that came
// as live changes.
const LiveSource = "live"

// Person is a connected set of identifiers, as the writer takes it.
type Person struct {
	ID PersonID
	// Born is when the person was first built, in Unix seconds.
	Born int64
	// Nodes are the identifiers, at least one; a parent stands before its
	// children, and the first is the root.
	Nodes []Node
	// Spares are links beside the tree that matter once links of the tree
	// have aged out; see FORMAT.md, "Spare links".
	Spares []Spare
	// Profiles are the profiles, in the order in which they are answered.
	Profiles []Profile
	// Links are all links of the person, with their provenance.
	Links []Link
}

// Node is an identifier of a person and the link to its parent in the tree of
// strongest links.
type Node struct {
	Hash      index.Hash
	Namespace index.NamespaceID
	// Value is the canonical value; see index.Namespaces.Value.
	Value []byte
	// Parent is the place of the parent in Person.Nodes; the root's is 0.
	Parent uint32
	// Method, Source and Seen (the day last observed) are the link's to the
	// parent; the root's are those of its strongest link.
	Method Method
	Source uint16
	Seen   Day
}

// Spare is a link that is not in the tree of strongest links.
type Spare struct {
	A, B   uint32 // places in Person.Nodes
	Method Method
	Seen   Day
}

// Profile is one record of a tenant.
type Profile struct {
	// Node is the place of the profile's identifier in Person.Nodes.
	Node   uint32
	Tenant uint16
	Kind   Kind
	// Customer is the tenant's own id of the record.
	Customer []byte
	// Segments are numbers of the segment dictionary, ascending.
	Segments []uint32
	Consent  ConsentState
}

// ConsentState is what a profile says about consent. Times are Unix seconds;
// 0 is absent.
type ConsentState struct {
	At, Expires int64
	Purposes    Purposes
}

// Link is an edge between two identifiers of a person, with its provenance.
type Link struct {
	A, B        uint32 // places in Person.Nodes, A below B
	Method      Method
	Source      uint16
	First, Last Day
}

func name[T ~uint8](names []string, v T, what string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("%s(%d)", what, v)
}

func parse[T ~uint8](names []string, s, what string) (T, error) {
	i := slices.Index(names, s)
	if i < 0 {
		return 0, fmt.Errorf("%s %q is none of %v", what, s, names)
	}
	return T(i), nil
}

// Strength orders links and paths: a stronger method wins, then the link that
// was seen later. A path is as strong as its weakest link.
type Strength struct {
	Method Method
	Seen   Day
}

// Compare returns a negative number where s is stronger than o.
func (s Strength) Compare(o Strength) int {
	if s.Method != o.Method {
		return int(s.Method) - int(o.Method)
	}
	return int(o.Seen) - int(s.Seen)
}

// Weaker returns the weaker of s and o.
func (s Strength) Weaker(o Strength) Strength {
	if s.Compare(o) > 0 {
		return s
	}
	return o
}

// AddMonths adds calendar months to t. Where the month has no such day, it is
// the month's last: a consent of three years given on 29 February ends on the
// 28th.
func AddMonths(t time.Time, months int) time.Time {
	to := t.AddDate(0, months, 0)
	if to.Day() != t.Day() {
		to = to.AddDate(0, 0, -to.Day()) // AddDate went on into the next month
	}
	return to
}

// OldestFresh is the earliest day on which a link that ages may have been seen
// last and still be used on the day of now: the first whose [AddMonths] is not
// before it. It never goes back as now goes on.
func OldestFresh(now time.Time, months int) Day {
	now = now.UTC()
	from := now.AddDate(0, -months, 0)
	if from.Day() != now.Day() {
		from = from.AddDate(0, 0, 1-from.Day()) // the month before was too short
	}
	day, _ := DayOf(from)
	return day
}
