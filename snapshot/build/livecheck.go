package build

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// checkTenants refuses what the log withholds from, or of, a tenant that the config
// does not have, unless it says that the tenant left: under another name its people
// would be back.
func (b *builder) checkTenants() error {
	named := map[string]int64{} // how often
	for o := range b.live.OptOuts {
		for _, name := range o.Tenants {
			named[name]++
		}
	}
	for e := range b.live.Erasures {
		for _, name := range e.Tenants {
			named[name]++
		}
	}
	for ns := range b.live.Normalised {
		if name, ok := strings.CutPrefix(ns, index.CRMPrefix); ok {
			named[name] += 0 // its customers are, be it for all tenants
		}
	}
	var unknown []string
	for name, n := range named {
		switch {
		case name == AllTenants || b.cfg.HasTenant(name):
		case slices.Contains(b.cfg.FormerTenants, name):
			b.report.Live.FormerTenants += n
		default:
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	names := strings.Join(unknown, ", ")
	return fmt.Errorf("the log of live changes has opt-outs or erasures of tenants that the config does not have: %s; under another name those who opted out or were erased would come back: go back to the names, or, where the tenants left and are in the config under no other, add former_tenants: [%s]", names, names)
}
