// Package opening measures how long a snapshot takes to open, checked, beside
// how long one core takes to read and hash the same bytes, and what memory it
// holds then.
package opening

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/snapshot"
)

// Config measures the opening of one snapshot.
type Config struct {
	// IDs is how many mobile ids the snapshot holds.
	IDs    int
	Seed   uint64
	Rounds int
	// Dir is where the data is built, in a folder of its own; empty is the
	// system's place for temporary files.
	Dir string
	// Store, if not nil, has the snapshot already: its current one is measured,
	// and nothing is built.
	Store  *snapshot.Store
	Memory []snapshot.Memory
}

// Default measures a million ids.
func Default() Config {
	return Config{IDs: 1_000_000, Seed: 1, Rounds: 11, Memory: []snapshot.Memory{snapshot.Map, snapshot.Copy}}
}

// Validate checks the ranges.
func (c Config) Validate() error {
	if c.IDs < 1 || c.IDs > 1<<30 || c.Rounds < 1 || len(c.Memory) == 0 {
		return fmt.Errorf("opening: %d ids, %d rounds and %d kinds of memory: give 1 to %d ids, a round and a kind at least",
			c.IDs, c.Rounds, len(c.Memory), 1<<30)
	}
	return nil
}

// Result is what a run found. Everything was done on one core, with the files
// in the system's cache.
type Result struct {
	// Bytes is the size of the snapshot's files.
	Bytes int64 `json:"bytes"`
	// Read is the time to read and hash them, by round.
	Read []time.Duration `json:"read_ns"`
	Kind []Kind          `json:"memory"`
}

// Kind is what was found of one kind of memory.
type Kind struct {
	Memory snapshot.Memory `json:"memory"`
	// Open and Close are times, by round.
	Open  []time.Duration `json:"open_ns"`
	Close []time.Duration `json:"close_ns"`
	// Ratio is the speed of opening by that of reading and hashing, the median
	// of the rounds.
	Ratio float64 `json:"ratio"`
	// Allocated is what the last opening allocated in the collector's heap.
	Allocated uint64 `json:"allocated"`
	// Resident is what it made resident; zero where that is not known.
	Resident Resident `json:"resident"`
}

// Resident is memory of a process, in bytes.
type Resident struct {
	Anonymous int64 `json:"anonymous"`
	// Huge is how much of Anonymous lies in large pages.
	Huge int64 `json:"huge"`
	// Files is what is mapped of files, which the system's cache shares.
	Files int64 `json:"files"`
}

// Run makes a snapshot and measures.
func Run(ctx context.Context, c Config) (r *Result, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	store := c.Store
	if store == nil {
		dir, err := os.MkdirTemp(c.Dir, "matchd-opening-")
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		w := world.World{IDs: c.IDs, Seed: c.Seed}
		if store, err = w.Publish(ctx, filepath.Join(dir, "store")); err != nil {
			return nil, err
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	return measure(ctx, c, store)
}

func measure(ctx context.Context, c Config, store *snapshot.Store) (*Result, error) {
	cur, err := store.Current()
	if err != nil {
		return nil, err
	}
	paths, err := files(store, cur)
	if err != nil {
		return nil, err
	}
	r := &Result{Kind: make([]Kind, len(c.Memory))}
	for round := range c.Rounds + 1 { // the first warms up
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := time.Now()
		if r.Bytes, err = readAndHash(paths); err != nil {
			return nil, err
		}
		r.Read = append(r.Read, time.Since(start))
		for i, m := range c.Memory {
			k := &r.Kind[i]
			k.Memory = m
			if err := k.round(store, cur, round == c.Rounds); err != nil {
				return nil, err
			}
		}
	}
	r.Read = r.Read[1:]
	for i := range r.Kind {
		k := &r.Kind[i]
		k.Open, k.Close = k.Open[1:], k.Close[1:]
		k.Ratio = ratio(r.Read, k.Open)
	}
	return r, nil
}

// round opens and closes the snapshot once.
func (k *Kind) round(store *snapshot.Store, cur snapshot.Current, last bool) error {
	var before, after runtime.MemStats
	var had Resident
	if last {
		debug.FreeOSMemory()
		had = resident()
		runtime.ReadMemStats(&before)
	}
	start := time.Now()
	s, err := store.Open(cur, k.Memory)
	if err != nil {
		return err
	}
	k.Open = append(k.Open, time.Since(start))
	if last {
		runtime.ReadMemStats(&after)
		k.Allocated = after.TotalAlloc - before.TotalAlloc
		has := resident()
		k.Resident = Resident{has.Anonymous - had.Anonymous, has.Huge - had.Huge, has.Files - had.Files}
	}
	start = time.Now()
	err = s.Close()
	k.Close = append(k.Close, time.Since(start))
	return err
}

// files lists the files of a snapshot.
func files(store *snapshot.Store, cur snapshot.Current) (paths []string, err error) {
	s, err := store.Open(cur, snapshot.Once)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(store.Dir(), "snapshots", cur.Name)
	paths = append(paths, filepath.Join(dir, "manifest"))
	for _, f := range s.Files {
		paths = append(paths, filepath.Join(dir, f.Name))
	}
	return paths, s.Close()
}

// readSize is how much is read at once: a size at which reading is fastest.
const readSize = 1 << 20

// readAndHash reads files and hashes what it reads, as the checksums of a
// snapshot do.
func readAndHash(paths []string) (n int64, err error) {
	buf := make([]byte, readSize)
	sum := uint64(0)
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return 0, err
		}
		for err == nil {
			var got int
			got, err = io.ReadFull(f, buf)
			n += int64(got)
			for chunk := range slices.Chunk(buf[:got], snapshot.ChunkSize) {
				sum += xxh3.Hash(chunk)
			}
		}
		_ = f.Close() // opened for reading
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, err
		}
	}
	runtime.KeepAlive(sum)
	return n, nil
}

// ratio is the median of the quotients of two times of each round.
func ratio(a, b []time.Duration) float64 {
	var q []float64
	for i := range a {
		q = append(q, float64(a[i])/float64(b[i]))
	}
	slices.Sort(q)
	return q[len(q)/2]
}

// Median is the middle one of times.
func Median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}
