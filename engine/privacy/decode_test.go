package privacy_test

import (
	"strconv"
	"strings"
)

// The decoders of the tests are plain and slow, for comparison: text of 0 and
// 1, and slices.

type tape struct {
	bits   string
	failed bool
}

func newTape(s string) *tape {
	t := &tape{}
	var bits strings.Builder
	for _, c := range []byte(s) {
		v := strings.IndexByte(alphabet, c)
		if v < 0 {
			return &tape{failed: true}
		}
		bits.WriteString(number(int64(v), 6))
	}
	t.bits = bits.String()
	return t
}

func (t *tape) take(n int) string {
	if t.failed || n > len(t.bits) {
		t.failed = true
		return strings.Repeat("0", n)
	}
	out := t.bits[:n]
	t.bits = t.bits[n:]
	return out
}

func (t *tape) number(n int) int {
	v, err := strconv.ParseInt("0"+t.take(n), 2, 64)
	if err != nil {
		panic(err)
	}
	return int(v)
}

// set returns the numbers, from 1, of those of the next n bits that are set.
func (t *tape) set(n int) (ids []int) {
	for i, c := range t.take(n) {
		if c == '1' {
			ids = append(ids, i+1)
		}
	}
	return ids
}

func (t *tape) ranges() (ids []int) {
	for n := t.number(12); n > 0 && !t.failed; n-- {
		several, from := t.number(1), t.number(16)
		last := from
		if several == 1 {
			last = t.number(16)
		}
		for id := from; id <= last; id++ {
			ids = append(ids, id)
		}
	}
	return ids
}

func (t *tape) list() list {
	l := list{max: t.number(16), ranged: t.number(1) == 1}
	if l.ranged {
		l.ids = t.ranges()
	} else {
		l.ids = t.set(l.max)
	}
	return l
}

// plainTC reads a TC string; ok is false only where reading on is impossible.
func plainTC(s string) (c tc, ok bool) {
	segments := strings.Split(s, ".")
	t := newTape(segments[0])
	c.version, c.created, c.updated = t.number(6), int64(t.number(36)), int64(t.number(36))
	t.take(12 + 12 + 6 + 12 + 12)
	c.policy = t.number(6)
	c.global = t.number(1) == 0
	t.take(1 + 12)
	c.consents, c.interests = t.set(24), t.set(24)
	c.treatment = t.number(1) == 1
	t.take(12)
	c.vendors, c.liVendors = t.list(), t.list()
	for n := t.number(12); n > 0 && !t.failed; n-- {
		c.restrictions = append(c.restrictions, restriction{t.number(6), t.number(2), t.ranges()})
	}
	if t.failed {
		return c, false
	}
	for _, segment := range segments[1:] {
		t := newTape(segment)
		if t.number(3) == 1 {
			l := t.list()
			c.disclosed = &l
		}
		if t.failed {
			return c, false
		}
	}
	return c, true
}

// plainGPP returns the sections of a GPP string by their ids.
func plainGPP(s string) (map[int]string, bool) {
	parts := strings.Split(s, "~")
	t := newTape(parts[0])
	if t.number(6) != 3 || t.number(6) != 1 {
		return nil, false
	}
	sections, last, i := map[int]string{}, 0, 1
	for n := t.number(12); n > 0 && !t.failed; n-- {
		several := t.number(1) == 1
		from := last + t.fibonacci()
		if last = from; several {
			last += t.fibonacci()
		}
		for id := from; id <= last; id++ {
			if i == len(parts) {
				return nil, false
			}
			sections[id] = parts[i]
			i++
		}
	}
	return sections, !t.failed && i == len(parts)
}

// fibonacci finds the number whose code the tape begins with.
func (t *tape) fibonacci() int {
	end := strings.Index(t.bits, "11")
	if end < 0 || end > 20 {
		t.failed = true
		return 0
	}
	code := t.take(end + 2)
	n, a, b := 0, 1, 2
	for _, c := range code[:len(code)-1] {
		if c == '1' {
			n += a
		}
		a, b = b, a+b
	}
	return n
}

// plainUS reads a US section of version 1.
func plainUS(id int, s string) (us, bool) {
	core, sub, has := strings.Cut(s, ".")
	t := newTape(core)
	u := us{id: id, version: t.number(6)}
	if id != 8 {
		u.sharingNotice = t.number(2)
	}
	u.saleNotice = t.number(2)
	if u.has("share") {
		u.shareNotice = t.number(2)
	}
	if u.has("ads") {
		u.adsNotice = t.number(2)
	}
	t.take(map[int]int{7: 4, 8: 2, 11: 2}[id]) // notices about sensitive data
	u.sale = t.number(2)
	if u.has("share") {
		u.share = t.number(2)
	}
	if u.has("ads") {
		u.ads = t.number(2)
	}
	t.take(2 * map[int]int{7: 12, 8: 9, 9: 8, 10: 7, 11: 8, 12: 8}[id])
	u.child = t.number(2)
	if u.has("second") {
		u.secondChild = t.number(2)
	}
	if u.has("consent") {
		u.consent = t.number(2)
	}
	if id == 12 && t.number(2) != 0 {
		u.child = 1
	}
	t.take(4)
	u.provider = t.number(2)
	if has {
		g := newTape(sub)
		if g.number(2) != 1 || g.failed {
			return u, false
		}
		u.gpc = g.take(1)
		t.failed = t.failed || g.failed
	}
	return u, !t.failed
}
