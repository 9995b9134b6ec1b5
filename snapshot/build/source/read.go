package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
)

// ReadLinks reads the link file at path, or standard input where path is "-",
// with up to opt.Workers goroutines. It calls worker once in each of them;
// what worker returns is called with each good row that the goroutine reads.
// In which order, and by which of them, is not certain; which rows, reports and
// errors there are does not depend on the number of workers.
//
// The error is that of the file, or what a function of worker returned, as it
// is. Rows before the place of an error have then been handed out.
func ReadLinks(ctx context.Context, path string, opt Options, worker func() func(*LinkRow) error) error {
	return readFile(ctx, path, opt, new(LinkRow).columns(), linkSink(worker))
}

// ReadProfiles reads a profile file as [ReadLinks] reads a link file.
func ReadProfiles(ctx context.Context, path string, opt Options, worker func() func(*ProfileRow) error) error {
	return readFile(ctx, path, opt, new(ProfileRow).columns(), profileSink(worker))
}

// A sink is where one goroutine's rows go: their values into the columns, and
// then a call of emit.
type sink struct {
	columns []column
	emit    func(line int) error
}

func linkSink(worker func() func(*LinkRow) error) func() sink {
	return func() sink {
		row, f := new(LinkRow), worker()
		return sink{row.columns(), func(line int) error {
			row.Line = line
			return f(row)
		}}
	}
}

func profileSink(worker func() func(*ProfileRow) error) func() sink {
	return func() sink {
		row, f := new(ProfileRow), worker()
		return sink{row.columns(), func(line int) error {
			row.Line = line
			return f(row)
		}}
	}
}

// readFile opens a file and reads its rows.
func readFile(ctx context.Context, path string, opt Options, columns []column, newSink func() sink) error {
	l, err := opt.Layout.Of(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", opt.File, err)
	}
	in, err := openInput(path, &opt)
	if err != nil {
		return fmt.Errorf("read %s: %w", opt.File, err)
	}
	rep := &reports{Options: opt}
	if l.Format == Parquet {
		err = in.readParquet(ctx, l, rep, columns, newSink)
	} else {
		err = in.readText(ctx, l, rep, columns, newSink)
	}
	if changed := in.close(err == nil && l.Format != Parquet); changed != nil {
		return errors.Join(err, fmt.Errorf("read %s: %w", opt.File, changed))
	}
	return err
}

// readText reads a file that is lines of text.
func (in *input) readText(ctx context.Context, l Layout, rep *reports, columns []column, newSink func() sink) error {
	packed, done, err := in.plain(l.Compression)
	if err != nil {
		return rep.fail(1, "%w", err)
	}
	defer done()
	return readText(ctx, packed, l, rep, columns, newSink)
}

func readText(ctx context.Context, r io.Reader, l Layout, rep *reports, columns []column, newSink func() sink) error {
	text := bufio.NewReader(decode(r, l.Encoding))
	start, err := text.Peek(4)
	if err != nil && err != io.EOF {
		return rep.fail(1, "%w", err)
	}
	switch {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		_, _ = text.Discard(3) // they are in the buffer
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return rep.fail(1, "the file is UTF-16; say encoding: utf-16, or save it as UTF-8")
	case string(start) == parquetMagic:
		return rep.fail(1, "the file is Parquet; say format: parquet, or name it so")
	}
	if l.Format == NDJSON {
		return readNDJSON(ctx, text, l, rep, columns, newSink)
	}
	return readCSV(ctx, text, l, rep, columns, newSink)
}

// run calls work in up to workers goroutines, with a sink each. Errors of
// the input, which work marks as inputError, are put into their place by at.
func run(ctx context.Context, workers int, newSink func() sink, work func(context.Context, sink) error, at func(error) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for range max(workers, 1) {
		g.Go(func() error { return work(ctx, newSink()) })
	}
	err := g.Wait()
	var in inputError
	if errors.As(err, &in) {
		return at(in.error)
	}
	return err
}

// An inputError is one of reading the text, and not of a row.
type inputError struct{ error }

// blocks calls f with each block, until there is none.
func (f *framer) blocks(ctx context.Context, do func(block) error) error {
	var buf []byte
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b, err := f.next(buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return inputError{err}
		}
		if err := do(b); err != nil {
			return err
		}
		buf = b.text[:0]
	}
}
