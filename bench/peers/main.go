// Command peers holds the bench's data in a store that one could use instead of
// matchd, and answers how long lookups in it take. It is a module of its own, so
// that matchd links none of these libraries; package bench/peer runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/matchd/matchd/bench/peer"
	"github.com/matchd/matchd/bench/world"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run() error {
	h := &holder{world: &world.World{}}
	flag.StringVar(&h.name, "peer", "", "the store to hold the data in: pebble, badger or bbolt")
	flag.StringVar(&h.from, "store", "", "the folder of the world's store")
	flag.IntVar(&h.world.IDs, "ids", 0, "how many mobile ids the world has")
	flag.Uint64Var(&h.world.Seed, "seed", 0, "the world's seed")
	flag.StringVar(&h.dir, "dir", "", "a folder for the store's files, absent or empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	defer h.close()
	return peer.Serve(ctx, os.Stdin, os.Stdout, h)
}
