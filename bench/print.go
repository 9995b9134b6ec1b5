package bench

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/world"
)

// Markdown prints the result as a table for each draw: a row for each way of
// asking, a column for each target.
func (r *LookupResult) Markdown(w io.Writer) {
	limit := Median(r.Limit)
	fmt.Fprintf(w, "Lookups in process: %s ids, %s lookups a round (an eighth for targets in other processes), medians of %d rounds; %s.\n",
		Count(r.IDs), Count(r.Config.Probes), r.Config.Rounds, r.Machine)
	fmt.Fprintf(w, "Nanoseconds an id, and × the limit: one dependent random read of memory, 1 GiB in pages of 4 KiB, **%.0f ns** in this run.\n", limit)
	var last world.Draw
	for i, q := range lookupQuestions() {
		if i == 0 || q.Draw != last {
			last = q.Draw
			fmt.Fprintf(w, "\n| %s | %s |\n|---|%s\n", DrawName(q.Draw), strings.Join(r.Targets, " | "), strings.Repeat("--:|", len(r.Targets)))
		}
		fmt.Fprintf(w, "| %s |", way(q))
		for _, target := range r.Targets {
			if c := r.Find(target, q); c != nil {
				fmt.Fprintf(w, " %.0f (%.2f) |", c.Median(), c.Median()/limit)
			} else {
				fmt.Fprint(w, " |")
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nAsked one at a time, each lookup waits for the answer to the one before. Who has no call for many ids is asked for those of a batch one by one, without waiting. On 2 cores it is wall time by all ids.\n")
	fmt.Fprintf(w, "\n| | bytes by %s identifiers | by the %s mobile ids of them |\n|---|--:|--:|\n", Count(r.Identifiers), Count(r.IDs))
	for _, s := range [...]struct {
		name     string
		sections []string
	}{
		{"filter", []string{"filter"}},
		{"table", []string{"table"}},
		{"hot records, with the bits that confirm", []string{"hot"}},
		{"all that matchd reads in a lookup", hotSections},
		{"identifiers and links, for listings", []string{"cold", "coldidx"}},
		{"Go map and the same records, without customer ids as keys", []string{goMapName}},
	} {
		fmt.Fprintf(w, "| %s | %.1f | %.1f |\n", s.name, r.BytesAnID(s.sections...), float64(r.bytes(s.sections...))/float64(r.IDs))
	}
	fmt.Fprintln(w, "\nThe Go map and its records lie in pages of 4 KiB, as Go's heap does; matchd's copy asks for pages of 2 MiB, and its map has those of the files.")
	for _, s := range r.Skipped {
		fmt.Fprintf(w, "\nSkipped: %s.\n", s)
	}
}

// hotSections are those that a lookup reads.
var hotSections = []string{"filter", "table", "hot"}

// BytesAnID is the size of sections by the number of identifiers, customer ids
// included.
func (r *LookupResult) BytesAnID(sections ...string) float64 {
	return float64(r.bytes(sections...)) / float64(r.Identifiers)
}

func (r *LookupResult) bytes(sections ...string) (n int) {
	for _, s := range sections {
		n += r.Sizes[s]
	}
	return n
}

// DrawName describes a draw.
func DrawName(d world.Draw) string {
	name := fmt.Sprintf("%.0f %% hits", 100*d.Hits)
	switch d.Hits {
	case 1:
		name = "hits"
	case 0:
		name = "misses"
	}
	if d.Zipf {
		return name + ", Zipf"
	}
	return name + ", uniform"
}

// way describes how a question asks.
func way(q ask.Question) string {
	name := "one at a time"
	if q.Batch > 1 {
		name = fmt.Sprintf("batches of %d", q.Batch)
	}
	if q.Cores > 1 {
		name += fmt.Sprintf(", %d cores", q.Cores)
	}
	return name
}

// Benchmark prints every round in the format of go test -bench, for benchstat.
func (r *LookupResult) Benchmark(w io.Writer) {
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\ncpu: %s\n", runtime.GOOS, runtime.GOARCH, r.Machine.CPU)
	line := func(name string, n int, ns float64) {
		fmt.Fprintf(w, "BenchmarkLookup/ids=%d/%s-%d\t%d\t%.1f ns/op\n", r.IDs, strings.ReplaceAll(name, " ", "_"), r.Machine.Cores, n, ns)
	}
	for _, ns := range r.Limit {
		line("dependent read", r.Config.Probes, ns)
	}
	for i := range r.Cells {
		c := &r.Cells[i]
		for _, ns := range c.Rounds {
			line(c.Target+"/"+DrawName(c.Question.Draw)+"/"+way(c.Question), r.Config.Probes, ns)
		}
	}
}

// Count prints a number with commas.
func Count(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
