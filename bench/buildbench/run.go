package buildbench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/matchd/matchd/bench"
)

// Config says what to measure.
type Config struct {
	// Data is the input of the builds that are measured beside sort.
	Data
	// Rounds is how often sort and the build take turns; the best counts. With
	// none, the input is written and not built.
	Rounds int
	// Scale is how many identifiers the builds have that show how time grows,
	// one build each.
	Scale []int
	// Memory is what a build may take, as matchd build --memory has it.
	Memory string
	// Dir is the folder to work in, empty or not there yet; "" is a new one in
	// the system's place for temporary files.
	Dir string
	// Keep leaves the input files, in the folder "data" and in "scale-N".
	Keep bool
	// Matchd is the executable to measure.
	Matchd string
	// Log, if not nil, is told what happens.
	Log func(format string, args ...any)
}

// Default measures what is published.
func Default() Config {
	return Config{
		Data:   Data{Customers: 2_000_000, Links: 10_000_000, Seed: 1},
		Rounds: 3, Scale: []int{10_000_000, 100_000_000}, Memory: "6GiB",
	}
}

// Validate checks the ranges.
func (c Config) Validate() error {
	if err := c.Data.Validate(); err != nil {
		return err
	}
	if c.Rounds < 0 {
		return fmt.Errorf("%d rounds: give how many, or 0 for none", c.Rounds)
	}
	if c.Rounds == 0 && len(c.Scale) == 0 && !c.Keep {
		return errors.New("nothing to measure and nothing to keep: give rounds or a scale")
	}
	for _, n := range c.Scale {
		if n < 1 {
			return fmt.Errorf("a scale of %d identifiers: give one at least", n)
		}
		if err := ForIdentifiers(n, c.Seed).Validate(); err != nil {
			return fmt.Errorf("a scale of %d identifiers: %w", n, err)
		}
	}
	return nil
}

// Result is what a run found.
type Result struct {
	Config  Config        `json:"-"`
	Machine bench.Machine `json:"machine"`
	Sizes   Sizes         `json:"input_bytes"`
	// Cached is the share of the input that the system had in memory before
	// the first round; negative is unknown.
	Cached float64 `json:"cached"`
	Sort   []Usage `json:"sort"`
	Builds []Build `json:"builds"`
	Scale  []Scale `json:"scale"`
	// Skipped says what was not measured, and why.
	Skipped []string `json:"skipped"`
}

// Scale is a build of the growing ones.
type Scale struct {
	Data   Data    `json:"data"`
	Sizes  Sizes   `json:"input_bytes"`
	Cached float64 `json:"cached"`
	Build  Build   `json:"build"`
}

// Run measures. Where it fails, the result has what was measured before.
func (c Config) Run(ctx context.Context) (_ *Result, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	w, err := openWork(c.Dir, c.Keep)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if c.Keep {
		c.Log("the input files stay in %s", w.dir)
	}
	r := &Result{Config: c, Machine: bench.ThisMachine(), Cached: -1}
	if err := c.besideSort(ctx, w, r); err != nil {
		return r, err
	}
	return r, c.growth(ctx, w, r)
}

// besideSort writes the input and lets sort and the build take turns.
func (c Config) besideSort(ctx context.Context, w *work, r *Result) (err error) {
	if !w.fits(c.Data) {
		r.skip("the build of %s links: %s", count(c.Links), w.lacks(c.Data))
		return nil
	}
	dir, done := w.input("data")
	defer func() { err = errors.Join(err, done()) }()
	if r.Sizes, err = c.write(ctx, c.Data, dir); err != nil {
		return err
	}
	sort, missing := findSort(ctx)
	if missing != "" && c.Rounds > 0 {
		r.skip("sort: %s", missing)
	}
	links := filepath.Join(dir, LinksFile)
	for round := range c.Rounds {
		settle()
		if round == 0 {
			r.Cached = cached(dir, r.Sizes)
		}
		if sort != "" {
			c.Log("round %d of %d: sort", round+1, c.Rounds)
			u, err := runSort(ctx, sort, links, w.dir)
			if err != nil {
				return err
			}
			r.Sort = append(r.Sort, u)
			settle()
		}
		c.Log("round %d of %d: matchd build, --memory %s", round+1, c.Rounds, c.Memory)
		b, err := c.build(ctx, c.Data, dir, w.dir)
		if err != nil {
			return err
		}
		r.Builds = append(r.Builds, b)
	}
	return nil
}

