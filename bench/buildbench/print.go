package buildbench

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// Markdown prints the result as tables, with what it was measured on and how to
// make it again. It holds no path and no name of a host.
func (r *Result) Markdown(w io.Writer) {
	fmt.Fprintf(w, "# How fast a build is\n\nOn %d cores of %s, %s, %s", r.Machine.Cores, r.Machine.CPU, r.Machine.OS, r.Machine.Go)
	if r.Machine.Commit != "" {
		fmt.Fprintf(w, ", commit %s", r.Machine.Commit)
	}
	fmt.Fprintf(w, ", by\n\n```\n%s\n```\n", r.Config.command())
	if len(r.Builds) > 0 {
		r.printBesideSort(w)
	}
	if len(r.Scale) > 0 {
		r.printGrowth(w)
	}
	for i, text := range r.Skipped {
		if i == 0 {
			fmt.Fprintf(w, "\nSkipped:\n\n")
		}
		fmt.Fprintf(w, "- %s\n", text)
	}
}

// command is the command line that measures the same.
func (c Config) command() string {
	scale := strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Scale), " ", ","), "[]")
	return fmt.Sprintf("matchd bench build --customers %d --links %d --seed %d --rounds %d --scale %s --memory %s",
		c.Customers, c.Links, c.Seed, c.Rounds, cmp.Or(scale, "0"), c.Memory)
}

func (r *Result) printBesideSort(w io.Writer) {
	c := &r.Config
	fmt.Fprintf(w, "\n## Beside sort\n\n%s links (%.2f GB) and %s customers (%.2f GB). Each is a process of its own, in turns; the best of %d counts.\n",
		count(c.Links), gb(r.Sizes.Links), count(c.Customers), gb(r.Sizes.Customers), c.Rounds)
	fmt.Fprintf(w, "%s The build verifies, syncs and publishes; sort does not sync.\n", warmth(r.Cached))
	fmt.Fprintf(w, "\n| | seconds | × sort | CPU seconds | peak resident GiB | seconds of each round |\n|---|--:|--:|--:|--:|---|\n")
	builds := make([]Usage, len(r.Builds))
	for i := range r.Builds {
		builds[i] = r.Builds[i].Usage
	}
	if len(r.Sort) > 0 {
		name := fmt.Sprintf("%s sort %s", strings.Join(sortLocale, " "), strings.Join(sortArgs, " "))
		printUsages(w, "`"+name+"` of the links alone", r.Sort, r.Sort)
	}
	printUsages(w, "`matchd build --memory "+c.Memory+"` of all", builds, r.Sort)
	b := &r.Builds[best(builds)]
	fmt.Fprintf(w, "\nThe snapshot: %s identifiers of %s persons in %.2f GB, %.1f bytes an identifier; %.2f GB were spilled.\n",
		count(b.Identifiers), count(b.Persons), gb(b.Bytes), float64(b.Bytes)/float64(b.Identifiers), gb(b.Spilled))
	fmt.Fprintf(w, "Stages of the best round: %s.\n", stageList(b.Stages))
}

// printUsages prints a row about the best of the rounds.
func printUsages(w io.Writer, name string, rounds, sort []Usage) {
	u, times := rounds[best(rounds)], "unknown"
	if len(sort) > 0 {
		times = fmt.Sprintf("%.2f", u.Wall.Seconds()/sort[best(sort)].Wall.Seconds())
	}
	walls := make([]string, len(rounds))
	for i := range rounds {
		walls[i] = fmt.Sprintf("%.1f", rounds[i].Wall.Seconds())
	}
	fmt.Fprintf(w, "| %s | %.1f | %s | %.1f | %s | %s |\n",
		name, u.Wall.Seconds(), times, u.CPU.Seconds(), gib(u.Peak), strings.Join(walls, ", "))
}

func (r *Result) printGrowth(w io.Writer) {
	fmt.Fprintf(w, "\n## As the data grows\n\nOne build each with `--memory %s`; × is over the first row.\n", r.Config.Memory)
	fmt.Fprintf(w, "\n| identifiers (×) | customers, links | input GB | in the page cache | seconds (×) | CPU seconds | peak resident GiB | spilled GB | snapshot GB |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	first := &r.Scale[0].Build
	for i := range r.Scale {
		s := &r.Scale[i]
		b := &s.Build
		fmt.Fprintf(w, "| %s (%.2f) | %s, %s | %.2f | %s | %.1f (%.2f) | %.1f | %s | %.2f | %.2f |\n",
			count(b.Identifiers), float64(b.Identifiers)/float64(first.Identifiers),
			count(s.Data.Customers), count(s.Data.Links), gb(s.Sizes.total()), share(s.Cached),
			b.Wall.Seconds(), b.Wall.Seconds()/first.Wall.Seconds(), b.CPU.Seconds(), gib(b.Peak), gb(b.Spilled), gb(b.Bytes))
	}
	for i := range r.Scale {
		b := &r.Scale[i].Build
		fmt.Fprintf(w, "\nStages with %s identifiers: %s.\n", count(b.Identifiers), stageList(b.Stages))
	}
}

// best is the place of the one that took the least time.
func best(list []Usage) int {
	at := 0
	for i := range list {
		if list[i].Wall < list[at].Wall {
			at = i
		}
	}
	return at
}

func stageList(stages []Stage) string {
	list := make([]string, len(stages))
	for i, s := range stages {
		list[i] = fmt.Sprintf("%s %.1f s", s.Name, s.Took.Seconds())
	}
	return strings.Join(list, ", ")
}

// warmth says what of the input was in memory.
func warmth(cached float64) string {
	if cached < 0 {
		return "The input was written just before; how much of it is in the page cache is not known."
	}
	return fmt.Sprintf("The input was written just before: %s of it is in the page cache.", share(cached))
}

func share(cached float64) string {
	if cached < 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.0f %%", 100*cached)
}

func gb(bytes int64) float64 { return float64(bytes) / 1e9 }

func gib(bytes int64) string {
	if bytes == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.2f", float64(bytes)/(1<<30))
}

// count formats n with its thousands apart.
func count[N int | int64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
