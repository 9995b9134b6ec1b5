package engine_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/engine"
)

func drawPerson(t *rapid.T) (id engine.PersonID) {
	copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "person"))
	return id
}

// TestBucketFormula computes the published formula in whole numbers of any
// size: floor(x * buckets / 2^64).
func TestBucketFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, buckets := drawPerson(t), rapid.IntRange(1, engine.MaxBuckets).Draw(t, "buckets")
		experiment := rapid.StringN(1, 30, 128).Draw(t, "experiment")
		sum := sha256.Sum256(fmt.Appendf(nil, "%x:%s", id[:], experiment))
		x := new(big.Int).SetBytes(sum[:8])
		x.Mul(x, big.NewInt(int64(buckets))).Rsh(x, 64)
		got, err := engine.Bucket(id, experiment, buckets)
		if err != nil || int64(got) != x.Int64() {
			t.Fatalf("Bucket(%v, %q, %d) = %d, %v, want %v", id, experiment, buckets, got, err, x)
		}
		if got < 0 || got >= buckets {
			t.Fatalf("bucket %d of %d", got, buckets)
		}
	})
}

// TestBucketGolden pins the formula for callers that compute it themselves:
//
//	python3 -c 'import hashlib;print(int(hashlib.sha256(b"ID:NAME").hexdigest()[:16],16)*N>>64)'
func TestBucketGolden(t *testing.T) {
	count := engine.PersonID{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	for _, c := range []struct {
		id         engine.PersonID
		experiment string
		buckets    int
		want       int
	}{
		{engine.PersonID{}, "a", 2, 1},
		{engine.PersonID{}, "price", 100, 74},
		{count, "price", 100, 55},
		{count, "price", 1000, 559},
		{count, "Prix été", 1000, 101},
		{count, "xxx", 3, 1},
		{count, "a:b", 10, 0},
		{count, "price", 1, 0},
		{count, "carry 2170545", 1000, 308}, // 307 without the carry of the lower half
	} {
		if got, err := engine.Bucket(c.id, c.experiment, c.buckets); err != nil || got != c.want {
			t.Errorf("Bucket(%v, %q, %d) = %d, %v, want %d", c.id, c.experiment, c.buckets, got, err, c.want)
		}
	}
}

func TestBucketBounds(t *testing.T) {
	for _, c := range []struct {
		experiment string
		buckets    int
		good       bool
	}{
		{"x", 1, true},
		{"x", 1000, true},
		{strings.Repeat("x", 128), 2, true},
		{"x", 0, false},
		{"x", -1, false},
		{"x", 1001, false},
		{"", 2, false},
		{strings.Repeat("x", 129), 2, false},
	} {
		if _, err := engine.Bucket(engine.PersonID{1}, c.experiment, c.buckets); (err == nil) != c.good {
			t.Errorf("an experiment of %d bytes with %d buckets: %v", len(c.experiment), c.buckets, err)
		}
	}
}

// TestBucketsAreEven holds the buckets of random persons against an even
// spread by Pearson's chi-square, and two experiments against independence.
// The seed is fixed, so the outcome is too; the limits are those of 99.9 %.
func TestBucketsAreEven(t *testing.T) {
	const persons, buckets = 100_000, 10
	r := rand.New(rand.NewPCG(1, 2))
	var alone [buckets]float64
	var joint [buckets][buckets]float64
	for range persons {
		var id engine.PersonID
		binary.BigEndian.PutUint64(id[:], r.Uint64())
		binary.BigEndian.PutUint64(id[8:], r.Uint64())
		a := must(engine.Bucket(id, "a", buckets))(t)
		b := must(engine.Bucket(id, "b", buckets))(t)
		alone[a]++
		joint[a][b]++
	}
	chi, chi2 := 0.0, 0.0
	for i, n := range alone {
		chi += square(n-persons/buckets) / (persons / buckets)
		for _, m := range joint[i] {
			chi2 += square(m-persons/buckets/buckets) / (persons / buckets / buckets)
		}
	}
	if chi > 27.88 { // 9 degrees of freedom
		t.Errorf("chi-square of one experiment: %.2f", chi)
	}
	if chi2 > 148.23 { // 99 degrees of freedom
		t.Errorf("chi-square of two experiments: %.2f", chi2)
	}
}

func square(x float64) float64 { return x * x }
