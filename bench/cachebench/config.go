// Package cachebench measures what a ristretto cache is worth: before the
// decoded cold blocks that listings read, where matchd has one, and before
// lookups, where it has none. A cache that does not pay where it stands, or
// would pay where none stands, shows here.
package cachebench

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/world"
)

// Config measures listings and lookups with a cache and without.
type Config struct {
	// IDs is how many mobile ids the snapshot holds. With a million, all of its
	// cold blocks fit into 64 MiB.
	IDs    int
	Seed   uint64
	Rounds int
	// Listings and Lookups are how many of them a round of each case makes.
	Listings, Lookups int
	// WarmListings and WarmLookups go before the rounds, by the same draw, so
	// that caches are as they are after a while.
	WarmListings, WarmLookups int
	// CacheBytes bounds the cache that is neither without bounds nor off.
	CacheBytes int64
	// Dir is where the data is built, in a folder of its own; empty is the
	// system's place for temporary files.
	Dir string
	// Store, if not empty, is the folder of a store that has the snapshot of
	// the world of IDs and Seed already.
	Store string
	// Log, if not nil, is told what happens.
	Log func(format string, args ...any)
}

// Default measures ten million ids: fewer fit into any cache.
func Default() Config {
	return Config{
		IDs: 10_000_000, Seed: 1, Rounds: 11, Listings: 4000, Lookups: 100_000,
		WarmListings: 50_000, WarmLookups: 1_000_000, CacheBytes: 64 << 20,
	}
}

// Validate checks the ranges.
func (c Config) Validate() error {
	if c.IDs < 1 || c.IDs > 1<<30 || c.Rounds < 1 || c.Rounds > 1<<10 {
		return fmt.Errorf("cachebench: %d ids and %d rounds: give 1 to %d ids and 1 to %d rounds", c.IDs, c.Rounds, 1<<30, 1<<10)
	}
	const most = 1 << 22
	if c.Listings < 1 || c.Listings > most || c.Lookups < batch || c.Lookups > most {
		return fmt.Errorf("cachebench: %d listings and %d lookups a round: give 1 and %d to %d", c.Listings, c.Lookups, batch, most)
	}
	if c.WarmListings < 0 || c.WarmListings > most || c.WarmLookups < 0 || c.WarmLookups > most {
		return fmt.Errorf("cachebench: %d listings and %d lookups to warm up: give 0 to %d", c.WarmListings, c.WarmLookups, most)
	}
	if c.CacheBytes < 1 {
		return fmt.Errorf("cachebench: a cache of %d bytes: give 1 at least", c.CacheBytes)
	}
	return nil
}

// Result is what a run found.
type Result struct {
	Config  Config        `json:"-"`
	Machine bench.Machine `json:"machine"`
	// Blocks is how many cold blocks there are, and BlockBytes what one
	// takes, decoded.
	Blocks     int     `json:"blocks"`
	BlockBytes float64 `json:"block_bytes"`
	Listings   []Row   `json:"listings"`
	Lookups    []Row   `json:"lookups"`
	// AnswerBytes is what an answer takes in a cache that has room for all, and
	// HotBytes what an identifier takes in all that matchd reads in a lookup.
	AnswerBytes float64 `json:"answer_bytes"`
	HotBytes    float64 `json:"hot_bytes"`
}

// Run builds the data and measures.
func (c Config) Run(ctx context.Context) (_ *Result, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	w := &world.World{IDs: c.IDs, Seed: c.Seed}
	dir, err := os.MkdirTemp(c.Dir, "matchd-cache-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	store, err := w.Open(ctx, c.Store, dir, c.Log)
	if err != nil {
		return nil, err
	}
	r := &Result{Config: c, Machine: bench.ThisMachine()}
	if err := c.listings(ctx, w, store, r); err != nil {
		return nil, fmt.Errorf("listings: %w", err)
	}
	if err := c.lookups(ctx, w, store, r); err != nil {
		return nil, fmt.Errorf("lookups: %w", err)
	}
	return r, nil
}
