package quality

import (
	"bytes"
	"encoding/json"
	"math"
	"time"
)

// Report says how good the persons of a snapshot are. The package says what
// each figure counts.
type Report struct {
	Snapshot string       `json:"snapshot"`
	AsOf     time.Time    `json:"as_of"`
	Input    InputCounts  `json:"input"`
	Truth    PersonCounts `json:"truth"`
	Held     PersonCounts `json:"held"` // by the snapshot

	Unshared Score `json:"unshared"`
	Shared   Score `json:"shared"`

	// Aside are the true pairs of connected sets without a profile.
	Aside Aside `json:"aside"`
	// Wrong and Missed are about pairs of unshared identifiers.
	Wrong  Wrong  `json:"wrong"`
	Missed Missed `json:"missed"`
	// Namespaces are the wrong and missed pairs, by the namespaces of the two.
	Namespaces []NamespacePairs `json:"namespaces"`

	Mixed []Mixed `json:"mixed"` // the worst of the snapshot's persons, the worst first
	Torn  []Torn  `json:"torn"`  // the worst of the true persons, the worst first
}

// PersonCounts counts persons, and their identifiers by what the truth says of
// them. Postal identifiers that took the persons of their customers are among
// those.
type PersonCounts struct {
	Persons  int64 `json:"persons"`
	Unshared int64 `json:"unshared"`
	Shared   int64 `json:"shared"`
	Unknown  int64 `json:"unknown"` // to the truth
}

// Score compares pairs of the snapshot with pairs of the truth.
type Score struct {
	Paired int64 `json:"paired"` // the snapshot has them in one person
	Right  int64 `json:"right"`  // of Paired, those of one true person
	Due    int64 `json:"due"`    // true links connect them
	Found  int64 `json:"found"`  // of Due, those that the snapshot has in one person

	Precision Ratio `json:"precision"` // Right of Paired
	Recall    Ratio `json:"recall"`    // Found of Due
	F1        Ratio `json:"f1"`        // the harmonic mean of the two
}

func (s *Score) rate() {
	s.Precision = Ratio(float64(s.Right) / float64(s.Paired))
	s.Recall = Ratio(float64(s.Found) / float64(s.Due))
	s.F1 = 0
	if p, r := s.Precision, s.Recall; p+r != 0 {
		s.F1 = 2 * p * r / (p + r)
	}
}

// Ratio is a share from 0 to 1, or NaN where there is nothing to take a share
// of, which is null in JSON. NaN meets no target: it compares as false.
type Ratio float64

// MarshalJSON writes a number, or null.
func (r Ratio) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(r)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(r))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Ratio) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*r = Ratio(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(r))
}

// Aside counts pairs that are not counted, because their connected set has no
// profile and the config does not keep such persons.
type Aside struct {
	Unshared int64 `json:"unshared"` // pairs of two unshared identifiers
	Shared   int64 `json:"shared"`   // pairs of a shared identifier and an unshared one
}

// Wrong counts pairs that the snapshot has in one person and that are not of
// one true person.
type Wrong struct {
	Pairs   int64 `json:"pairs"`
	Persons int64 `json:"persons"` // of the snapshot, that hold such pairs
	// BySharing is how many of Pairs are of two true persons who share an
	// identifier that the same person of the snapshot holds.
	BySharing int64 `json:"by_sharing"`
}

// Missed counts pairs that are due and not found.
type Missed struct {
	Pairs   int64 `json:"pairs"`
	Persons int64 `json:"persons"` // true ones, that miss pairs
	// Absent is how many of Pairs have an identifier that the snapshot does not
	// hold. The two of each of the others are in different persons.
	Absent int64 `json:"absent"`
	// BySharing is how many of Pairs are connected through shared identifiers
	// alone: who serves nobody by a shared one cannot find them.
	BySharing int64 `json:"by_sharing"`
}

// NamespacePairs counts pairs of unshared identifiers of two namespaces.
type NamespacePairs struct {
	A      string `json:"a"`
	B      string `json:"b"`
	Missed int64  `json:"missed"`
	Absent int64  `json:"absent"` // of Missed
	Wrong  int64  `json:"wrong"`
}

// Mixed is a person of the snapshot that is made of several true ones.
type Mixed struct {
	Identifiers int64    `json:"identifiers"` // all that it holds
	Shared      int64    `json:"shared"`      // of Identifiers
	Unknown     int64    `json:"unknown"`     // of Identifiers
	Persons     int64    `json:"persons"`     // the true persons of its unshared identifiers
	Wrong       int64    `json:"wrong"`       // pairs
	Examples    []string `json:"examples"`    // unshared identifiers, of different true persons first
}

// Torn is a true person who misses pairs.
type Torn struct {
	Person      string   `json:"person"`
	Identifiers int64    `json:"identifiers"` // unshared ones, of connected sets that count
	Absent      int64    `json:"absent"`      // of Identifiers, those that the snapshot does not hold
	Pieces      int64    `json:"pieces"`      // the persons of the snapshot that hold the others
	Missed      int64    `json:"missed"`      // pairs
	Examples    []string `json:"examples"`    // of Identifiers, of different pieces first
}
