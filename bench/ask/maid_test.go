package ask

import (
	"bytes"
	"testing"

	"github.com/matchd/matchd/bench/world"
)

// What a world writes is read back, in capitals too; whatever is not such a
// text is refused, one changed byte included.
func TestParseMAID(t *testing.T) {
	w := &world.World{IDs: 1, Seed: 7}
	for i := range 200 {
		text, want := w.AppendText(nil, i), w.UUID(i)
		if u, ok := ParseMAID(text); !ok || u != want {
			t.Fatalf("%s is read as %x, %t", text, u, ok)
		}
		capitals := append([]byte("maid:"), bytes.ToUpper(text[len("maid:"):])...)
		if u, ok := ParseMAID(capitals); !ok || u != want {
			t.Fatalf("%s is read as %x, %t", capitals, u, ok)
		}
	}
	good := w.AppendText(nil, 0)
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] = 'x'
		if _, ok := ParseMAID(bad); ok {
			t.Errorf("%s is read", bad)
		}
	}
	for n := range len(good) {
		if _, ok := ParseMAID(good[:n]); ok {
			t.Errorf("%s is read", good[:n])
		}
	}
	if _, ok := ParseMAID(append(good, '0')); ok {
		t.Error("a text too long is read")
	}
}
