package engine

import (
	"fmt"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/snapshot"
)

// Opt-outs and erasures are kept as hashes of keys, which depend on how namespaces
// compare and on the profiles of contact identifiers: over a snapshot by other rules
// they would be of nobody in it.

// heedable refuses a snapshot by other rules than those by which the identifiers
// were made that an overlay withholds. Where the log does not say these, they are
// those of the snapshot before, if there was one.
func (g *generation) heedable(made *overlay.MadeBy, o *overlay.Overlay, before *generation) error {
	rules, unsaid := made.InForce(o)
	if unsaid && before != nil {
		snapshot.AddComparisons(rules, before.Namespaces)
	}
	return g.madeBy(rules)
}

// heedableAs refuses a snapshot by other rules than the one before.
func (g *generation) heedableAs(before *generation) error {
	rules := map[string][]string{}
	for ns, profile := range before.Normalised {
		rules[ns] = []string{profile}
	}
	snapshot.AddComparisons(rules, before.Namespaces)
	return g.madeBy(rules)
}

// canHeed refuses a change by other rules.
func (g *generation) canHeed(b *event.Bound) error {
	rules := map[string][]string{}
	for ns, rule := range event.ParseNormalised(b.Normalised) {
		rules[ns] = []string{rule}
	}
	return g.madeBy(rules)
}

func (g *generation) madeBy(rules map[string][]string) error {
	err := snapshot.KeyRules{Namespaces: g.Namespaces, Normalised: g.Normalised}.Check(rules)
	if err != nil {
		return fmt.Errorf("snapshot %s: %w; build one by the rules of before", g.name, err)
	}
	return nil
}

// heeded refuses a change that the open snapshot was built without, and that is by
// other rules. A leader sends one, or the snapshot was swapped while it was on its
// way. c.mu is held.
func (c *Changes) heeded(seq uint64, b *event.Bound) error {
	if c.gen == nil || b.Normalised == "" || seq <= c.gen.Knows(c.log.ID().String()) {
		return nil
	}
	return c.gen.canHeed(b)
}
