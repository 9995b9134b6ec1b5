package source

import (
	"context"
	"io"
)

// Profiles reads a profile file in CSV, on the caller's goroutine alone.
func Profiles(r io.Reader, opt Options, emit func(*ProfileRow) error) error {
	return readStream(r, opt, new(ProfileRow).columns(), profileSink(func() func(*ProfileRow) error { return emit }))
}

// Links reads a link file as [Profiles] reads a profile file.
func Links(r io.Reader, opt Options, emit func(*LinkRow) error) error {
	return readStream(r, opt, new(LinkRow).columns(), linkSink(func() func(*LinkRow) error { return emit }))
}

func readStream(r io.Reader, opt Options, columns []column, newSink func() sink) error {
	l, err := opt.Layout.Of("")
	if err != nil {
		return err
	}
	opt.Workers = 1
	return readText(context.Background(), r, l, &reports{Options: opt}, columns, newSink)
}
