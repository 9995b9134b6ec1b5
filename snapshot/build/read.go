package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/normalise"
	"github.com/matchd/matchd/snapshot/build/source"
)

// batchRows is how many rows go from a reader to the graph together.
const batchRows = 4096

// batch is a run of normalised rows of one file. Its identifiers are numbered
// within it.
type batch struct {
	ids    []batchID
	values []byte
	links  []link
	rows   []batchRow
	sum    rowSum
}

type batchID struct {
	hash      index.Hash
	namespace index.NamespaceID
	from, to  uint32 // in values
}

type batchRow struct {
	row
	codes []string
}

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

// reader runs the reading stage.
type reader struct {
	norm    *normalise.Normaliser
	ns      *index.Namespaces
	ids     index.Hasher
	content index.Hasher // of rows, for the snapshot's id
	asOf    int64

	mu     sync.Mutex
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
	Rows int64  `json:"rows"` // good ones
	Bad  int64  `json:"bad_rows"`
}

// read reads all files, some at once, and gathers their rows into a graph.
func (r *reader) read(ctx context.Context, profiles []config.ProfileFile, links []config.LinkFile, workers int) (*graph, rowSum, error) {
	batches := make(chan *batch, workers)
	g, ctx := errgroup.WithContext(ctx)
	files, fctx := errgroup.WithContext(ctx)
	files.SetLimit(workers)
	g.Go(func() error {
		defer close(batches)
		for _, f := range profiles {
			files.Go(func() error { return r.profiles(fctx, f, batches) })
		}
		for _, f := range links {
			files.Go(func() error { return r.links(fctx, f, batches) })
		}
		return files.Wait()
	})
	out, sum := newGraph(), rowSum{}
	g.Go(func() error {
		for b := range batches {
			sum.merge(b.sum)
			if err := out.add(b); err != nil {
				return err
			}
		}
		return nil
	})
	err := g.Wait()
	slices.SortFunc(r.report.BadRows, func(a, b source.BadRow) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Reason, b.Reason))
	})
	r.report.BadRows = r.report.BadRows[:min(len(r.report.BadRows), maxListed)]
	slices.SortFunc(r.report.Files, func(a, b FileReport) int { return strings.Compare(a.File, b.File) })
	slices.Sort(r.report.Warnings)
	r.report.Warnings = r.report.Warnings[:min(len(r.report.Warnings), maxListed)]
	return out, sum, err
}

// fileReader is the state of reading one file.
type fileReader struct {
	r        *reader
	ctx      context.Context
	to       chan<- *batch
	report   FileReport
	bad      []source.BadRow
	fields   map[string]int64
	warnings []string
	codes    map[string]string // segments of the file, each kept once
	batch    *batch
}

func (r *reader) open(ctx context.Context, f config.File, to chan<- *batch, read func(*fileReader, io.Reader, source.Options) error) (err error) {
	in, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	fr := &fileReader{
		r: r, ctx: ctx, to: to, report: FileReport{File: f.Name},
		fields: map[string]int64{}, codes: map[string]string{}, batch: &batch{},
	}
	err = read(fr, in, source.Options{File: f.Name, Bad: fr.reject, Warn: fr.warn})
	if err == nil {
		err = fr.send()
	}
	if err == nil && fr.report.Rows == 0 && fr.report.Bad > 0 {
		err = fmt.Errorf("%s: none of its %d rows is good; the first: line %d: %s", f.Name, fr.report.Bad, fr.bad[0].Line, fr.bad[0].Reason)
	}
	fr.finish()
	return err
}

// finish adds what a file's reading came to to the report.
func (f *fileReader) finish() {
	r := f.r.report
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	r.Files = append(r.Files, f.report)
	r.Bad += f.report.Bad
	r.BadRows = append(r.BadRows, f.bad...)
	r.Warnings = append(r.Warnings, f.warnings...)
	for column, n := range f.fields {
		r.BadFields[column] += n
	}
}

func (f *fileReader) reject(b source.BadRow) {
	f.report.Bad++
	if len(f.bad) < maxListed {
		f.bad = append(f.bad, b)
	}
}

func (f *fileReader) warn(w source.Warning) {
	if len(f.warnings) < maxListed {
		f.warnings = append(f.warnings, w.String())
	}
}

// done counts a row and sends the batch on when it is full.
func (f *fileReader) done(content []byte) error {
	f.batch.sum.add(f.r.content.Sum(content))
	f.report.Rows++
	if len(f.batch.links)+len(f.batch.rows) < batchRows {
		return nil
	}
	return f.send()
}

func (f *fileReader) send() error {
	select {
	case f.to <- f.batch:
		f.batch = &batch{}
		return nil
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	}
}

// id adds an identifier to the batch and returns its number there.
func (f *fileReader) id(id normalise.Identifier) uint32 {
	b := f.batch
	value := f.r.ns.Value(id.Namespace, id.Key)
	from := uint32(len(b.values))
	b.values = append(b.values, value...)
	b.ids = append(b.ids, batchID{f.r.ids.Sum(id.Key), id.Namespace, from, uint32(len(b.values))})
	return uint32(len(b.ids) - 1)
}
