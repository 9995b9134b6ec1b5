package privacy_test

import (
	"math"
	"testing"

	"github.com/matchd/matchd/engine/privacy"
)

func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		policy privacy.Policy
		ok     bool
	}{
		{privacy.Policy{}, true},
		{privacy.Policy{Jurisdiction: privacy.UnitedStates}, true},
		{privacy.Policy{Vendor: 42, Purposes: 1<<11 - 1, Jurisdiction: privacy.UnderGDPR}, true},
		{privacy.Policy{Vendor: 42}, false},
		{privacy.Policy{Purposes: 1}, false},
		{privacy.Policy{Vendor: 42, Purposes: 1 << 11}, false},
		{privacy.Policy{Jurisdiction: 3}, false},
	} {
		if err := c.policy.Validate(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.policy, err)
		}
	}
}

// TestInvalidPolicy: what Validate refuses is decided as strictly as can be.
func TestInvalidPolicy(t *testing.T) {
	var s privacy.Signals
	if v := privacy.Decide(privacy.Policy{Jurisdiction: 3}, &s, tableTime); v.All != privacy.USPrivacy {
		t.Errorf("an unknown jurisdiction: %+v", v)
	}
	s.Set(privacy.USPrivacy, []byte("1YNN"))
	if v := privacy.Decide(privacy.Policy{Jurisdiction: 3}, &s, tableTime); v.All != privacy.GDPR {
		t.Errorf("an unknown jurisdiction, not opted out: %+v", v)
	}
	s.Set(privacy.TCF, []byte(goodTC().String()))
	for _, purposes := range []privacy.PurposeSet{1 << 11, 1 | 1<<15} {
		if v := privacy.Decide(privacy.Policy{Vendor: 42, Purposes: purposes}, &s, tableTime); v.All != privacy.GDPR {
			t.Errorf("purposes %b: %+v", purposes, v)
		}
	}
}

func TestPurposes(t *testing.T) {
	set, err := privacy.Purposes(1, 7, 11, 7)
	if err != nil {
		t.Fatal(err)
	}
	for n := -1; n <= 17; n++ {
		if want := n == 1 || n == 7 || n == 11; set.Has(n) != want {
			t.Errorf("purpose %d: %v", n, set.Has(n))
		}
	}
	for _, n := range []int{-1, 0, 12, math.MaxInt} {
		if set, err := privacy.Purposes(1, n); err == nil || set != 0 {
			t.Errorf("purpose %d: %b, %v", n, set, err)
		}
	}
}

func TestNames(t *testing.T) {
	for j := privacy.Nowhere; j <= privacy.UnitedStates; j++ {
		if got, err := privacy.ParseJurisdiction(j.String()); got != j || err != nil {
			t.Errorf("%v: %v, %v", j, got, err)
		}
	}
	if _, err := privacy.ParseJurisdiction("eu"); err == nil {
		t.Error("eu is a jurisdiction")
	}
	if got := privacy.Jurisdiction(7).String(); got != "jurisdiction(7)" {
		t.Errorf("a jurisdiction without a name is %q", got)
	}
	for k, want := range map[privacy.Kind]string{privacy.None: "", privacy.TCF: "gdpr_consent", privacy.LMT: "lmt", privacy.LMT + 1: "unknown"} {
		if k.String() != want {
			t.Errorf("%q, want %q", k, want)
		}
	}
	var s privacy.Signals
	for _, k := range []privacy.Kind{privacy.None, privacy.LMT + 1, 255} {
		s.Set(k, []byte("1"))
		s.Malformed(k)
	}
	if v := privacy.Decide(privacy.Policy{}, &s, tableTime); v.All != privacy.None || v.Device != privacy.None {
		t.Errorf("signals that do not exist: %+v", v)
	}
}
