package report

import (
	"math"
	"math/rand/v2"
	"testing"
)

// lensBySampling counts points instead of taking the formula.
func lensBySampling(a, b, d float64, n int) float64 {
	r := rand.New(rand.NewPCG(1, 2))
	in := 0
	for range n {
		x, y := (2*r.Float64()-1)*a, (2*r.Float64()-1)*a
		if x*x+y*y <= a*a && (x-d)*(x-d)+y*y <= b*b {
			in++
		}
	}
	return 4 * a * a * float64(in) / float64(n)
}

func TestLens(t *testing.T) {
	for _, c := range [][3]float64{{1, 1, 0.5}, {1, 2, 1.5}, {3, 1, 2.5}, {3, 1, 1}, {1, 3, 1}, {1, 1, 2.1}, {2, 2, 0}} {
		if got, want := lens(c[0], c[1], c[2]), lensBySampling(c[0], c[1], c[2], 400_000); math.Abs(got-want) > 0.02*c[0]*c[0]*4 {
			t.Errorf("discs of %v and %v, %v apart share %.4f, want about %.4f", c[0], c[1], c[2], got, want)
		}
	}
}

// Discs and what they share are as large as what they stand for.
func TestAreasAreInProportion(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		a, b := 50+r.Int64N(100_000), 50+r.Int64N(100_000)
		both := r.Int64N(min(a, b) + 1)
		cs := euler2(a, b, both)
		scale := fit(cs[:], 300, 200, 5, 0)
		d := math.Hypot(cs[0].X-cs[1].X, cs[0].Y-cs[1].Y)
		for _, x := range []struct{ got, want float64 }{
			{math.Pi * cs[0].R * cs[0].R, float64(a)},
			{math.Pi * cs[1].R * cs[1].R, float64(b)},
			{lens(cs[0].R, cs[1].R, d), float64(both)},
		} {
			if got := x.got / scale / scale; math.Abs(got-x.want) > 1e-6*float64(a+b)+1 {
				t.Fatalf("%d and %d with %d in common: an area of %.2f for %.2f", a, b, both, got, x.want)
			}
		}
		for _, c := range cs {
			if c.X-c.R < 4.9 || c.X+c.R > 295.1 || c.Y-c.R < 4.9 || c.Y+c.R > 195.1 {
				t.Fatalf("%+v lies outside its box", c)
			}
		}
	}
}

func TestThreeDiscs(t *testing.T) {
	sizes, both := [3]int64{1000, 800, 600}, [3]int64{300, 200, 150}
	cs, ok := euler3(sizes, both)
	if !ok {
		t.Fatal("cannot be drawn")
	}
	for i, x := range [3][2]int{{0, 1}, {0, 2}, {1, 2}} {
		a, b := cs[x[0]], cs[x[1]]
		if got := lens(a.R, b.R, math.Hypot(a.X-b.X, a.Y-b.Y)); math.Abs(got-float64(both[i])) > 0.01 {
			t.Errorf("%v share %.3f, want %d", x, got, both[i])
		}
	}
	// Two discs that are apart cannot both hold half of a small one.
	if _, ok := euler3([3]int64{10_000, 10_000, 200}, [3]int64{0, 100, 100}); ok {
		t.Error("three discs that cannot be are drawn")
	}
}
