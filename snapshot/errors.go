package snapshot

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrCorrupt is wrapped by every error about bytes that are not what was
// written.
var ErrCorrupt = errors.New("corrupt snapshot")

// ErrVersion is wrapped by errors about a format that this build cannot read.
var ErrVersion = errors.New("unknown snapshot format")

// CorruptError says where a snapshot is damaged. It wraps [ErrCorrupt].
type CorruptError struct {
	// File is the file's name within the snapshot.
	File string
	// Section names the section, or the sections that share the chunk.
	Section string
	// Chunk is the number of the 64 KiB chunk, Offset the place in the file
	// where it begins; both are -1 where the damage is the file's as a whole.
	Chunk, Offset int64
	// Reason says what is wrong.
	Reason string
}

func (e *CorruptError) Error() string {
	if e.Chunk < 0 {
		return fmt.Sprintf("%v: file %s, section %s: %s", ErrCorrupt, e.File, e.Section, e.Reason)
	}
	return fmt.Sprintf("%v: file %s, section %s, chunk %d (offset %d): %s",
		ErrCorrupt, e.File, e.Section, e.Chunk, e.Offset, e.Reason)
}

func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// corrupt makes an error about the byte at offset of a file; an offset below 0
// stands for the file as a whole.
func corrupt(file, section string, offset int64, format string, args ...any) error {
	e := &CorruptError{File: file, Section: section, Chunk: -1, Offset: -1, Reason: fmt.Sprintf(format, args...)}
	if offset >= 0 {
		e.Chunk = offset / ChunkSize
		e.Offset = e.Chunk * ChunkSize
	}
	return e
}

// errFault is what a read of mapped memory that is gone turns into.
var errFault = fmt.Errorf("%w: a mapped file shrank or could not be read", ErrCorrupt)

// Guard runs f and turns a memory fault in it, which is how a shrunken or
// unreadable mapped file shows, into an error that wraps [ErrCorrupt].
func Guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if !IsFault(r) {
				panic(r)
			}
			err = errFault
		}
	}()
	return f()
}

// IsFault reports whether r, from recover, is a memory fault at an address, as
// debug.SetPanicOnFault makes it, and not a mistake of the program such as a
// nil dereference.
func IsFault(r any) bool {
	e, ok := r.(interface {
		error
		Addr() uintptr
	})
	return ok && e.Addr() >= 1<<16
}
