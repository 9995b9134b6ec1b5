package cachebench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// Names of caches, but for the one of Config.CacheBytes.
const (
	cacheOff = "off"
	cacheAll = "for all"
	// decoding is no cache: a cold block is read and decoded, and nothing else.
	decoding = "decoding alone"
)

// client may see all of the world.
var client = engine.Client{Name: "bench", Grants: []engine.Grant{{
	Tenant: world.Tenant, Segments: []string{engine.All}, Namespaces: []string{engine.All}, Customers: true, Identifiers: true,
}}}

// newEngine opens the store's snapshot, on the day that it is of.
func newEngine(store *snapshot.Store, w *world.World, cacheBytes int64) (*engine.Engine, error) {
	e, err := engine.New(engine.Options{Store: store, Now: w.AsOf, CacheBytes: cacheBytes})
	if err != nil {
		return nil, err
	}
	if err = e.SetClients([]engine.Client{client}); err == nil {
		_, err = e.Reload()
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// listings measures listings of customers, those of a Zipf draw first.
func (c Config) listings(ctx context.Context, w *world.World, store *snapshot.Store, r *Result) (err error) {
	cur, err := store.Current()
	if err != nil {
		return err
	}
	snap, err := store.Open(cur, snapshot.Map)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	blocks, err := coldBlocks(snap)
	if err != nil {
		return err
	}
	if len(blocks) != w.Persons() {
		return fmt.Errorf("the snapshot has %d persons, and the world %d: give the number of ids that it was made of", len(blocks), w.Persons())
	}
	first := firstOfBlocks(blocks)
	r.Blocks = len(first)
	if r.HotBytes, err = hotBytes(snap); err != nil {
		return err
	}
	for _, zipf := range []bool{true, false} {
		c.Log("listings, Zipf %t", zipf)
		l := &lister{c: c, w: w, snap: snap, blocks: blocks, first: first}
		rows, err := l.measure(ctx, store, zipf)
		if err != nil {
			return err
		}
		r.Listings = append(r.Listings, rows...)
	}
	r.BlockBytes, err = blockBytes(snap, blocks, first)
	return err
}

// coldBlocks returns the cold block of each person, by number.
func coldBlocks(s *snapshot.Snapshot) (list []snapshot.ColdBlock, err error) {
	var r snapshot.Record
	for shard := range s.RecordShards {
		for addr := range s.Addrs(shard) {
			packed, err := s.Packed(addr)
			if err == nil {
				err = s.Unpack(packed, &r)
			}
			if err != nil {
				return nil, err
			}
			list = append(list, s.ColdBlockOf(addr, &r))
		}
	}
	return list, nil
}

// firstOfBlocks returns the first person of each block.
func firstOfBlocks(blocks []snapshot.ColdBlock) (list []int) {
	for i, b := range blocks {
		if i == 0 || b != blocks[i-1] {
			list = append(list, i)
		}
	}
	return list
}

// blockBytes is the mean size of blocks, decoded, of some of them.
func blockBytes(s *snapshot.Snapshot, blocks []snapshot.ColdBlock, first []int) (float64, error) {
	n, all := min(len(first), 1000), 0
	for i := range n {
		raw, err := s.ReadCold(blocks[first[i*len(first)/n]])
		if err != nil {
			return 0, err
		}
		all += len(raw)
	}
	return float64(all) / float64(n), nil
}

// hotBytes is what an identifier takes in the sections that a lookup reads.
func hotBytes(s *snapshot.Snapshot) (float64, error) {
	in, err := s.Inspect(1)
	if err != nil {
		return 0, err
	}
	all := uint64(0)
	for _, sec := range in.Sections {
		if slices.Contains([]string{"filter", "table", "hot"}, sec.Tag) {
			all += uint64(sec.Bytes)
		}
	}
	return float64(all) / float64(s.Counts.Identifiers), nil
}

// lister measures one draw of customers.
type lister struct {
	c       Config
	w       *world.World
	snap    *snapshot.Snapshot
	blocks  []snapshot.ColdBlock // by person
	first   []int                // persons, one a block
	persons []int                // drawn
	names   []string             // of the persons drawn
}

// blockRoom is room for a cold block in a cache: about twice its size.
const blockRoom = 32 << 10

func (l *lister) measure(ctx context.Context, store *snapshot.Store, zipf bool) (_ []Row, err error) {
	var questions []ask.Question
	for cores := range 2 {
		questions = append(questions, ask.Question{Draw: world.Draw{Hits: 1, Zipf: zipf}, Batch: 1, Cores: cores + 1})
	}
	l.persons = drawPersons(l.w, zipf, l.c.WarmListings+l.c.Listings*l.c.Rounds*len(questions))
	for _, p := range l.persons {
		l.names = append(l.names, string(l.w.Customer(p)))
	}
	subjects := []subject{{decoding, l.decode}}
	for _, cache := range []struct {
		name  string
		bytes int64
	}{{cacheOff, -1}, {sizeName(l.c.CacheBytes), l.c.CacheBytes}, {cacheAll, blockRoom * int64(len(l.first))}} {
		e, opened := newEngine(store, l.w, cache.bytes)
		if opened != nil {
			return nil, opened
		}
		defer func() { err = errors.Join(err, e.Close()) }()
		if err := l.warm(e, cache.name); err != nil {
			return nil, err
		}
		subjects = append(subjects, subject{cache.name, func(q ask.Question, from, n int) (uint64, int, error) {
			sum, err := list(e, l.names[from:from+n], q.Cores)
			return sum, 0, err
		}})
	}
	rows, err := measure(ctx, subjects, questions, l.c.Rounds, l.c.WarmListings, l.c.Listings)
	for i := range rows {
		rows[i].Hits = hitShare(rows, &rows[i])
	}
	return rows, err
}

// hitShare is the share of listings for which no block was decoded. Decoding
// allocates a block, and nobody else does: so what a cache saves in bytes tells.
func hitShare(rows []Row, r *Row) float64 {
	off, block := find(rows, cacheOff, r.Question), find(rows, decoding, r.Question)
	if r.Cache == decoding {
		return 0
	}
	return min(1, max(0, (off.Bytes-r.Bytes)/block.Bytes))
}

// warm fills an engine's cache as the draw does, after a customer of every
// block where all have room.
func (l *lister) warm(e *engine.Engine, cache string) error {
	if cache == cacheOff {
		return nil
	}
	if cache == cacheAll {
		var names []string
		for _, p := range l.first {
			names = append(names, string(l.w.Customer(p)))
		}
		if _, err := list(e, names, 1); err != nil {
			return err
		}
	}
	_, err := list(e, l.names[:l.c.WarmListings], 1)
	return err
}

// decode reads and decodes the blocks of persons drawn.
func (l *lister) decode(q ask.Question, from, n int) (uint64, int, error) {
	err := share(n, q.Cores, func(_, a, b int) error {
		for _, p := range l.persons[from:][a:b] {
			if _, err := l.snap.ReadCold(l.blocks[p]); err != nil {
				return err
			}
		}
		return nil
	})
	return 0, 0, err
}

// list lists the identifiers of customers, and returns their lengths together.
func list(e *engine.Engine, customers []string, cores int) (sum uint64, err error) {
	sums := make([]uint64, cores)
	err = share(len(customers), cores, func(core, from, to int) error {
		s, err := e.Begin(client.Name)
		if err != nil {
			return err
		}
		defer s.End()
		for _, name := range customers[from:to] {
			l, err := s.Identifiers(world.Tenant, name)
			if err != nil {
				return err
			}
			if l.Reason != engine.Matched {
				return fmt.Errorf("customer %s of the world is answered %s", name, l.Reason)
			}
			for i := range l.Identifiers {
				sums[core] += uint64(len(l.Identifiers[i].ID))
			}
		}
		return nil
	})
	for _, s := range sums {
		sum += s
	}
	return sum, err
}

// share gives each of some goroutines its part of n.
func share(n, cores int, f func(core, from, to int) error) error {
	errs := make([]error, cores)
	var all sync.WaitGroup
	for i := range cores {
		all.Go(func() { errs[i] = f(i, i*n/cores, (i+1)*n/cores) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Customers are drawn by the law by which [world.World.Draw] draws identifiers.
const (
	zipfExponent = 1.1
	rankStep     = 4294967311 // a prime, and larger than any number of persons
)

// drawPersons draws numbers of persons. Ranks lie all over the world, so that
// those who are asked for often share no blocks but by chance.
func drawPersons(w *world.World, zipf bool, n int) []int {
	random := rand.New(rand.NewPCG(w.Seed, 11))
	law := rand.NewZipf(random, zipfExponent, 1, uint64(w.Persons()-1))
	out := make([]int, n)
	for i := range out {
		if zipf {
			out[i] = int(law.Uint64() * rankStep % uint64(w.Persons()))
		} else {
			out[i] = random.IntN(w.Persons())
		}
	}
	return out
}
