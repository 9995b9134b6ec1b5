package report

import "math"

// circle is a set as a disc; its area is in proportion to its people.
type circle struct{ X, Y, R float64 }

// lens returns the area that two discs of radius a and b share, their centres
// being d apart (the circular segments on both sides of the common chord).
func lens(a, b, d float64) float64 {
	switch {
	case d >= a+b:
		return 0
	case d <= math.Abs(a-b):
		r := min(a, b)
		return math.Pi * r * r
	}
	alpha := math.Acos(clamp((d*d + a*a - b*b) / (2 * d * a)))
	beta := math.Acos(clamp((d*d + b*b - a*a) / (2 * d * b)))
	return a*a*(alpha-math.Sin(2*alpha)/2) + b*b*(beta-math.Sin(2*beta)/2)
}

func clamp(x float64) float64 { return max(-1, min(1, x)) }

// apartBy returns how far apart the centres of two discs are that share an
// area, found by halving: the area shrinks as the distance grows.
func apartBy(a, b, area float64) float64 {
	low, high := math.Abs(a-b), a+b
	if area <= 0 {
		return high * 1.06 // a gap shows that they are apart
	}
	for range 60 {
		mid := (low + high) / 2
		if lens(a, b, mid) > area {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// radius is that of a disc with an area of n.
func radius(n int64) float64 { return math.Sqrt(float64(n) / math.Pi) }

// euler2 places two sets of a and b people, both of them in common.
func euler2(a, b, both int64) [2]circle {
	ra, rb := radius(a), radius(b)
	return [2]circle{{R: ra}, {X: apartBy(ra, rb, float64(both)), R: rb}}
}

// euler3 places three sets by their overlaps in pairs. It reports false where
// no three discs have them; the area where all three meet is what it is.
func euler3(sizes, overlaps [3]int64) (out [3]circle, ok bool) {
	a, b, c := radius(sizes[0]), radius(sizes[1]), radius(sizes[2])
	ab := apartBy(a, b, float64(overlaps[0]))
	ac := apartBy(a, c, float64(overlaps[1]))
	bc := apartBy(b, c, float64(overlaps[2]))
	if ab+ac < bc || ab+bc < ac || ac+bc < ab || ab == 0 {
		return out, false
	}
	x := (ab*ab + ac*ac - bc*bc) / (2 * ab)
	y := math.Sqrt(max(0, ac*ac-x*x))
	return [3]circle{{R: a}, {X: ab, R: b}, {X: x, Y: y, R: c}}, true
}

// fit scales and moves circles into a box of w by h with a margin, by the
// scale given or, where that is 0, the largest that fits. It returns the scale.
func fit(cs []circle, w, h, margin, scale float64) float64 {
	left, top := math.Inf(1), math.Inf(1)
	right, bottom := math.Inf(-1), math.Inf(-1)
	for _, c := range cs {
		left, right = min(left, c.X-c.R), max(right, c.X+c.R)
		top, bottom = min(top, c.Y-c.R), max(bottom, c.Y+c.R)
	}
	if scale == 0 {
		scale = min((w-2*margin)/(right-left), (h-2*margin)/(bottom-top))
	}
	for i, c := range cs {
		cs[i] = circle{
			X: w/2 + (c.X-(left+right)/2)*scale,
			Y: h/2 + (c.Y-(top+bottom)/2)*scale,
			R: c.R * scale,
		}
	}
	return scale
}
