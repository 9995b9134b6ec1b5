package normalise

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
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

// Wherever the short cut decides, the library decides the same; and of the
// valid numbers the short cut decides most.
func TestFrenchAgreesWithLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	check := func(s, region string) (fast, valid bool) {
		got, fast := appendFrench(nil, s, region)
		want, valid := libraryPhone(s, region)
		if fast && (!valid || string(got) != want) {
			t.Fatalf("%q in %q: short cut says %q, the library %q, %t", s, region, got, want, valid)
		}
		return fast, valid
	}
	// All beginnings of three digits, which decide the range.
	for i := range 1000 {
		for _, rest := range []string{"000000", "999999", fmt.Sprintf("%06d", rng.IntN(1e6))} {
			check(fmt.Sprintf("0%03d%s", i, rest), "FR")
		}
	}
	prefixes := []string{"0", "0", "0", "0", "+33", "+33", "+33 ", "0033", "00 33", "+33 0", "33", "", "00", "+", "+330", "+32"}
	regions := []string{"FR", "FR", "FR", "BE", "US", ""}
	lengths := []int{9, 9, 9, 9, 8, 10}
	separators := []string{"", "", "", " ", " ", ".", ".", "-", "-", " ", ".", "-", "  ", " - ", "/", "(", "x", ","}
	var fast, valid int
	for range 20_000 {
		s := prefixes[rng.IntN(len(prefixes))]
		sep := separators[rng.IntN(len(separators))]
		for i := range lengths[rng.IntN(len(lengths))] {
			if i%2 == 1 || rng.IntN(20) == 0 {
				s += sep
			}
			s += string(rune('0' + rng.IntN(10)))
		}
		f, v := check(s, regions[rng.IntN(len(regions))])
		if f {
			fast++
		}
		if v {
			valid++
		}
	}
	if fast < 2000 || valid < fast {
		t.Errorf("the sample has %d valid numbers and the short cut decides %d: it tests too little", valid, fast)
	}
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
