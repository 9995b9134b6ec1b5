package bench

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// Machine is what a result was measured on.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	OS     string `json:"os"`
	Go     string `json:"go"`
	Commit string `json:"commit,omitempty"`
}

// ThisMachine describes the machine and the build.
func ThisMachine() Machine {
	m := Machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), OS: runtime.GOOS, Go: runtime.Version()}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				m.CPU = strings.TrimSpace(strings.TrimLeft(name, "\t :"))
				break
			}
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				m.Commit = s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return m
}

// Markdown prints the result as a table. The limit is one dependent random
// read of memory; "× limit" is a time over that of the limit in the same run.
func (r *LookupResult) Markdown(w io.Writer) {
	fmt.Fprintf(w, "%d ids, %d uniform lookups a round, median of %d rounds; %d cores of %s, %s, %s",
		r.IDs, r.Config.Probes, r.Config.Rounds, r.Machine.Cores, r.Machine.CPU, r.Machine.OS, r.Machine.Go)
	if r.Machine.Commit != "" {
		fmt.Fprintf(w, ", commit %s", r.Machine.Commit)
	}
	fmt.Fprintf(w, "\n\n| case | ns an id | × limit |\n|---|--:|--:|\n")
	limit := r.median(caseLimit)
	for _, t := range r.Timings {
		fmt.Fprintf(w, "| %s | %.0f | %.2f |\n", t.Name, t.Median(), t.Median()/limit)
	}
	fmt.Fprintf(w, "\nFilter and table: %.2f bytes an id.\n", r.Index)
}

func (r *LookupResult) median(name string) float64 {
	for _, t := range r.Timings {
		if t.Name == name {
			return t.Median()
		}
	}
	return 0
}

// Benchmark prints every round in the format of go test -bench, for benchstat.
func (r *LookupResult) Benchmark(w io.Writer) {
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\ncpu: %s\n", runtime.GOOS, runtime.GOARCH, r.Machine.CPU)
	for _, t := range r.Timings {
		name := strings.ReplaceAll(t.Name, " ", "_")
		for _, ns := range t.Rounds {
			fmt.Fprintf(w, "BenchmarkLookup/ids=%d/%s-%d\t%d\t%.1f ns/op\n", r.IDs, name, r.Machine.Cores, r.Config.Probes, ns)
		}
	}
}
