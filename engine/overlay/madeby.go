package overlay

import (
	"slices"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/index"
)

// MadeBy has by what rules the identifiers were made that opt-outs and erasures
// name. Its zero value is empty.
type MadeBy struct {
	by map[index.Hash][]string // texts of event.FormatNormalised, none where none was said
	// one has the list of each text alone: nearly all identifiers have one of few.
	one map[string][]string
}

// Add has it know a change.
func (m *MadeBy) Add(b *event.Bound) {
	if b.Type != event.OptOut && b.Type != event.Erase {
		return
	}
	if m.by == nil {
		m.by, m.one = map[index.Hash][]string{}, map[string][]string{}
	}
	list := m.by[b.Hash]
	switch {
	case b.Normalised == "" || slices.Contains(list, b.Normalised):
		m.by[b.Hash] = list
	case len(list) > 0:
		m.by[b.Hash] = append(list, b.Normalised)
	default:
		if m.one[b.Normalised] == nil {
			m.one[b.Normalised] = slices.Clip([]string{b.Normalised})
		}
		m.by[b.Hash] = m.one[b.Normalised]
	}
}

// InForce lists the rules of what is withheld by an overlay that has all changes
// which were added, by namespace, each list ascending. unsaid reports whether an
// opt-out is among it that does not say its rule, as those of before it was kept.
func (m *MadeBy) InForce(o *Overlay) (rules map[string][]string, unsaid bool) {
	rules = map[string][]string{}
	texts := map[string]bool{}
	for h, list := range m.by {
		e, ok := o.Get(h)
		if !ok || !e.withheldFromSome() {
			continue
		}
		unsaid = unsaid || len(list) == 0 && e.optedOutForSome()
		for _, text := range list {
			texts[text] = true
		}
	}
	for text := range texts {
		for ns, rule := range event.ParseNormalised(text) {
			if !slices.Contains(rules[ns], rule) {
				rules[ns] = append(rules[ns], rule)
			}
		}
	}
	for _, list := range rules {
		slices.Sort(list)
	}
	return rules, unsaid
}

func (e Entry) optedOutForSome() bool {
	for o := range e.OptOuts() {
		if o.Denied {
			return true
		}
	}
	return false
}

// withheldFromSome reports whether there is a tenant that an opt-out or an erasure
// of the identifier itself withholds it from.
func (e Entry) withheldFromSome() bool {
	for x := range e.Erasures() {
		if x.InForce() {
			return true
		}
	}
	return e.optedOutForSome()
}
