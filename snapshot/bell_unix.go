//go:build unix

package snapshot

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// bell is a pipe that a goroutine writes to and then waits for as it would for
// the network. It goes on when the scheduler has run what could run and has
// looked at the network.
type bell struct {
	r, w *os.File
	conn syscall.RawConn // of r
	hear func(fd uintptr) bool
	rung bool
	one  [1]byte
}

// newBell returns nil where there can be none.
func newBell() *bell {
	r, w, err := os.Pipe()
	if err != nil {
		return nil
	}
	return bellOf(r, w)
}

// bellOf makes a bell of the ends of a pipe, which it closes when it cannot.
func bellOf(r, w *os.File) *bell {
	b := &bell{r: r, w: w}
	var err error
	if b.conn, err = r.SyscallConn(); err != nil {
		b.close()
		return nil
	}
	b.hear = b.listen
	return b
}

// listen is called with the reading end until it returns true; when it does
// not, it is called again after there was something to read.
func (b *bell) listen(fd uintptr) bool {
	if !b.rung {
		_, err := b.w.Write(b.one[:])
		b.rung = err == nil
		return err != nil
	}
	_, err := unix.Read(int(fd), b.one[:])
	return err != unix.EAGAIN
}

// wait lets others run. It reports whether it could; once it could not, there may
// be a byte left in the pipe, and the bell is of no more use.
func (b *bell) wait() bool {
	b.rung = false
	return b.conn.Read(b.hear) == nil && b.rung
}

func (b *bell) close() {
	_ = b.r.Close()
	_ = b.w.Close()
}
