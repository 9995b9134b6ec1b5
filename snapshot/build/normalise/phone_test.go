package normalise

import (
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

func TestPhone(t *testing.T) {
	for _, c := range []struct{ in, region, want string }{
		{"0612345678", "FR", "+33612345678"},
		{" 06 12.34-56 78 ", "FR", "+33612345678"},
		{"06\u00a012\u00a034\u00a056\u00a078", "FR", "+33612345678"},
		{"+33 6 12 34 56 78", "", "+33612345678"},
		{"+33 (0)6 12 34 56 78", "FR", "+33612345678"},
		{"0033612345678", "FR", "+33612345678"},
		{"0033612345678", "US", "+33612345678"},
		{"00442079460018", "US", "+442079460018"},
		{"(201) 555-0123", "US", "+12015550123"},
		{"+39 06 698 12345", "FR", "+390669812345"},
		{"0800 123 456", "FR", "+33800123456"},
	} {
		got, err := AppendPhone([]byte("x"), c.in, c.region)
		if err != nil || string(got) != "x"+c.want {
			t.Errorf("%q in %q: %q, %v; want %q", c.in, c.region, got, err, c.want)
		}
		hash, err := PhoneHash(c.in, c.region)
		if err != nil || hash != sha256.Sum256([]byte(c.want)) {
			t.Errorf("hash of %q in %q is not that of %q: %v", c.in, c.region, c.want, err)
		}
	}
}

func TestPhoneRefused(t *testing.T) {
	for _, c := range []struct {
		in, region string
		want       error
	}{
		{"", "FR", errPhone},
		{"n/a", "FR", errPhone},
		{"061234567", "FR", errPhone},
		{"06123456789", "FR", errPhone},
		{"0000000000", "FR", errPhone},
		{"0612345678", "", errPhone},
		{"0612345678", "US", errPhone},
		{"+999123456", "FR", errPhone},
		{"0123456789 ext. 12", "FR", errPhoneExtension},
		{strings.Repeat("1", maxPhone+1), "FR", errPhone},
	} {
		got, err := AppendPhone([]byte("x"), c.in, c.region)
		if err != c.want || string(got) != "x" {
			t.Errorf("%q in %q: %q, %v; want %v", c.in, c.region, got, err, c.want)
		}
	}
}

// libraryPhone is what AppendPhone does without the short cut.
func libraryPhone(s, region string) (string, bool) {
	s = strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(s, "00"); ok {
		s = "+" + rest
	}
	if region == "" {
		region = "ZZ"
	}
	n, err := phonenumbers.Parse(s, region)
	if err != nil || !phonenumbers.IsValidNumber(n) || n.GetExtension() != "" {
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.E164), true
}

// samples is how many numbers TestQuickPhoneAgreesWithTheLibrary compares:
// a million take a minute, and are asked for by MATCHD_PHONES=1000000.
func samples(t *testing.T) int {
	text := os.Getenv("MATCHD_PHONES")
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("MATCHD_PHONES: %v", err)
	}
	return n
}

// Wherever the short cut decides, the library decides the same; and of the
// valid numbers of its countries the short cut decides most.
func TestQuickPhoneAgreesWithTheLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	regions := []string{"", "XX", "JM", "SE", "GG"}
	for _, p := range phonePlans {
		regions = append(regions, strings.Fields(p.regions)...)
	}
	fast, valid := make(map[string]int), make(map[string]int)
	for range samples(t) {
		p := &phonePlans[rng.IntN(len(phonePlans))]
		region := strings.Fields(p.regions)[0]
		s := spellPhone(rng, p, randomPhone(rng, p))
		if rng.IntN(4) == 0 {
			region = regions[rng.IntN(len(regions))]
		}
		got, quick := appendQuick(nil, s, region)
		want, ok := libraryPhone(s, region)
		if quick && (!ok || string(got) != want) {
			t.Fatalf("%q in %q: short cut says %q, the library %q, %t", s, region, got, want, ok)
		}
		if quick {
			fast[p.code]++
		}
		if ok {
			valid[p.code]++
		}
	}
	for _, p := range phonePlans {
		if fast[p.code] < 200 || 2*fast[p.code] < valid[p.code] {
			t.Errorf("of country code %s the sample has %d valid numbers and the short cut decides %d", p.code, valid[p.code], fast[p.code])
		}
	}
}

// randomPhone is a national number: mostly one that the plan has, at times
// with a digit changed, added or taken away, and at times any digits.
func randomPhone(rng *rand.Rand, p *phonePlan) string {
	var number []byte
	state := uint8(1)
	for p.states[state][10] == 0 || rng.IntN(2) == 0 {
		var next []byte
		for d := range byte(10) {
			if p.states[state][d] != 0 {
				next = append(next, d)
			}
		}
		if len(next) == 0 {
			break
		}
		d := next[rng.IntN(len(next))]
		number, state = append(number, '0'+d), p.states[state][d]
	}
	at := rng.IntN(len(number))
	switch rng.IntN(10) {
	case 0:
		number[at] = byte('0' + rng.IntN(10))
	case 1:
		number = append(number, byte('0'+rng.IntN(10)))
	case 2:
		number = number[:at]
	case 3:
		for i := range number {
			number[i] = byte('0' + rng.IntN(10))
		}
	}
	return string(number)
}

// spellPhone writes a national number as forms do, and at times as they should not.
func spellPhone(rng *rand.Rand, p *phonePlan, number string) string {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	separator := pick("", "", "", " ", " ", ".", "-", "/", "(", ")", "  ", " - ", "//", "x", ",", "\u00a0")
	var b strings.Builder
	b.WriteString(pick("", p.prefix, p.prefix, "+"+p.code, "+"+p.code+" ", "00"+p.code, "+"+p.code+" (0)", "("+p.prefix+")",
		"00 "+p.code, p.code, "0", "00", "0 0", "+", "+ "+p.code, "(+"+p.code+")", "011"+p.code, "+1"))
	for i, c := range number {
		if i%2 == 1 || rng.IntN(20) == 0 {
			b.WriteString(separator)
		}
		b.WriteRune(c)
	}
	b.WriteString(pick("", "", "", "", "", "", " ", "-", "/", " 1", "#1"))
	return b.String()
}

func FuzzPhone(f *testing.F) {
	for _, s := range []string{
		"06 12 34 56 78", "0033612345678", "+33 (0)6 12 34 56 78", "+39 06 698 12345", "tel:0612345678",
		"0123456789 ext 12", "1-800-FLOWERS", "+54 9 11 2345-6789", "+52 1 55 1234 5678", "０６１２３４５６７８", "+", "00",
	} {
		f.Add(s, "FR")
		f.Add(s, "US")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, s, region string) {
		once, err := AppendPhone(nil, s, region)
		want, ok := libraryPhone(s, region)
		if len(strings.TrimSpace(s)) <= maxPhone && (ok != (err == nil) || string(once) != want) {
			t.Fatalf("%q in %q: %q, %v; the library says %q, %t", s, region, once, err, want, ok)
		}
		if err != nil {
			checkNoLeak(t, err, s)
			return
		}
		twice, err := AppendPhone(nil, string(once), region)
		if err != nil || string(twice) != string(once) {
			t.Fatalf("%q in %q becomes %q, and that %q, %v", s, region, once, twice, err)
		}
	})
}

func BenchmarkPhone(b *testing.B) {
	for _, s := range []string{"06 12 34 56 78", "+33612345678", "+442079460018"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf, _ = AppendPhone(buf[:0], s, "FR")
			}
		})
	}
}
