package spill

import (
	"math/rand/v2"
	"testing"
)

// Records of 60 bytes for a thousand partitions, one by one and staged.
func BenchmarkPut(b *testing.B) {
	for _, c := range []struct {
		name string
		put  int64
	}{{"one by one", -1 << 60}, {"staged", stageFrom}} {
		b.Run(c.name, func(b *testing.B) {
			space := NewSpace(func() (string, error) { return b.TempDir(), nil }, 1<<40)
			defer space.Close()
			r := rand.New(rand.NewPCG(1, 2))
			record := make([]byte, 60)
			for b.Loop() {
				s := space.Store("x", 1024)
				w := s.Writer()
				w.put = c.put
				for range 2_000_000 {
					if err := w.Put(int(r.Uint32()%1024), record); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
				if err := s.Drop(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2_000_000, "ns/record")
		})
	}
}
