package build

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/normalise"
	"github.com/matchd/matchd/snapshot/build/source"
	"github.com/matchd/matchd/snapshot/build/spill"
)

// rowSum adds up hashes of rows, so that it depends on which rows there are
// and how often, and not on their order.
type rowSum struct{ hi, lo, rows uint64 }

func (s *rowSum) add(h index.Hash) {
	s.hi += h.Hi
	s.lo += h.Lo
	s.rows++
}

func (s *rowSum) merge(o rowSum) {
	s.hi += o.hi
	s.lo += o.lo
	s.rows += o.rows
}

// reader runs the reading stage: rows become records of identifiers, links and
// customers, by partition of their identifiers.
type reader struct {
	cfg     *config.Config
	norm    *normalise.Normaliser
	ns      *index.Namespaces
	tracer  []bool
	ids     index.Hasher
	content index.Hasher // of rows, for the snapshot's id
	asOf    int64
	oldest  snapshot.Day // links of tracers that were last seen before are too old
	workers int
	to      *spill.Store
	codes   *codes
	rows    *atomic.Int64 // for progress
	bytes   *atomic.Int64
	live    *liveRules // nil where there are no live changes

	did    LiveReport
	former formerHashes // of all that was read
	mu     sync.Mutex
	free   []*rowWriter
	report *ReadReport
}

// maxListed is how many bad rows and warnings a report lists.
const maxListed = 100

// ReadReport says what was read.
type ReadReport struct {
	Files       []FileReport     `json:"files"`
	ProfileRows int64            `json:"profile_rows"`
	LinkRows    int64            `json:"link_rows"`
	Bad         int64            `json:"bad_rows"`
	BadRows     []source.BadRow  `json:"bad_rows_listed"` // the first of them, by file and line
	BadFields   map[string]int64 `json:"bad_fields"`      // values that were left out, by column
	Warnings    []string         `json:"warnings"`
}

// FileReport says what was read of one file.
type FileReport struct {
	File string `json:"file"`
	// Source is where its links come from.
	Source string `json:"source"`
	Rows   int64  `json:"rows"` // good ones
	Bad    int64  `json:"bad_rows"`
}

// read reads all files, some at once, and returns the sum of their rows and
// how many links were too old.
func (r *reader) read(ctx context.Context, profiles []config.ProfileFile, links []config.LinkFile) (sum rowSum, aged int64, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.workers)
	for _, f := range profiles {
		g.Go(func() error { return r.profiles(ctx, f) })
	}
	for _, f := range links {
		g.Go(func() error { return r.links(ctx, f) })
	}
	err = g.Wait()
	for _, w := range r.free {
		sum.merge(w.sum)
		aged += w.aged
		if w.did != nil {
			r.did.add(w.did)
			r.former.merge(w.former)
		}
		if err == nil {
			err = w.out.Close()
		}
	}
	r.sortReport()
	return sum, aged, err
}

// sortReport makes the report independent of the order of reading.
func (r *reader) sortReport() {
	slices.SortFunc(r.report.BadRows, func(a, b source.BadRow) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Reason, b.Reason))
	})
	r.report.BadRows = r.report.BadRows[:min(len(r.report.BadRows), maxListed)]
	slices.SortFunc(r.report.Files, func(a, b FileReport) int {
		return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Source, b.Source), cmp.Compare(a.Rows, b.Rows))
	})
	slices.Sort(r.report.Warnings)
	r.report.Warnings = r.report.Warnings[:min(len(r.report.Warnings), maxListed)]
}

// fileReader is the state of reading one file. Its methods may be called at
// once.
type fileReader struct {
	r       *reader
	options source.Options

	mu       sync.Mutex
	writers  []*rowWriter
	report   FileReport
	bad      []source.BadRow
	fields   map[string]int64
	warnings []string
}

// open reads a file: read is given the file and calls back with its rows.
func (r *reader) open(f config.File, spec *config.FileSpec, from string, total *int64, read func(*fileReader) error) error {
	fr := &fileReader{r: r, report: FileReport{File: f.Name, Source: from}, fields: map[string]int64{}}
	fr.options = source.Options{
		File: f.Name, Layout: spec.Layout, Columns: spec.Columns, Workers: r.workers, Read: r.bytes,
		Bad: fr.reject, Warn: fr.warn,
	}
	err := read(fr)
	fr.finish(total)
	if err == nil && fr.report.Rows == 0 && fr.report.Bad > 0 {
		err = fmt.Errorf("%s: none of its %d rows is good; the first: line %d: %s", f.Name, fr.report.Bad, fr.bad[0].Line, fr.bad[0].Reason)
	}
	return err
}

// finish adds what a file's reading came to to the report.
func (f *fileReader) finish(total *int64) {
	for _, w := range f.writers {
		f.report.Rows += w.rows
		f.r.rows.Add(w.rows % 1024) // which done has not told of
		w.rows = 0
	}
	slices.SortFunc(f.bad, func(a, b source.BadRow) int { return cmp.Compare(a.Line, b.Line) })
	r := f.r
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free = append(r.free, f.writers...)
	r.report.Files = append(r.report.Files, f.report)
	*total += f.report.Rows
	r.report.Bad += f.report.Bad
	r.report.BadRows = append(r.report.BadRows, f.bad[:min(len(f.bad), maxListed)]...)
	r.report.Warnings = append(r.report.Warnings, f.warnings...)
	for column, n := range f.fields {
		r.report.BadFields[column] += n
	}
}

// maxKept bounds the bad rows of a file that are kept until they are sorted.
const maxKept = 100 * maxListed

func (f *fileReader) reject(b source.BadRow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report.Bad++
	if f.bad = append(f.bad, b); len(f.bad) > maxKept {
		slices.SortFunc(f.bad, func(a, b source.BadRow) int { return cmp.Compare(a.Line, b.Line) })
		f.bad = f.bad[:maxListed]
	}
}

func (f *fileReader) warn(w source.Warning) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.warnings) < maxListed {
		f.warnings = append(f.warnings, w.String())
	}
}

func (f *fileReader) badFields(list []normalise.BadField) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range list {
		f.fields[b.Column]++
	}
}

// newWriter returns a writer of rows that are of no file yet.
func (r *reader) newWriter() *rowWriter {
	w := &rowWriter{r: r, out: r.to.Writer()}
	if r.live != nil {
		w.did, w.former = &LiveReport{}, formerHashes{}
	}
	return w
}

// writer returns a row writer for one goroutine.
func (f *fileReader) writer() *rowWriter {
	r := f.r
	r.mu.Lock()
	var w *rowWriter
	if n := len(r.free); n > 0 {
		w, r.free = r.free[n-1], r.free[:n-1]
	} else {
		w = r.newWriter()
	}
	r.mu.Unlock()
	w.file, w.cache = f, map[string]uint32{}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writers = append(f.writers, w)
	return w
}
