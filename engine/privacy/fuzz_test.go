package privacy_test

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine/privacy"
)

// FuzzTCF reads any string. What is allowed must be permitted by the plain
// decoder's reading too, to the vendor and for all purposes.
func FuzzTCF(f *testing.F) {
	for _, r := range table(f) {
		for _, field := range fields(strings.Trim(r.signals, "`")) {
			if value, ok := strings.CutPrefix(field, "gdpr_consent="); ok {
				f.Add(cook(f, value), uint16(42), uint16(0b1000011), tableTime)
			}
		}
	}
	for _, s := range []string{"C", "C.", "CA", strings.Repeat("C", 60), "C" + strings.Repeat("_", 300)} {
		f.Add(s, uint16(1), uint16(2), tableTime)
	}
	whole := goodTC().String()
	for _, breaks := range []string{"\n", "\r", "\r\n\r\n"} { // which the base64 of Go passes over
		f.Add(whole[:8]+breaks+whole[8:], uint16(42), uint16(1), tableTime)
	}
	f.Fuzz(func(t *testing.T, text string, vendor, purposes uint16, now int64) {
		p := privacy.Policy{Vendor: vendor, Purposes: privacy.PurposeSet(purposes)}
		var s privacy.Signals
		s.Set(privacy.GDPR, []byte("1"))
		s.Set(privacy.TCF, []byte(text))
		v := privacy.Decide(p, &s, now)
		if v.Until <= now && v.Until != privacy.Never {
			t.Fatalf("at %d a verdict until %d", now, v.Until)
		}
		if v.All != privacy.None {
			return
		}
		c, ok := plainTC(text)
		if !ok || !permits(c, int(vendor), numbersOf(p.Purposes), now) || purposes == 0 {
			t.Fatalf("allowed, but read as %+v, %v", c, ok)
		}
	})
}

func numbersOf(set privacy.PurposeSet) (ns []int) {
	for n := range 16 {
		if set>>n&1 == 1 {
			ns = append(ns, n+1)
		}
	}
	return ns
}

// FuzzGPP reads any GPP string with any gpp_sid. What is allowed must be
// allowed by the plain decoder's reading too.
func FuzzGPP(f *testing.F) {
	for _, r := range table(f) {
		var text, sid string
		for _, field := range fields(strings.Trim(r.signals, "`")) {
			if value, ok := strings.CutPrefix(field, "gpp="); ok {
				text = cook(f, value)
			}
			if value, ok := strings.CutPrefix(field, "gpp_sid="); ok {
				sid = value
			}
		}
		if text != "" {
			f.Add(text, sid)
		}
	}
	p := privacy.Policy{Vendor: 42, Purposes: 0b1000011}
	f.Fuzz(func(t *testing.T, text, sid string) {
		var s privacy.Signals
		s.Set(privacy.GPP, []byte(text))
		s.Set(privacy.GPPSID, []byte(sid))
		if v := privacy.Decide(p, &s, tableTime); v.All != privacy.None || text == "" {
			return
		}
		sections, ok := plainGPP(text)
		if !ok {
			t.Fatalf("allowed, but not readable")
		}
		named := strings.FieldsFunc(sid, func(c rune) bool { return c != '-' && (c < '0' || c > '9') })
		all := len(named) == 0 || slices.ContainsFunc(named, func(id string) bool { return strings.Trim(id, "0") == "" })
		for id, section := range sections {
			says := func(name string) bool { n, err := strconv.Atoi(name); return err == nil && n == id }
			if (all || slices.ContainsFunc(named, says)) && !plainAllows(id, section) {
				t.Fatalf("allowed, but section %d is %q", id, section)
			}
		}
	})
}

// plainAllows says whether the section of a GPP string allows, by the plain
// rules.
func plainAllows(id int, section string) bool {
	switch {
	case id == 2:
		c, ok := plainTC(section)
		return ok && permits(c, 42, []int{1, 2, 7}, tableTime)
	case id == 3 || id == 4:
		return true
	case id == 6:
		return len(section) == 4 && section[1] != 'N' && section[2] != 'Y'
	case id >= 7 && id <= 12:
		u, ok := plainUS(id, section)
		return ok && usAllows(u)
	}
	return false
}

// FuzzSignals notes any values, in any order, and checks what must be true of
// any request: what is malformed or contradicts itself is not allowed, the
// order of the notes does not matter but for what is at odds, and the memory
// agrees.
func FuzzSignals(f *testing.F) {
	f.Add([]byte("\x041\n\x07junk\n\x0110\n"), uint16(42), uint16(3), uint8(1))
	f.Add([]byte("\x061YNN\n\x05[2, 7]\n\x81\n"), uint16(42), uint16(3), uint8(2))
	f.Fuzz(func(t *testing.T, notes []byte, vendor, purposes uint16, jurisdiction uint8) {
		p := privacy.Policy{
			Vendor: vendor, Purposes: privacy.PurposeSet(purposes),
			Jurisdiction: privacy.Jurisdiction(jurisdiction),
		}
		var s, twice, backwards privacy.Signals
		lines := bytes.Split(notes, []byte("\n"))
		bad := privacy.None
		note := func(s *privacy.Signals, line []byte) {
			if len(line) == 0 {
				return
			}
			k := privacy.Kind(line[0] & 0x7f)
			if line[0] < 0x80 {
				s.Set(k, line[1:])
				return
			}
			s.Malformed(k)
			if k >= privacy.COPPA && k < privacy.LMT {
				bad = k
			}
		}
		for i, line := range lines {
			note(&s, line)
			note(&twice, line)
			note(&twice, line)
			note(&backwards, lines[len(lines)-1-i])
		}
		v := privacy.Decide(p, &s, tableTime)
		if bad != privacy.None && v.All == privacy.None {
			t.Errorf("%v is malformed, and all is allowed", bad)
		}
		if again := privacy.Decide(p, &twice, tableTime); again != v {
			t.Errorf("%+v, noted twice %+v", v, again)
		}
		if other := privacy.Decide(p, &backwards, tableTime); (other.All == privacy.None) != (v.All == privacy.None) || other.Device != v.Device {
			t.Errorf("%+v, noted backwards %+v", v, other)
		}
		memory := privacy.NewVerdicts(2)
		for range 2 {
			if other := memory.Decide(p, &s, tableTime); other != v {
				t.Errorf("%+v, remembered as %+v", v, other)
			}
		}
	})
}
