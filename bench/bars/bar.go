package bars

// Bar is a bound, and what was measured against it.
type Bar struct {
	// What is as in the list of bars that matchd sets itself.
	What string `json:"what"`
	Want Want   `json:"want"`
	// Bound is in Unit. Aim is what is hoped for; 0 is none.
	Bound float64 `json:"bound"`
	Aim   float64 `json:"aim,omitempty"`
	Unit  string  `json:"unit"`
	// Slack is how far beyond the bound counts as it: what measuring cannot
	// tell apart.
	Slack float64 `json:"slack,omitempty"`
	// Value is judged. Other is that in the other kind of memory, nil where
	// there is no such thing or it was not measured.
	Value *Value `json:"value,omitempty"`
	Other *Value `json:"other,omitempty"`
	// Allowed, if not empty, is why the bar is met although the value is beyond
	// the bound.
	Allowed string `json:"allowed,omitempty"`
	// Missing is why there is no value.
	Missing string `json:"missing,omitempty"`
}

// Value is what was measured.
type Value struct {
	Of float64 `json:"of"`
	// Sides are the two that Of is the ratio of, or what else it consists of.
	Sides string `json:"sides,omitempty"`
}

// Want is what a bound is.
type Want string

// Bounds.
const (
	AtMost  Want = "at most"
	AtLeast Want = "at least"
	Below   Want = "less than"
)

// Mark is the outcome of a bar.
type Mark string

// Outcomes.
const (
	Met        Mark = "✓"
	AimReached Mark = "✓✓"
	Missed     Mark = "✗"
	Unmeasured Mark = "–"
)

// Mark judges the value.
func (b *Bar) Mark() Mark {
	switch {
	case b.Value == nil:
		return Unmeasured
	case b.Aim != 0 && b.holds(b.Value, b.Aim):
		return AimReached
	case b.holds(b.Value, b.Bound) || b.Allowed != "":
		return Met
	}
	return Missed
}

func (b *Bar) holds(v *Value, bound float64) bool {
	switch b.Want {
	case AtLeast:
		return v.Of >= bound-b.Slack
	case Below:
		return v.Of < bound+b.Slack
	}
	return v.Of <= bound+b.Slack
}
