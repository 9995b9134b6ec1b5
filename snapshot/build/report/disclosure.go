package report

// Threshold is how many people a count must tell of to be shown.
const Threshold = 50

// ledger decides which counts are shown. It is the only way from a count to a
// form of the report: what renders sees [Count] alone.
//
// # The rule
//
// Counts are offered one after another, the most important first, and each is
// shown unless that would disclose something. A count is withheld where
//
//  1. it is from 1 to 49, or is from 1 to 49 people (60 records may be 20
//     people's), or the count that it is a part of is withheld;
//  2. it differs by 1 to 49 from a count of the same population (a pool) that
//     is already shown. So nothing follows from counts that lie in one another,
//     known to us or not: all in reached in reached by own data, consent of 30
//     in 90 in 180 days, steps of a histogram, which are offered as "so many
//     and more" and merge with the step before where one is withheld;
//  3. it completes a relation whose value is then from 1 to 49: a total less
//     its shown parts, the overlap of sets that make up a total together, the
//     parts of two tables about the same thing. figures.go declares the
//     relations, on which a value below zero counts by its size;
//  4. with its pairs known, the parts of three overlapping segments would be
//     bounded to somewhere from 1 to 49, see [ledger.triangle].
//
// Shares, factors, lengths and areas are computed from shown counts only, so
// they add nothing. A count that is withheld for its own sake and one withheld
// to protect another look the same.
//
// Zero is shown, alone and as a difference: that nobody, or everybody, has a
// property tells of a group that is itself shown, and so of 50 people or more.
//
// # Why this is enough, and where it ends
//
// Within a population the shown counts are cuts of it in two, each side of
// each cut and each step between two cuts 0 or at least 50. Where the cuts are
// independent, only the counts of such steps and their sums are determined:
// any other group can gain a person and lose one without a shown count
// changing. Where cuts are not independent (namespaces and sources make up all
// who are reached, sources make up the parties) the relations say so, and rule
// 3 looks at what they determine. Tests check this against an adversary who
// tries all small worlds: one who knows the relations and what is shown, and,
// but for the counts by source and two namespaces with their devices, one who
// replays the rule as well, and so knows why something is withheld.
//
// That something is withheld tells that a small group may be there, and bounds
// leave more or less room; it is the exact number that is protected. Not
// covered are somebody who knows some of the people counted, the difference
// between two reports of different days or configurations, bounds that take
// four or more segments at once, and facts from outside that tie counts
// together, such as that one partner alone brings one kind of cookie, as far
// as rule 2 does not see them.
type ledger struct {
	least   int64 // Threshold, but for tests
	figures []*figure
}

// figure is a count on its way to be shown.
type figure struct {
	exact  int64
	people int64   // how many it tells of
	part   *figure // what it is a part of, or nil
	pools  []*pool
	rules  []func() bool // each reports whether nothing is disclosed
	shown  bool
}

// pool is the shown counts of one population.
type pool struct{ shown []int64 }

// offer adds a count of people to be decided on, after those before it.
func (l *ledger) offer(people int64, part *figure, pools ...*pool) *figure {
	return l.offerOf(people, people, part, pools...)
}

// offerOf is offer for a count of something else, which tells of people.
func (l *ledger) offerOf(exact, people int64, part *figure, pools ...*pool) *figure {
	f := &figure{exact: exact, people: people, part: part, pools: pools}
	l.figures = append(l.figures, f)
	return f
}

// decide decides on all figures, in the order in which they were offered.
func (l *ledger) decide() {
	for _, f := range l.figures {
		f.shown = l.safe(f.exact) && l.safe(f.people) && (f.part == nil || f.part.shown)
		for _, p := range f.pools {
			for _, n := range p.shown {
				f.shown = f.shown && l.safe(f.exact-n)
			}
		}
		if !f.shown {
			continue
		}
		for _, nothing := range f.rules {
			if !nothing() {
				f.shown = false
				break
			}
		}
		if f.shown && f.exact != 0 {
			for _, p := range f.pools {
				p.shown = append(p.shown, f.exact)
			}
		}
	}
}

