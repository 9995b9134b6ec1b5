//go:build unix

package snapshot

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/matchd/matchd/index"
)

// The benchmarks write, open and verify a snapshot of a million identifiers
// on one core, and report the processor's time for one identifier:
//
//	go test ./snapshot -run '^$' -bench . -cpu 1 -count 5

// typicalPersons is how many persons of [typical] make a million identifiers.
const typicalPersons = 300_000

// cpu is the time that the process has used so far, on all cores.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkSnapshot(b *testing.B) {
	d, m, hasher := sampleDicts(b), sampleMeta(1, 4, 4), IdentifierHasher(sampleSecret())
	m.Oldest -= 100
	persons := clonePersons(typical(b, d, hasher, typicalPersons))
	spent := map[string]time.Duration{}
	var ids, size int64
	for range b.N {
		timed := func(what string, f func()) {
			runtime.GC()
			start := cpu(b)
			f()
			spent[what] += cpu(b) - start
		}
		dir := b.TempDir()
		entries := make([][]index.Entry, m.IndexShards)
		w, err := NewWriter(OS{}, dir, m, d)
		if err != nil {
			b.Fatal(err)
		}
		timed("records", func() {
			for shard := range m.RecordShards {
				err := w.WriteRecords(shard, shardOf(persons, shard, m.RecordShards), func(i int, e index.Entry) error {
					entries[i] = append(entries[i], e)
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		timed("index", func() {
			for shard := range m.IndexShards {
				if err := w.WriteIndex(shard, entries[shard]); err != nil {
					b.Fatal(err)
				}
			}
		})
		if _, _, err := w.Finish(); err != nil {
			b.Fatal(err)
		}
		var s *Snapshot
		timed("open", func() {
			if s, err = Open(dir, nil, Map); err != nil {
				b.Fatal(err)
			}
		})
		timed("verify", func() {
			if err := s.Verify(hasher); err != nil {
				b.Fatal(err)
			}
		})
		ids, size = s.Counts.Identifiers, s.Bytes()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	sum := time.Duration(0)
	for what, t := range spent {
		b.ReportMetric(float64(t.Nanoseconds())/float64(b.N)/float64(ids), what+"-ns/id")
		sum += t
	}
	b.ReportMetric(float64(sum.Nanoseconds())/float64(b.N)/float64(ids), "all-ns/id")
	b.ReportMetric(float64(size)/float64(ids), "bytes/id")
	b.ReportMetric(0, "ns/op")
}
