package privacy_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/snapshot"
)

// permits is the rule for TC strings, in the plainest words: whether what c
// says permits purposes to vendor at now.
func permits(c tc, vendor int, purposes []int, now int64) bool {
	switch {
	case c.version != 2, c.policy < 4, c.global, vendor == 0, len(purposes) == 0:
		return false
	case c.created > 10*now, c.updated > 10*now, c.updated < c.created:
		return false
	case now >= snapshot.AddMonths(time.Unix(c.created/10, 0).UTC(), 13).Unix():
		return false
	case c.disclosed != nil && !slices.Contains(c.disclosed.ids, vendor):
		return false
	case c.disclosed == nil && c.created >= deciseconds(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)):
		return false
	}
	for _, purpose := range purposes {
		consent := slices.Contains(c.consents, purpose) && slices.Contains(c.vendors.ids, vendor)
		interest := slices.Contains(c.interests, purpose) && slices.Contains(c.liVendors.ids, vendor)
		if slices.Contains([]int{1, 3, 4, 5, 6}, purpose) {
			interest = false
		}
		if purpose == 1 && c.treatment {
			return false
		}
		for _, r := range c.restrictions {
			if r.purpose != purpose || !slices.Contains(r.vendors, vendor) {
				continue
			}
			consent = consent && r.kind == 1
			interest = interest && r.kind == 2
		}
		if !consent && !interest {
			return false
		}
	}
	return true
}

// randomTC is a string about a few vendors and purposes, in which most things
// are as they should be, so that each thing decides often.
func randomTC(r *rand.Rand, now int64) tc {
	some := func(most int, share float64) (out []int) {
		for id := 1; id <= most; id++ {
			if r.Float64() < share {
				out = append(out, id)
			}
		}
		return out
	}
	rarely := func() bool { return r.IntN(25) == 0 }
	vendors := func(share float64) list { return list{ids: some(20, share), ranged: r.IntN(2) == 0} }
	c := tc{
		version: 2, policy: 4 + r.IntN(2),
		created:  deciseconds(time.Unix(now, 0).AddDate(0, -r.IntN(13), -r.IntN(40))) + r.Int64N(10),
		consents: some(11, 0.9), interests: some(11, 0.9),
		vendors: vendors(0.8), liVendors: vendors(0.8),
	}
	c.updated = c.created + r.Int64N(100_000) - 1
	if rarely() {
		c.created = deciseconds(snapshot.AddMonths(time.Unix(now, 0).UTC(), -13)) + 10*(r.Int64N(5)-2)
		c.updated = c.created
	}
	if rarely() {
		c.updated = 10*now + r.Int64N(30) - 15
	}
	if rarely() {
		c.policy = r.IntN(4)
	}
	c.global, c.treatment = rarely(), rarely()
	for range max(0, r.IntN(8)-4) {
		if v := vendors(0.3).ids; v != nil {
			c.restrictions = append(c.restrictions, restriction{1 + r.IntN(11), r.IntN(4), v})
		}
	}
	if r.IntN(4) != 0 {
		disclosed := vendors(0.95)
		c.disclosed = &disclosed
	}
	return c
}

// TestModel compares decisions on random strings, alone and inside GPP, with
// the plain rule.
func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	count := map[bool]int{}
	for i := range 20_000 {
		now := tableTime - r.Int64N(400*24*3600)
		c := randomTC(r, now)
		var purposes []int
		for n := 1; n <= 11; n++ {
			if r.IntN(6) == 0 {
				purposes = append(purposes, n)
			}
		}
		vendor := r.IntN(22)
		set, err := privacy.Purposes(purposes...)
		if err != nil {
			t.Fatal(err)
		}
		p := privacy.Policy{Vendor: uint16(vendor), Purposes: set}
		want := permits(c, vendor, purposes, now)
		count[want]++
		var s privacy.Signals
		if i%2 == 0 {
			s.Set(privacy.GDPR, []byte("1"))
			s.Set(privacy.TCF, []byte(c.String()))
		} else {
			s.Set(privacy.GPP, []byte(gpp{{2, c.String()}}.String()))
			s.Set(privacy.GPPSID, []byte("2"))
		}
		v := privacy.Decide(p, &s, now)
		if got := v.All == privacy.None; got != want {
			t.Fatalf("vendor %d, purposes %v at %d: %v, want %v, of\n%+v", vendor, purposes, now, got, want, c)
		}
		checkUntil(t, p, &s, now, v, r)
	}
	if count[true] < 1000 || count[false] < 1000 {
		t.Errorf("one-sided: %v", count)
	}
}

