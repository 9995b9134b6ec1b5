package world

import (
	"iter"
	"math/rand/v2"

	"github.com/matchd/matchd/snapshot"
)

// Draw says which identifiers are asked for.
type Draw struct {
	// Hits is the share of them that belong to somebody.
	Hits float64 `json:"hits"`
	// Zipf asks for some far more often than for others: the identifier of rank
	// k as 1/k^1.1, and the ranks lie all over the pool. Otherwise all are alike.
	Zipf bool `json:"zipf"`
}

// zipfExponent has to be above 1 for [rand.Zipf].
const zipfExponent = 1.1

// rankStep spreads ranks over the pool: a prime above any number of identifiers.
const rankStep = 4294967311

// Draw draws n identifiers of the pool as text. Those that belong to nobody
// come from as many others as there are identifiers.
func (w *World) Draw(d Draw, n int, seed uint64) [][]byte {
	random := rand.New(rand.NewPCG(w.Seed, seed))
	zipf := rand.NewZipf(random, zipfExponent, 1, uint64(w.IDs-1))
	buf := make([]byte, 0, n*textSize)
	out := make([][]byte, n)
	for i := range out {
		at := 0
		if d.Zipf {
			at = int(zipf.Uint64() * rankStep % uint64(w.IDs))
		} else {
			at = random.IntN(w.IDs)
		}
		if random.Float64() >= d.Hits {
			at += w.IDs
		}
		start := len(buf)
		buf = w.AppendText(buf, at)
		out[i] = buf[start:len(buf):len(buf)]
	}
	return out
}

// textSize is the length of a mobile id as text.
const textSize = len("maid:") + 36

// Packed walks over the pool's snapshot: the number of each mobile id that
// belongs to somebody, ascending, with its person's packed record.
func (w *World) Packed(s *snapshot.Snapshot) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		id := 0
		for shard := range s.RecordShards {
			for addr := range s.Addrs(shard) {
				record, err := s.Packed(addr)
				if err != nil {
					return // the caller misses identifiers
				}
				for end := min(id+PerPerson, w.IDs); id < end; id++ {
					if !yield(id, record) {
						return
					}
				}
			}
		}
	}
}
