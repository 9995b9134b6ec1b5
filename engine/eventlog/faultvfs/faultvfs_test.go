package faultvfs

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestShort has one write be short without an error, and passes other errors and
// other writes on.
func TestShort(t *testing.T) {
	var next error
	broken := errors.New("broken")
	fs := Short(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !Writes(op) || !Alters(op) || Syncs(op) {
			return nil
		}
		return next
	})))
	f, err := fs.Create("file", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		inject error
		n      int
		err    error
	}{{nil, 4, nil}, {ErrShort, 2, nil}, {broken, 0, broken}, {nil, 4, nil}} {
		next = c.inject
		n, err := f.Write([]byte("four"))
		if n != c.n || !errors.Is(err, c.err) {
			t.Errorf("write %d: %d, %v", i, n, err)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