// growth builds more and more identifiers.
func (c Config) growth(ctx context.Context, w *work, r *Result) error {
	for _, n := range c.Scale {
		d := ForIdentifiers(n, c.Seed)
		if !w.fits(d) {
			r.skip("the build of %s identifiers: %s", count(n), w.lacks(d))
			continue
		}
		s, err := c.scale(ctx, w, d, fmt.Sprintf("scale-%d", n))
		if err != nil {
			return fmt.Errorf("build of %d identifiers: %w", n, err)
		}
		r.Scale = append(r.Scale, s)
	}
	return nil
}

func (c Config) scale(ctx context.Context, w *work, d Data, name string) (s Scale, err error) {
	dir, done := w.input(name)
	defer func() { err = errors.Join(err, done()) }()
	s.Data = d
	if s.Sizes, err = c.write(ctx, d, dir); err != nil {
		return s, err
	}
	settle()
	s.Cached = cached(dir, s.Sizes)
	c.Log("matchd build, --memory %s", c.Memory)
	s.Build, err = c.build(ctx, d, dir, w.dir)
	return s, err
}

// write writes an input.
func (c Config) write(ctx context.Context, d Data, dir string) (Sizes, error) {
	c.Log("writing %s customers and %s links", count(d.Customers), count(d.Links))
	start := time.Now()
	s, err := d.Write(ctx, dir)
	if took := time.Since(start); err == nil {
		c.Log("wrote %s, %.2f GB in %.1f s, %.0f MB/s", filepath.Base(dir), gb(s.total()), took.Seconds(), float64(s.total())/1e6/took.Seconds())
	}
	return s, err
}

// cached is the share of an input that the system has in memory; negative is
// unknown.
func cached(dir string, s Sizes) float64 {
	sum := int64(0)
	for _, file := range []string{CustomersFile, LinksFile} {
		n, known := cachedBytes(filepath.Join(dir, file))
		if !known {
			return -1
		}
		sum += n
	}
	return min(1, float64(sum)/float64(s.total())) // the last page of a file is a whole one
}

func (s Sizes) total() int64 { return s.Customers + s.Links }

// Measured reports whether there is anything in the result.
func (r *Result) Measured() bool { return len(r.Builds)+len(r.Scale)+len(r.Skipped) > 0 }

func (r *Result) skip(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.Skipped = append(r.Skipped, text)
	r.Config.Log("skipped: %s", text)
}

// work is the folder that a run works in.
type work struct {
	dir  string
	made bool // and so to be removed
	keep bool
}

func openWork(dir string, keep bool) (*work, error) {
	if dir == "" {
		dir, err := os.MkdirTemp("", "matchd-bench-")
		return &work{dir, true, keep}, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	switch list, err := os.ReadDir(dir); {
	case errors.Is(err, os.ErrNotExist):
		return &work{dir, true, keep}, os.MkdirAll(dir, 0o755)
	case err != nil:
		return nil, err
	case len(list) > 0:
		return nil, fmt.Errorf("folder %s is not empty: give another, or remove what it holds", dir)
	}
	return &work{dir, false, keep}, nil
}

// input is the folder of an input, and how to be done with it.
func (w *work) input(name string) (dir string, done func() error) {
	dir = filepath.Join(w.dir, name)
	return dir, func() error {
		if w.keep {
			return nil
		}
		return os.RemoveAll(dir)
	}
}

func (w *work) close() error {
	if w.keep || !w.made {
		return nil
	}
	return os.RemoveAll(w.dir)
}

// fits reports whether there is room to build d, or nobody knows.
func (w *work) fits(d Data) bool {
	free, known := freeSpace(w.dir)
	return !known || free >= d.space()
}

func (w *work) lacks(d Data) string {
	free, _ := freeSpace(w.dir)
	return fmt.Sprintf("it takes up to %.1f GB of disk, and %.1f GB are free", gb(d.space()), gb(free))
}