// checkUntil checks that a verdict holds until its Until, and for a verdict
// that ends, that it is another one from then on, unless it was for a string
// from the future that then says no.
func checkUntil(t *testing.T, p privacy.Policy, s *privacy.Signals, now int64, v privacy.Verdict, r *rand.Rand) {
	t.Helper()
	if v.Until <= now {
		t.Fatalf("at %d a verdict until %d", now, v.Until)
	}
	for _, at := range []int64{now + r.Int64N(min(v.Until-now, 1<<40)), v.Until - 1} {
		if later := privacy.Decide(p, s, at); later != v {
			t.Fatalf("at %d %+v, at %d %+v", now, v, at, later)
		}
	}
	if v.Until != privacy.Never && v.All == privacy.None {
		if later := privacy.Decide(p, s, v.Until); later.All == privacy.None {
			t.Fatalf("%+v, but still allowed at its end", v)
		}
	}
}

// TestTCCutOff: a string without its last character does not allow, wherever
// in a byte it ends.
func TestTCCutOff(t *testing.T) {
	p := privacy.Policy{Vendor: 42, Purposes: 1}
	for last := 800; last < 824; last++ {
		c := goodTC()
		c.vendors.ids, c.disclosed = to(last), nil
		c.created = deciseconds(time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
		whole := c.String()
		for cut, want := range []privacy.Kind{privacy.None, privacy.TCF, privacy.TCF} {
			var s privacy.Signals
			s.Set(privacy.TCF, []byte(whole[:len(whole)-cut]))
			if v := privacy.Decide(p, &s, tableTime); v.All != want {
				t.Errorf("%d vendors, less %d: %v, want %v", last, cut, v.All, want)
			}
		}
	}
}

// TestUSModel compares decisions on random US sections with the plain rule.
func TestUSModel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	count := map[bool]int{}
	for range 20_000 {
		u := randomUS(r)
		var s privacy.Signals
		s.Set(privacy.GPP, []byte(gpp{{u.id, u.String()}}.String()))
		want := usAllows(u)
		count[want]++
		v := privacy.Decide(privacy.Policy{}, &s, tableTime)
		if got := v.All == privacy.None; got != want {
			t.Fatalf("%v, want %v, of\n%+v", got, want, u)
		}
	}
	if count[true] < 1000 || count[false] < 1000 {
		t.Errorf("one-sided: %v", count)
	}
}

func randomUS(r *rand.Rand) us {
	u := goodUS(7 + r.IntN(6))
	u.sensitive = r.IntN(4)
	for _, field := range []*int{
		&u.sharingNotice, &u.saleNotice, &u.shareNotice, &u.adsNotice, &u.sale, &u.share, &u.ads,
		&u.child, &u.secondChild, &u.consent, &u.provider,
	} {
		if r.IntN(12) == 0 {
			*field = r.IntN(4)
		}
	}
	if r.IntN(12) == 0 {
		u.saleNotice, u.sale = 0, 0
	}
	if r.IntN(12) == 0 {
		u.version = r.IntN(64)
	}
	if u.id != 9 && u.id != 11 && r.IntN(4) == 0 { // these two have no segment for it
		u.gpc = []string{"0", "0", "1"}[r.IntN(3)]
	}
	return u
}

