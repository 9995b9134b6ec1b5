package privacy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The encoders of the tests write bits as text, one character a bit, and share
// nothing with the decoders.

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// encode64 pads bits to whole characters.
func encode64(bits string) string {
	for len(bits)%6 != 0 {
		bits += "0"
	}
	var out strings.Builder
	for i := 0; i < len(bits); i += 6 {
		v := 0
		for _, c := range bits[i : i+6] {
			v = v*2 + int(c-'0')
		}
		out.WriteByte(alphabet[v])
	}
	return out.String()
}

func number(n int64, width int) string {
	s := fmt.Sprintf("%0*b", width, n)
	if len(s) != width {
		panic(fmt.Sprintf("%d does not fit %d bits", n, width))
	}
	return s
}

func boolean(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// list is a vendor section of the TCF.
type list struct {
	ids    []int
	max    int // 0: the highest id
	ranged bool
}

func (l list) last() int {
	if l.max != 0 || len(l.ids) == 0 {
		return l.max
	}
	return slices.Max(l.ids)
}

func (l list) bits() string {
	head := number(int64(l.last()), 16) + boolean(l.ranged)
	if l.ranged {
		return head + ranges(l.ids)
	}
	field := []byte(strings.Repeat("0", l.last()))
	for _, id := range l.ids {
		field[id-1] = '1'
	}
	return head + string(field)
}

// ranges writes ids as single vendors and as ranges of vendors that follow
// each other.
func ranges(ids []int) string {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	n, out := 0, ""
	for i := 0; i < len(ids); n++ {
		j := i
		for j+1 < len(ids) && ids[j+1] == ids[j]+1 {
			j++
		}
		if i == j {
			out += "0" + number(int64(ids[i]), 16)
		} else {
			out += "1" + number(int64(ids[i]), 16) + number(int64(ids[j]), 16)
		}
		i = j + 1
	}
	return number(int64(n), 12) + out
}

// restriction is a publisher restriction.
type restriction struct {
	purpose, kind int
	vendors       []int
}

// tc says what a TC string is to hold.
type tc struct {
	version, policy     int
	created, updated    int64 // tenths of a second since 1970
	global              bool
	treatment           bool
	consents, interests []int // purposes
	vendors, liVendors  list
	restrictions        []restriction
	disclosed           *list
	more                []string // segments that follow
}

func (c tc) String() string {
	purposes := func(ns []int) string {
		out := []byte(strings.Repeat("0", 24))
		for _, n := range ns {
			out[n-1] = '1'
		}
		return string(out)
	}
	core := number(int64(c.version), 6) + number(c.created, 36) + number(c.updated, 36) +
		number(31, 12) + number(640, 12) + number(1, 6) + // CMP, its version, screen
		number(4, 6) + number(13, 6) + // language: en
		number(48, 12) + number(int64(c.policy), 6) + // vendor list
		boolean(!c.global) + "0" + number(0, 12) +
		purposes(c.consents) + purposes(c.interests) + boolean(c.treatment) +
		number(3, 6) + number(4, 6) + // publisher: DE
		c.vendors.bits() + c.liVendors.bits() + number(int64(len(c.restrictions)), 12)
	for _, r := range c.restrictions {
		core += number(int64(r.purpose), 6) + number(int64(r.kind), 2) + ranges(r.vendors)
	}
	out := encode64(core)
	if c.disclosed != nil {
		out += "." + encode64("001"+c.disclosed.bits())
	}
	for _, segment := range c.more {
		out += "." + segment
	}
	return out
}

func to(last int) (ids []int) {
	for id := 1; id <= last; id++ {
		ids = append(ids, id)
	}
	return ids
}

func deciseconds(t time.Time) int64 { return t.UnixMilli() / 100 }

// goodTC is a string that permits everything by consent to vendors 1 to 800.
func goodTC() tc {
	made := deciseconds(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	return tc{
		version: 2, policy: 5, created: made, updated: made,
		consents: to(11), vendors: list{ids: to(800)},
		disclosed: &list{ids: to(800)},
	}
}

// gpp writes a GPP string of sections, by their ids in ascending order.
type gpp []struct {
	id   int
	text string
}

func (g gpp) String() string {
	header := number(3, 6) + number(1, 6)
	n, items, last := 0, "", 0
	for i := 0; i < len(g); n++ {
		j := i
		for j+1 < len(g) && g[j+1].id == g[j].id+1 {
			j++
		}
		if i == j {
			items += "0" + fibonacci(g[i].id-last)
		} else {
			items += "1" + fibonacci(g[i].id-last) + fibonacci(g[j].id-g[i].id)
		}
		last, i = g[j].id, j+1
	}
	out := encode64(header + number(int64(n), 12) + items)
	for _, section := range g {
		out += "~" + section.text
	}
	return out
}

// fibonacci writes n as a sum of Fibonacci numbers, smallest first, with a
// last 1 behind.
func fibonacci(n int) string {
	numbers := []int{1, 2}
	for numbers[len(numbers)-1] <= n {
		numbers = append(numbers, numbers[len(numbers)-1]+numbers[len(numbers)-2])
	}
	out, top := "", 0
	for i := len(numbers) - 1; i >= 0; i-- {
		bit := "0"
		if numbers[i] <= n {
			n -= numbers[i]
			bit, top = "1", max(top, i)
		}
		out = bit + out
	}
	return out[:top+1] + "1"
}

// us says what a US section of the GPP is to hold.
type us struct {
	id, version                            int
	sharingNotice                          int
	saleNotice, shareNotice, adsNotice     int
	sale, share, ads                       int
	sensitive, child, secondChild, consent int // consent to incompatible uses
	provider                               int
	gpc                                    string // "", "0" or "1"
	more                                   string
}

// goodUS is a section in which nobody opted out.
func goodUS(id int) us {
	return us{
		id: id, version: 1, sharingNotice: 1, saleNotice: 1, shareNotice: 1, adsNotice: 1,
		sale: 2, share: 2, ads: 2,
	}
}

func (u us) String() string {
	two := func(values ...int) (out string) {
		for _, v := range values {
			out += number(int64(v), 2)
		}
		return out
	}
	times := func(v, n int) string { return strings.Repeat(two(v), n) }
	var core string
	switch u.id {
	case 7:
		core = two(u.sharingNotice, u.saleNotice, u.shareNotice, u.adsNotice, 1, 1, u.sale, u.share, u.ads) +
			times(u.sensitive, 12) + two(u.child, u.secondChild, u.consent)
	case 8:
		core = two(u.saleNotice, u.shareNotice, 1, u.sale, u.share) + times(u.sensitive, 9) +
			two(u.child, u.secondChild, u.consent)
	case 9:
		core = two(u.sharingNotice, u.saleNotice, u.adsNotice, u.sale, u.ads) + times(u.sensitive, 8) + two(u.child)
	case 10:
		core = two(u.sharingNotice, u.saleNotice, u.adsNotice, u.sale, u.ads) + times(u.sensitive, 7) + two(u.child)
	case 11:
		core = two(u.sharingNotice, u.saleNotice, u.adsNotice, 1, u.sale, u.ads) + times(u.sensitive, 8) + two(u.child)
	case 12:
		core = two(u.sharingNotice, u.saleNotice, u.adsNotice, u.sale, u.ads) + times(u.sensitive, 8) +
			two(u.child, u.secondChild, 0)
	default:
		panic(fmt.Sprintf("no section %d", u.id))
	}
	out := encode64(number(int64(u.version), 6) + core + two(1, 2, u.provider))
	if u.gpc != "" {
		out += "." + encode64("01"+u.gpc)
	}
	return out + u.more
}

// TestEncoders compares the encoders with examples of the specifications: GPP
// headers of sections 2, of 2 and 6, and of 5 and 6.
func TestEncoders(t *testing.T) {
	for want, g := range map[string]gpp{
		"DBABM~a":    {{2, "a"}},
		"DBACNY~a~b": {{2, "a"}, {6, "b"}},
		"DBABjw~a~b": {{5, "a"}, {6, "b"}},
		"DBAA":       {},
	} {
		if got := g.String(); got != want {
			t.Errorf("%v: %s, want %s", g, got, want)
		}
	}
	for n, want := range map[int]string{1: "11", 2: "011", 3: "0011", 4: "1011", 5: "00011", 6: "10011", 7: "01011"} {
		if got := fibonacci(n); got != want {
			t.Errorf("fibonacci of %d: %s, want %s", n, got, want)
		}
	}
}
