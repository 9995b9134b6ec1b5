package cachebench

import (
	"fmt"
	"io"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/ask"
)

// Markdown prints the result as two tables.
func (r *Result) Markdown(w io.Writer) {
	c := &r.Config
	fmt.Fprintf(w, "With a cache and without: %s ids; medians of %d rounds in turns; %s.\n\n```\n%s\n```\n", bench.Count(c.IDs), c.Rounds, r.Machine, c.command())
	fmt.Fprintf(w, "\nListings of customers, %s a round. They lie in %s cold blocks of %.1f KiB, %.0f MiB in all; the cache holds decoded blocks. × is by the time without a cache in the same round.\n",
		bench.Count(c.Listings), bench.Count(r.Blocks), r.BlockBytes/1024, float64(r.Blocks)*r.BlockBytes/(1<<20))
	table(w, "a listing", r.Listings, listingName)
	fmt.Fprint(w, "\nThe share of hits is told by the bytes that a cache saves, as decoding allocates a block each time.\n")
	fmt.Fprintf(w, "\nLookups by Zipf's law, %s a round, with a cache of decoded answers before matchd, which has none there. The cache of no room shows what it costs where it has not the answer; the one for all was asked everything before.\n", bench.Count(c.Lookups))
	table(w, "a lookup", r.Lookups, lookupName)
	fmt.Fprintf(w, "\nAn answer takes %.0f bytes in the cache for all, and an identifier %.0f in all that matchd reads in a lookup.\n", r.AnswerBytes, r.HotBytes)
}

func table(w io.Writer, what string, rows []Row, name func(ask.Question) string) {
	fmt.Fprintf(w, "\n| %s | cache | ns | × | cache hits | allocations | bytes |\n|---|---|--:|--:|--:|--:|--:|\n", what)
	for i := range rows {
		r := &rows[i]
		off := find(rows, cacheOff, r.Question)
		hits := fmt.Sprintf("%.0f %%", 100*r.Hits)
		if r.Cache == decoding || r.Cache == cacheOff {
			hits = ""
		}
		fmt.Fprintf(w, "| %s | %s | %s | %.2f | %s | %.1f | %s |\n", name(r.Question), r.Cache, bench.Count(int(r.Median())), r.Ratio(off), hits, r.Allocs, bench.Count(int(r.Bytes)))
	}
}

func listingName(q ask.Question) string {
	name := "uniform"
	if q.Zipf {
		name = "Zipf"
	}
	return fmt.Sprintf("%s, %s", name, cores(q))
}

func lookupName(q ask.Question) string {
	how := "one at a time"
	if q.Batch > 1 {
		how = fmt.Sprintf("batches of %d", q.Batch)
	}
	return fmt.Sprintf("%.0f %% hits, %s, %s", 100*q.Hits, how, cores(q))
}

func cores(q ask.Question) string {
	if q.Cores == 1 {
		return "1 goroutine"
	}
	return fmt.Sprintf("%d goroutines", q.Cores)
}

// sizeName names a cache by its size.
func sizeName(bytes int64) string {
	if bytes%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// command is the command line that measures the same.
func (c Config) command() string {
	return fmt.Sprintf("matchd bench cache --ids %d --seed %d --rounds %d --listings %d --lookups %d --warm-listings %d --warm-lookups %d --cache-bytes %d",
		c.IDs, c.Seed, c.Rounds, c.Listings, c.Lookups, c.WarmListings, c.WarmLookups, c.CacheBytes)
}
