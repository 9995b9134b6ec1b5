package snapshot

import (
	"fmt"
	"maps"
	"slices"

	"github.com/matchd/matchd/index"
)

// KeyRules are what the keys of identifiers depend on beside their text: of
// contact identifiers the profile that they are made by, of others how their
// namespace compares.
type KeyRules struct {
	Namespaces *index.Namespaces
	Normalised map[string]string // see [Meta]
}

// An OtherRulesError says that identifiers which are withheld, and known by hashes
// alone, have others by these rules: those who opted out or were erased would come
// back.
type OtherRulesError struct {
	Namespace string
	// Was and Now are profiles, or comparisons.
	Was, Now string
}

func (e *OtherRulesError) Error() string {
	return fmt.Sprintf("the log of live changes withholds identifiers of %s that were made by %s, and here they are made by %s: those who opted out or were erased would come back under other hashes", e.Namespace, e.Was, e.Now)
}

// Compares reports whether it is about how a namespace compares, and no profile.
func (e *OtherRulesError) Compares() bool {
	_, err := index.ParseCompare(e.Was)
	return err == nil
}

// Check refuses, with an [OtherRulesError], other rules than those by which
// identifiers that are withheld were made, by namespace. A namespace that is not
// there has no identifiers, and is passed over.
func (r KeyRules) Check(made map[string][]string) error {
	for _, ns := range slices.Sorted(maps.Keys(made)) {
		for _, was := range made[ns] {
			e := &OtherRulesError{Namespace: ns, Was: was}
			if !e.Compares() {
				e.Now = r.Normalised[ns]
			} else if id, ok := r.Namespaces.ByName(ns); ok {
				e.Now = r.Namespaces.At(id).Compare.String()
			}
			if e.Now != "" && e.Now != was {
				return e
			}
		}
	}
	return nil
}

// AddComparisons adds to rules how namespaces compare.
func AddComparisons(made map[string][]string, ns *index.Namespaces) {
	for _, n := range ns.All() {
		if c := n.Compare.String(); !slices.Contains(made[n.Name], c) {
			made[n.Name] = append(made[n.Name], c)
		}
	}
}
