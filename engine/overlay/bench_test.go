package overlay_test

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
)

const million = 1_000_000

// links are n links of two identifiers each, all different: twice as many
// entries.
func links(b *testing.B, n int) []overlay.Change {
	b.Helper()
	ns, list := names(b), make([]overlay.Change, n)
	for i := range list {
		c := "crm.acme:C-" + strconv.Itoa(i)
		list[i] = change(b, ns, uint64(i+1), link(int64(i+1), "cookie.acme:"+strconv.Itoa(1<<40+i), c, 0))
	}
	return list
}

func built(list []overlay.Change) *overlay.Overlay {
	b := overlay.NewBuilder(0)
	for i := range list {
		b.Add(&list[i])
	}
	return b.Build()
}

// hashesOf are those of the entries of o, in random order, and as many that it
// does not have.
func hashesOf(o *overlay.Overlay) (there, absent []index.Hash) {
	r := rand.New(rand.NewPCG(1, 2))
	for e := range o.All() {
		there, absent = append(there, e.Hash), append(absent, index.Hash{Hi: r.Uint64(), Lo: r.Uint64()})
	}
	r.Shuffle(len(there), func(i, j int) { there[i], there[j] = there[j], there[i] })
	return there, absent
}

// A lookup among a million entries, beside one of the snapshot's table of as
// many, with its filter in front.
func BenchmarkGet(b *testing.B) {
	o := built(links(b, million/2))
	there, absent := hashesOf(o)
	var entries []index.Entry
	for e := range o.All() {
		entries = append(entries, index.Entry{Hash: e.Hash, Addr: uint64(len(entries))})
	}
	slices.SortFunc(entries, func(x, y index.Entry) int { return x.Hash.Compare(y.Hash) })
	data, params, err := index.BuildTable(entries, 0)
	if err != nil {
		b.Fatal(err)
	}
	table, err := index.OpenTable(data, params)
	if err != nil {
		b.Fatal(err)
	}
	filter, err := index.OpenFilter(index.BuildFilter(entries))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		hashes []index.Hash
		want   bool
	}{{"hit", there, true}, {"miss", absent, false}} {
		b.Run(c.name+"/overlay", func(b *testing.B) {
			for i := range b.N {
				if _, ok := o.Get(c.hashes[i%len(c.hashes)]); ok != c.want {
					b.Fatal(i)
				}
			}
		})
		b.Run(c.name+"/withheld", func(b *testing.B) {
			for i := range b.N {
				if o.Withheld(c.hashes[i%len(c.hashes)], "acme") {
					b.Fatal(i)
				}
			}
		})
		b.Run(c.name+"/batch", func(b *testing.B) {
			for i := 0; i < b.N; i += 16 {
				for j := i; j < i+16; j++ {
					o.Prefetch(c.hashes[j%len(c.hashes)])
				}
				for j := i; j < i+16; j++ {
					if o.Withheld(c.hashes[j%len(c.hashes)], "acme") {
						b.Fatal(j)
					}
				}
			}
		})
		b.Run(c.name+"/table", func(b *testing.B) {
			found := 0
			for i := range b.N {
				h := c.hashes[i%len(c.hashes)]
				if !filter.MayContain(h) {
					continue
				}
				cursor := table.Seek(h)
				if _, ok := table.Next(h, &cursor); ok {
					found++
				}
			}
			if c.want != (found > 0) && b.N > 1 {
				b.Fatal(found)
			}
		})
	}
}

// A group of a hundred changes on a million entries.
func BenchmarkWith(b *testing.B) {
	list := links(b, million/2+100_000)
	o := built(list[:million/2])
	for i := 0; b.Loop(); i = (i + 100) % 100_000 {
		o.With(list[million/2+i:][:100])
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/100, "ns/change")
}

// Changes that a start replays, and what the entries take.
func BenchmarkBuild(b *testing.B) {
	ns := names(b)
	optOuts := make([]overlay.Change, million)
	for i := range optOuts {
		var text [8]byte
		binary.LittleEndian.PutUint64(text[:], uint64(i))
		optOuts[i] = change(b, ns, uint64(i+1), event.Bound{
			Type: event.OptOut, At: int64(i + 1), Tenant: "acme", Key: ns.Key, Hash: ns.Hasher.Sum(text[:]),
		})
	}
	for _, c := range []struct {
		name string
		list []overlay.Change
	}{{"opt-outs", optOuts}, {"links", links(b, million/2)}} {
		b.Run(c.name, func(b *testing.B) {
			var o *overlay.Overlay
			var before, after runtime.MemStats
			for b.Loop() {
				b.StopTimer()
				o = nil
				runtime.GC()
				runtime.ReadMemStats(&before)
				b.StartTimer()
				o = built(c.list)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(len(c.list)*b.N)/b.Elapsed().Seconds(), "changes/s")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(o.Len()), "B/entry")
			b.ReportMetric(float64(o.Bytes())/float64(o.Len()), "own-B/entry")
			runtime.KeepAlive(o)
		})
	}
}
