package engine_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os/exec"
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

// TestBucketByAnotherTool has another program compute the formula, of which it
// is told no more than docs/answers.md says.
func TestBucketByAnotherTool(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 in PATH: the formula is computed by Go alone")
	}
	const script = `
import hashlib, sys
for line in sys.stdin.buffer:
    person, buckets, experiment = line.rstrip(b"\n").split(b" ", 2)
    first = hashlib.sha256(person + b":" + experiment).digest()[:8]
    print(int.from_bytes(first, "big") * int(buckets) // 2**64)
`
	r := rand.New(rand.NewPCG(6, 1))
	var in, want strings.Builder
	for i := range 2000 {
		id, buckets := anyPerson(r), 1+r.IntN(engine.MaxBuckets)
		experiment := pick(r, "price", "Prix été", "a:b", " ", "blue button", strings.Repeat("x", 128), fmt.Sprint(i))
		fmt.Fprintf(&in, "%v %d %s\n", id, buckets, experiment)
		fmt.Fprintln(&want, must(engine.Bucket(id, experiment, buckets))(t))
	}
	c := exec.CommandContext(t.Context(), python, "-c", script)
	c.Stdin = strings.NewReader(in.String())
	if got := string(must(c.Output())(t)); got != want.String() {
		t.Errorf("python3 has other buckets:\n%.200s\nwant\n%.200s", got, want.String())
	}
}

// table counts persons by their buckets in two experiments.
type table [][]float64

func newTable(rows, columns int) table {
	t := make(table, rows)
	for i := range t {
		t[i] = make([]float64, columns)
	}
	return t
}

// even reports whether all places of the table hold about equally many persons,
// by Pearson's chi-square: of an even spread all but one in 30,000 come out
// below limit. A table of one row is one experiment; in one of several, two
// experiments have nothing to do with each other if it is even.
func (t table) even() (chi, limit float64, ok bool) {
	persons, places := 0.0, 0.0
	for _, row := range t {
		for _, n := range row {
			persons += n
			places++
		}
	}
	for _, row := range t {
		for _, n := range row {
			chi += square(n-persons/places) / (persons / places)
		}
	}
	// Wilson and Hilferty, "The distribution of chi-square", 1931, at 4 deviations.
	free := places - 1
	limit = free * math.Pow(1-2/(9*free)+4*math.Sqrt(2/(9*free)), 3)
	return chi, limit, chi <= limit && persons/places >= 5
}

func square(x float64) float64 { return x * x }

func anyPerson(r *rand.Rand) (id engine.PersonID) {
	binary.BigEndian.PutUint64(id[:], r.Uint64())
	binary.BigEndian.PutUint64(id[8:], r.Uint64())
	return id
}

// crowds are persons with ids as they are, and with ids that differ in a few
// bits. The seeds are fixed, so what the tests find is, too.
func crowds(n int) map[string][]engine.PersonID {
	r := rand.New(rand.NewPCG(1, 2))
	out := map[string][]engine.PersonID{}
	for i := range n {
		var first, last engine.PersonID
		binary.BigEndian.PutUint32(first[:], uint32(i))
		binary.BigEndian.PutUint32(last[12:], uint32(i))
		if out["random"] = append(out["random"], anyPerson(r)); raceEnabled || testing.Short() {
			continue
		}
		out["counted at the front"] = append(out["counted at the front"], first)
		out["counted at the end"] = append(out["counted at the end"], last)
	}
	return out
}

func TestBucketsAreEven(t *testing.T) {
	for name, persons := range crowds(20_000) {
		for _, buckets := range []int{2, 3, 7, 10, 64, 100, 999, 1000} {
			for _, experiment := range []string{"a", "b", "price", "Prix été", "2026-11 checkout, second try"} {
				got := newTable(1, buckets)
				for _, id := range persons {
					got[0][must(engine.Bucket(id, experiment, buckets))(t)]++
				}
				if chi, limit, ok := got.even(); !ok {
					t.Errorf("%s: %q with %d buckets: chi-square %.1f, limit %.1f", name, experiment, buckets, chi, limit)
				}
			}
		}
	}
}

func TestExperimentsAreIndependent(t *testing.T) {
	type experiment struct {
		name    string
		buckets int
	}
	for name, persons := range crowds(20_000) {
		joint := func(a, b experiment) table {
			out := newTable(a.buckets, b.buckets)
			for _, id := range persons {
				out[must(engine.Bucket(id, a.name, a.buckets))(t)][must(engine.Bucket(id, b.name, b.buckets))(t)]++
			}
			return out
		}
		for _, pair := range [][2]experiment{
			{{"a", 10}, {"b", 10}},
			{{"a", 2}, {"b", 2}},
			{{"a", 2}, {"A", 1000}},
			{{"a", 10}, {"aa", 10}},
			{{"a", 10}, {":a", 10}},
			{{"a", 10}, {"a ", 10}},
			{{"price-1", 7}, {"price-2", 100}},
			{{"price", 50}, {"layout", 50}},
		} {
			if chi, limit, ok := joint(pair[0], pair[1]).even(); !ok {
				t.Errorf("%s: %v: chi-square %.1f, limit %.1f", name, pair, chi, limit)
			}
		}
		// Of one name they are not, whatever the number of buckets.
		for _, pair := range [][2]experiment{{{"a", 10}, {"a", 10}}, {{"a", 2}, {"a", 3}}, {{"price", 100}, {"price", 50}}} {
			if chi, limit, ok := joint(pair[0], pair[1]).even(); ok {
				t.Errorf("%s: %v pass for two experiments: chi-square %.1f, limit %.1f", name, pair, chi, limit)
			}
		}
	}
}