// safe reports whether n may be known.
func (l *ledger) safe(n int64) bool { return n == 0 || n >= l.least || n <= -l.least }

// terms are figures with a factor each.
type terms []term

type term struct {
	times int64
	*figure
}

func sum(times int64, figures ...*figure) terms {
	out := make(terms, len(figures))
	for i, f := range figures {
		out[i] = term{times, f}
	}
	return out
}

func (t terms) and(times int64, figures ...*figure) terms {
	return append(t[:len(t):len(t)], sum(times, figures...)...)
}

// relate declares that the value of all is a count of something, which is
// known once all of it is shown; less the parts, which are disjoint, as far as
// they are shown.
func (l *ledger) relate(all terms, parts ...*figure) {
	rule := func() bool {
		var value int64
		for _, t := range all {
			if !t.shown {
				return true
			}
			value += t.times * t.exact
		}
		for _, p := range parts {
			if p.shown {
				value -= p.exact
			}
		}
		return l.safe(value)
	}
	for _, t := range all {
		t.rules = append(t.rules, rule)
	}
	for _, p := range parts {
		p.rules = append(p.rules, rule)
	}
}

// triangle declares three sets a, b and c with their overlaps. Given all six,
// how many are in all three has a lower and an upper bound, and with it each
// of the seven parts into which the three cut one another: none of them may be
// bounded to somewhere from 1 to 49. total is who may be in them, as far as it
// is shown, or nil.
func (l *ledger) triangle(a, b, c, ab, ac, bc *figure, total terms) {
	rule := func() bool {
		for _, f := range [...]*figure{a, b, c, ab, ac, bc} {
			if !f.shown {
				return true
			}
		}
		// Each part is fixed + sign*t, where t are in all three.
		parts := []struct{ fixed, sign int64 }{
			{0, 1},
			{ab.exact, -1},
			{ac.exact, -1},
			{bc.exact, -1},
			{a.exact - ab.exact - ac.exact, 1},
			{b.exact - ab.exact - bc.exact, 1},
			{c.exact - ac.exact - bc.exact, 1},
		}
		if outside, ok := total.value(); ok {
			outside += ab.exact + ac.exact + bc.exact - a.exact - b.exact - c.exact
			parts = append(parts, struct{ fixed, sign int64 }{outside, -1})
		}
		low, high := int64(0), min(ab.exact, ac.exact, bc.exact)
		for _, p := range parts {
			if p.sign > 0 {
				low = max(low, -p.fixed)
			} else {
				high = min(high, p.fixed)
			}
		}
		for _, p := range parts {
			from, to := p.fixed+p.sign*low, p.fixed+p.sign*high
			if min(from, to) > 0 && max(from, to) < l.least {
				return false
			}
		}
		return true
	}
	for _, f := range [...]*figure{a, b, c, ab, ac, bc} {
		f.rules = append(f.rules, rule)
	}
	for _, t := range total {
		t.rules = append(t.rules, rule)
	}
}

// value is the sum of t, and whether it is known.
func (t terms) value() (n int64, ok bool) {
	for _, x := range t {
		if !x.shown {
			return 0, false
		}
		n += x.times * x.exact
	}
	return n, len(t) > 0
}

// atLeast offers a histogram as how many have so much and more, step by step
// from the second; whole is those in the first step or a later one.
func (l *ledger) atLeast(steps []int64, whole *figure, pools ...*pool) []*figure {
	out := []*figure{whole}
	left := whole.exact
	for _, n := range steps[:len(steps)-1] {
		left -= n
		out = append(out, l.offer(left, whole, pools...))
	}
	return out
}

// andAll adds the terms of more, each that many times.
func (t terms) andAll(times int64, more terms) terms {
	out := t[:len(t):len(t)]
	for _, x := range more {
		out = append(out, term{times * x.times, x.figure})
	}
	return out
}
