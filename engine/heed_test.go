package engine_test

import (
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
)

// TestSilenceIsUnderThePolicy: who does not say what a request says about
// privacy is answered as if it said nothing, under the client's policy.
func TestSilenceIsUnderThePolicy(t *testing.T) {
	strict := bidder()
	strict.Privacy.Jurisdiction = privacy.UnderGDPR
	p, _ := openPools(t, []*pool{declared()}, strict)
	ids := [][]byte{[]byte("cookie.a:ann's")}
	var v engine.View
	ok(t, p.Begin(&v, "bidder"))
	ok(t, v.Resolve(ids))
	if a := v.Decided().Resolved(); a.Reason != engine.Suppressed || a.Signal != privacy.GDPR {
		t.Errorf("a view that heeds nothing: %s %v", a.Reason, a.Signal)
	}
	v.End()
	s := begin(t, p.All()[0].Engine, "bidder")
	defer s.End()
	var b engine.Batch
	ok(t, s.Match(&b, ids))
	if a := b.Answers[0]; a.Reason != engine.Suppressed {
		t.Errorf("a session that heeds nothing: %s", a.Reason)
	}
}

// TestSignalsAreOfOneRequest: what one bid request says is not heard of the
// next, though the caller's signals are used again.
func TestSignalsAreOfOneRequest(t *testing.T) {
	strict := bidder()
	strict.Privacy.Jurisdiction = privacy.UnderGDPR
	p, _ := openPools(t, []*pool{declared()}, strict)
	var signals privacy.Signals
	o := engine.Enrich{Signals: &signals}
	silent := `{"user":{"eids":[` + annsEID + `]}}`
	for _, c := range []struct {
		body  string
		added bool
	}{
		{silent, false},
		{`{"regs":{"gdpr":0},"user":{"eids":[` + annsEID + `]}}`, true},
		{silent, false},
	} {
		if _, added, why := enrich(t, p, "bidder", c.body, o); added != c.added {
			t.Errorf("%s: added %t, %s", c.body, added, why)
		}
	}
}
