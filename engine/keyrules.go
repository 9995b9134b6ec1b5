package engine

import (
	"errors"
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

// heeded says why a change cannot be obeyed that the open snapshot was built without,
// and that is by other rules: a leader sends one which has such a snapshot already. A
// follower takes it all the same, since it could not come to what that snapshot
// contains without, nor to what was changed after. c.mu is held.
func (c *Changes) heeded(seq uint64, b *event.Bound) error {
	if c.gen == nil || b.Normalised == "" || seq <= c.gen.Knows(c.log.ID().String()) {
		return nil
	}
	err := c.gen.canHeed(b)
	var is *snapshot.OtherRulesError
	if c.follower != nil && errors.As(err, &is) {
		return fmt.Errorf("snapshot %s: %w; give this store the leader's", c.gen.name, is)
	}
	return err
}
