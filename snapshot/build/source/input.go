package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Stdin is the path that means standard input.
const Stdin = "-"

// maxWindow is the most that a zstd file can make its reader hold, in bytes:
// what zstd --long asks for.
const maxWindow = 128 << 20

// bufferSize is how much of a compressed file is read at once, in bytes.
const bufferSize = 256 << 10

// An input is a file, or standard input, that is open for reading.
type input struct {
	r        io.Reader
	file     *os.File // nil for standard input
	path     string
	before   os.FileInfo // when it was opened; nil unless it is a regular file
	read     int64
	progress *atomic.Int64
}

// openInput opens the file at path, or standard input.
func openInput(path string, opt *Options) (*input, error) {
	in := &input{path: path, progress: opt.Read}
	if in.progress == nil {
		in.progress = new(atomic.Int64)
	}
	if path == Stdin {
		in.r = os.Stdin
		if opt.Stdin != nil {
			in.r = opt.Stdin
		}
		return in, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder; name the files in it", opt.File)
	}
	if err != nil {
		_ = file.Close() // nothing was done with it
		return nil, err
	}
	in.r, in.file = file, file
	if info.Mode().IsRegular() {
		in.before = info
	}
	return in, nil
}

// Read counts what is read.
func (in *input) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	in.read += int64(n)
	in.progress.Add(int64(n))
	return n, err
}

// close closes the file. It returns an error where the file is not the one
// that was opened, or, where whole is set, was not read to its end.
func (in *input) close(whole bool) error {
	if in.file == nil {
		return nil
	}
	err := in.changed(whole)
	return errors.Join(err, in.file.Close())
}

func (in *input) changed(whole bool) error {
	if in.before == nil {
		return nil
	}
	after, err := in.file.Stat()
	if err != nil {
		return err
	}
	now, err := os.Stat(in.path)
	switch was := in.before; {
	case err != nil:
		return fmt.Errorf("the file was removed while it was read: %w", err)
	case !os.SameFile(was, now):
		return errors.New("another file took its place while it was read; build again when it is complete")
	case was.Size() != after.Size():
		return fmt.Errorf("the file changed while it was read, from %d to %d bytes; build again when it is complete", was.Size(), after.Size())
	case !was.ModTime().Equal(after.ModTime()):
		return fmt.Errorf("the file changed while it was read, at %s; build again when it is complete", after.ModTime().UTC().Format(time.RFC3339))
	case whole && in.read != was.Size():
		return fmt.Errorf("%d bytes of the file were read, and it has %d; build again when it is complete", in.read, was.Size())
	}
	return nil
}

// plain returns the file without its compression, and what to call when it
// has been read.
func (in *input) plain(c Compression) (io.Reader, func(), error) {
	raw := bufio.NewReaderSize(in, bufferSize)
	start, err := raw.Peek(4)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	if c == AutoCompression {
		c = magicOf(start)
	}
	if c == Plain {
		return raw, func() {}, nil
	}
	if len(start) == 0 {
		return nil, nil, fmt.Errorf("the file is empty, which no %v file is", c)
	}
	if c == Gzip {
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, nil, damaged(c, err)
		}
		return &unpacked{z, c}, func() { _ = z.Close() }, nil // it has nothing to report that Read has not
	}
	z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, nil, damaged(c, err)
	}
	return &unpacked{z, c}, z.Close, nil
}

// magicOf returns the compression of a file that starts so.
func magicOf(start []byte) Compression {
	switch {
	case bytes.HasPrefix(start, []byte("\x1f\x8b")):
		return Gzip
	case bytes.HasPrefix(start, []byte("\x28\xb5\x2f\xfd")):
		return Zstd
	}
	return Plain
}

// unpacked says of errors that they are the compression's.
type unpacked struct {
	r io.Reader
	c Compression
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if err != nil && err != io.EOF {
		err = damaged(u.c, err)
	}
	return n, err
}

func damaged(c Compression, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return fmt.Errorf("the file is cut off: its %v data has no end: %w", c, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("%v: %w", c, err)
}