// has says which fields a section has: those in the list by their letters.
func (u us) has(field string) bool {
	fields := map[int]string{
		7: "notice share ads child second consent", 8: "share second consent child",
		9: "notice ads child", 10: "notice ads child", 11: "notice ads child", 12: "notice ads child second",
	}
	return slices.Contains(strings.Fields(fields[u.id]), field)
}

func usAllows(u us) bool {
	fine := func(notice, choice int) bool { return notice == 0 && choice == 0 || notice == 1 && choice == 2 }
	return u.version == 1 && u.gpc != "1" && fine(u.saleNotice, u.sale) &&
		(u.provider == 0 || u.provider == 2) &&
		(!u.has("share") || fine(u.shareNotice, u.share)) &&
		(!u.has("ads") || fine(u.adsNotice, u.ads)) &&
		(!u.has("notice") || u.sharingNotice < 2) &&
		(!u.has("child") || u.child == 0) &&
		(!u.has("second") || u.secondChild == 0) &&
		(!u.has("consent") || u.consent == 0 || u.consent == 2)
}

// TestUSForm: a section without its last character does not allow, nor one
// with a line break, which the base64 of Go passes over.
func TestUSForm(t *testing.T) {
	for id := 7; id <= 12; id++ {
		whole := goodUS(id).String()
		for text, want := range map[string]privacy.Kind{
			whole:                          privacy.None,
			whole[:len(whole)-1]:           privacy.GPP,
			whole[:4] + "\n" + whole[4:]:   privacy.GPP,
			whole[:4] + "\r\n" + whole[4:]: privacy.GPP,
			whole[:4] + "=" + whole[4:]:    privacy.GPP,
		} {
			var s privacy.Signals
			s.Set(privacy.GPP, []byte(gpp{{id, text}}.String()))
			if v := privacy.Decide(privacy.Policy{}, &s, tableTime); v.All != want {
				t.Errorf("section %d, %q: %v, want %v", id, text, v.All, want)
			}
		}
	}
}

// TestDenialsAdd: whatever a request says, one more signal that denies denies
// what was allowed, and allows nothing that was denied.
func TestDenialsAdd(t *testing.T) {
	denials := map[string]func(*privacy.Signals){
		"coppa=1":         func(s *privacy.Signals) { s.Set(privacy.COPPA, []byte("1")) },
		"gpc=1":           func(s *privacy.Signals) { s.Set(privacy.GPC, []byte("1")) },
		"us_privacy=1YYN": func(s *privacy.Signals) { s.Set(privacy.USPrivacy, []byte("1YYN")) },
		"gpp_sid=61":      func(s *privacy.Signals) { s.Set(privacy.GPPSID, []byte("61")) },
		"gpp=junk":        func(s *privacy.Signals) { s.Set(privacy.GPP, []byte("junk")) },
		"gdpr_consent=junk": func(s *privacy.Signals) {
			s.Set(privacy.TCF, []byte("junk"))
		},
	}
	for k := privacy.COPPA; k < privacy.LMT; k++ {
		denials["malformed "+k.String()] = func(s *privacy.Signals) { s.Malformed(k) }
	}
	for _, row := range table(t) {
		p := policy(t, row.policy)
		before := privacy.Decide(p, signals(t, row.signals), tableTime)
		for name, add := range denials {
			s := signals(t, row.signals)
			add(s)
			after := privacy.Decide(p, s, tableTime)
			if after.All == privacy.None || after.Device != before.Device {
				t.Errorf("%s: %+v, with %s %+v", row.name, before, name, after)
			}
		}
		s := signals(t, row.signals)
		s.Set(privacy.LMT, []byte("1"))
		if after := privacy.Decide(p, s, tableTime); after.Device != privacy.LMT || after.All != before.All {
			t.Errorf("%s: %+v, with lmt=1 %+v", row.name, before, after)
		}
	}
}
