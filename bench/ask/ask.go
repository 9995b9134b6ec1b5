// Package ask times how long something takes to answer identifiers, whatever
// it is: matchd, a Go map, or a store in another process.
package ask

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/snapshot"
)

// Answerer answers identifiers for one goroutine.
type Answerer interface {
	// Ask parses each identifier, looks it up, and returns the sum of what it
	// read: the bytes of the customer ids and the numbers of the segments. All
	// who hold the same data return the same.
	Ask(ids [][]byte) (sum uint64)
}

// Question is a way of asking.
type Question struct {
	world.Draw
	// Batch is how many identifiers are asked for at once. One at a time, each
	// waits for the answer to the one before.
	Batch int `json:"batch"`
	// Cores is how many goroutines ask.
	Cores int `json:"cores"`
}

// Timing is what asking took.
type Timing struct {
	// NS is wall time by the number of identifiers.
	NS float64 `json:"ns"`
	// Sum is that of all answers.
	Sum uint64 `json:"sum"`
}

// Time asks n identifiers, from the first of ids on and round again, of as many
// answerers as the question has cores, each its share.
func Time(q Question, answerers []Answerer, ids [][]byte, n int) (Timing, error) {
	if q.Batch < 1 || q.Batch > len(ids) || q.Cores < 1 || q.Cores > len(answerers) {
		return Timing{}, fmt.Errorf("ask: batches of %d and %d goroutines, of %d identifiers and %d answerers", q.Batch, q.Cores, len(ids), len(answerers))
	}
	sums := make([]uint64, q.Cores)
	var all sync.WaitGroup
	start := time.Now()
	for i := range sums {
		all.Go(func() {
			from, to := i*n/q.Cores, (i+1)*n/q.Cores
			if q.Batch == 1 {
				sums[i] = chain(answerers[i], ids, from, to)
			} else {
				sums[i] = batches(answerers[i], ids, from, to, q.Batch)
			}
		})
	}
	all.Wait()
	t := Timing{NS: float64(time.Since(start).Nanoseconds()) / float64(n)}
	for _, s := range sums {
		t.Sum += s
	}
	return t, nil
}

// noBits is 0, which the compiler does not know.
var noBits = uint64(len(os.Args)) >> 60

// chain asks one at a time. Which identifier comes next depends on the answer
// before, so that no two lookups overlap. An absent identifier's answer has no
// bytes that came from memory, only a branch that the processor may guess, so
// misses overlap a little, in whatever answers them.
func chain(a Answerer, ids [][]byte, from, to int) (sum uint64) {
	for i := from; i < to; i++ {
		at := (i + int(sum&noBits)) % len(ids)
		sum += a.Ask(ids[at : at+1])
	}
	return sum
}

func batches(a Answerer, ids [][]byte, from, to, size int) (sum uint64) {
	for i := from; i < to; i += size {
		n := min(size, to-i)
		at := i % (len(ids) - n + 1)
		sum += a.Ask(ids[at : at+n])
	}
	return sum
}

// Reader reads packed records, for one goroutine.
type Reader struct {
	Snapshot *snapshot.Snapshot // that they are of
	record   snapshot.Record
	profile  snapshot.Profile
}

// Sum returns the sum of what an answer from a packed record consists of.
func (r *Reader) Sum(packed []byte) (sum uint64) {
	if r.Snapshot.Unpack(packed, &r.record) != nil {
		return 0
	}
	for p := r.record.Profiles(); p.Next(&r.profile); {
		sum += SumAnswer(r.profile.Customer, r.profile.Segments)
	}
	return sum
}

// SumAnswer returns the sum of what one profile answers.
func SumAnswer(customer []byte, segments []uint32) (sum uint64) {
	for _, b := range customer {
		sum += uint64(b)
	}
	for _, s := range segments {
		sum += uint64(s)
	}
	return sum
}
