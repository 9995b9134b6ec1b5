package build

import (
	"errors"
	"fmt"
	"maps"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// checkRules refuses other rules than those by which identifiers that are withheld
// were made: today's rows would have others. Where the log does not say of some how
// their namespace compared, that was as in the snapshot which the store has.
func (b *builder) checkRules(before *index.Namespaces) error {
	made := b.live.Normalised
	if b.live.Unsaid && before != nil {
		made = maps.Clone(made)
		if made == nil {
			made = map[string][]string{}
		}
		snapshot.AddComparisons(made, before)
	}
	err := snapshot.KeyRules{Namespaces: b.ns, Normalised: b.norm.Normalised()}.Check(made)
	var is *snapshot.OtherRulesError
	switch {
	case !errors.As(err, &is):
		return err
	case is.Compares():
		return fmt.Errorf("%w; go back to compare: %s of %s in the config's namespaces", err, is.Was, is.Namespace)
	}
	return fmt.Errorf("%w; go back to %s in the config's section normalise", err, is.Was)
}
