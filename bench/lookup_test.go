package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/matchd/matchd/snapshot"
)

// BenchmarkLookup runs the cases of matchd bench lookup, over a hundred
// thousand ids unless -short makes it fewer.
func BenchmarkLookup(b *testing.B) {
	c := DefaultLookup()
	c.IDs, c.Probes = 1_000_000, 1<<18
	if testing.Short() {
		c.IDs = 10_000
	}
	w := &world{ids: c.IDs, seed: c.Seed, asOf: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	store, err := w.publish(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	c.Memory = []snapshot.Memory{snapshot.Map}
	c.Log = func(string, ...any) {}
	cases, done, err := c.cases(b.Context(), w, store)
	if err != nil {
		b.Fatal(err)
	}
	defer done()
	for _, k := range cases {
		b.Run(fmt.Sprintf("ids=%d/%s", c.IDs, k.Name), func(b *testing.B) {
			b.ReportAllocs()
			k.Run(b.N)
		})
	}
}
