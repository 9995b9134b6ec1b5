package buildbench

import (
	"context"
	"errors"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// pieceRows is how many rows are drawn at once, about a megabyte.
const pieceRows = 8192

// writeRows writes a header and the rows numbered from 0 to a new file, and
// returns its size. All cores draw, each its own pieces, which are written in
// their order. appendRow is called by several goroutines.
func writeRows(ctx context.Context, path, header string, rows int, appendRow func(dst []byte, row int) []byte) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(header); err != nil {
		return 0, err
	}
	size = int64(len(header))
	pieces := (rows + pieceRows - 1) / pieceRows
	g, ctx := errgroup.WithContext(ctx)
	lanes := make([]lane, min(runtime.GOMAXPROCS(0), max(pieces, 1)))
	for i := range lanes {
		lanes[i] = newLane()
		g.Go(func() error {
			for at := i; at < pieces; at += len(lanes) {
				if err := lanes[i].draw(ctx, at*pieceRows, min(rows, (at+1)*pieceRows), appendRow); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for at := range pieces {
			n, err := lanes[at%len(lanes)].write(ctx, f)
			size += int64(n)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return size, g.Wait()
}

// lane hands pieces of one drawing goroutine to the writing one, and their
// buffers back.
type lane struct{ full, empty chan []byte }

func newLane() lane {
	l := lane{make(chan []byte, 2), make(chan []byte, 2)}
	l.empty <- nil
	l.empty <- nil
	return l
}

// draw draws the rows from first to before end.
func (l lane) draw(ctx context.Context, first, end int, appendRow func([]byte, int) []byte) error {
	select {
	case b := <-l.empty:
		b = b[:0]
		for row := first; row < end; row++ {
			b = appendRow(b, row)
		}
		l.full <- b // there is room for every buffer
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write writes the next piece.
func (l lane) write(ctx context.Context, f *os.File) (int, error) {
	select {
	case b := <-l.full:
		n, err := f.Write(b)
		l.empty <- b
		return n, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
