package swap

import "fmt"

// Bounds say how far a new snapshot may be from the one that serves. Shares are
// in percent of what the old one has.
type Bounds struct {
	// IdentifiersShrink, PersonsShrink, ReachShrink (of each namespace) and
	// SegmentShrink (of each segment) are by how much a count may fall, from 0
	// to 100.
	IdentifiersShrink, PersonsShrink, ReachShrink, SegmentShrink int
	// IdentifiersGrow and PersonsGrow are by how much a count may rise.
	IdentifiersGrow, PersonsGrow int
	// LargestPerson is how many identifiers a person may have, whatever the old
	// snapshot has.
	LargestPerson int
	// LargestGrow is by how much the largest person may outgrow the old largest
	// one.
	LargestGrow int
	// IDsChanged is the share of persons, in a sample, whose id may change.
	IDsChanged int
	// CanaryLost and CanaryChanged are the shares of recent lookups that were
	// of somebody before and are of nobody, or of another person, after.
	CanaryLost, CanaryChanged int
	// Minimum is how many there must be in the old snapshot, of what is
	// compared, for it to be: of a few, chance moves large shares.
	Minimum int
}

// DefaultBounds let a usual nightly build pass.
func DefaultBounds() Bounds {
	return Bounds{
		IdentifiersShrink: 20, PersonsShrink: 20, ReachShrink: 30, SegmentShrink: 50,
		IdentifiersGrow: 100, PersonsGrow: 100,
		LargestPerson: 1_000_000, LargestGrow: 300,
		IDsChanged: 5, CanaryLost: 5, CanaryChanged: 5,
		Minimum: 1000,
	}
}

// MaxGrow is the largest growth that a bound may allow, in percent.
const MaxGrow = 1_000_000

// Field is a bound by its name in a config, and the values it may have.
type Field struct {
	Name      string
	Value     *int
	Low, High int
}

// Fields lists the bounds.
func (b *Bounds) Fields() []Field {
	return []Field{
		{"identifiers_shrink", &b.IdentifiersShrink, 0, 100},
		{"identifiers_grow", &b.IdentifiersGrow, 0, MaxGrow},
		{"persons_shrink", &b.PersonsShrink, 0, 100},
		{"persons_grow", &b.PersonsGrow, 0, MaxGrow},
		{"reach_shrink", &b.ReachShrink, 0, 100},
		{"segment_shrink", &b.SegmentShrink, 0, 100},
		{"largest_person", &b.LargestPerson, 1, 1 << 30},
		{"largest_grow", &b.LargestGrow, 0, MaxGrow},
		{"ids_changed", &b.IDsChanged, 0, 100},
		{"canary_lost", &b.CanaryLost, 0, 100},
		{"canary_changed", &b.CanaryChanged, 0, 100},
		{"minimum", &b.Minimum, 1, 1 << 30},
	}
}

// Validate checks the ranges.
func (b Bounds) Validate() error {
	for _, f := range b.Fields() {
		if *f.Value < f.Low || *f.Value > f.High {
			return fmt.Errorf("%s is %d, and may be from %d to %d", f.Name, *f.Value, f.Low, f.High)
		}
	}
	return nil
}

// Reason classifies why a snapshot was refused. There are no others than
// [Reasons], so that it can label a metric.
type Reason string

// The reasons.
const (
	Unreadable  Reason = "unreadable" // damaged, or it could not be opened
	Empty       Reason = "empty"      // nobody is in it
	Key         Reason = "key"        // hashes under another key: there is no comparing
	Identifiers Reason = "identifiers"
	Persons     Reason = "persons"
	Reach       Reason = "reach" // of a namespace
	Segment     Reason = "segment"
	Largest     Reason = "largest_person"
	IDs         Reason = "person_ids"
	Canary      Reason = "canary"
)

// Reasons lists all reasons.
func Reasons() []Reason {
	return []Reason{Unreadable, Empty, Key, Identifiers, Persons, Reach, Segment, Largest, IDs, Canary}
}

// Finding is a bound that a snapshot is beyond.
type Finding struct {
	Reason Reason `json:"reason"`
	// Of is the namespace, or the segment as tenant:code, or empty.
	Of string `json:"of,omitempty"`
	// Text says it in words, without personal data.
	Text string `json:"text"`
}

// fell adds a finding where a count fell by more than a share.
func (b Bounds) fell(to *[]Finding, reason Reason, of string, old, now int64, percent int) {
	if old >= int64(b.Minimum) && float64(old-now)*100 > float64(old)*float64(percent) {
		*to = append(*to, Finding{reason, of, fmt.Sprintf("%s: %d after %d, and it may fall by %d %%", named(reason, of), now, old, percent)})
	}
}

// rose is fell for a count that rose.
func (b Bounds) rose(to *[]Finding, reason Reason, of string, old, now int64, percent int) {
	if old >= int64(b.Minimum) && float64(now-old)*100 > float64(old)*float64(percent) {
		*to = append(*to, Finding{reason, of, fmt.Sprintf("%s: %d after %d, and it may rise by %d %%", named(reason, of), now, old, percent)})
	}
}

// share adds a finding where part is more than a share of all.
func (b Bounds) share(to *[]Finding, reason Reason, what string, part, all int64, percent int) {
	if all >= int64(b.Minimum) && float64(part)*100 > float64(all)*float64(percent) {
		*to = append(*to, Finding{reason, "", fmt.Sprintf("%s: %d of %d, and it may be %d %%", what, part, all, percent)})
	}
}

func named(reason Reason, of string) string {
	if of == "" {
		return string(reason)
	}
	return string(reason) + " " + of
}
