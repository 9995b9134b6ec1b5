package proof

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"
)

// notes are one of each kind, and how they stand in the log.
var notes = []struct {
	n    Note
	text string
}{
	{
		Note{Kind: Refused, UpTo: 9, Since: []Since{{Seq: 7, At: time.Date(2026, 11, 28, 12, 0, 0, 500, time.UTC)}}, Within: 60},
		`{"note":"refused","up_to":9,"since":[{"seq":7,"at":"2026-11-28T12:00:00.0000005Z"}],"erase_within_seconds":60}`,
	},
	{
		Note{Kind: Looked, Snapshot: &Snapshot{"20261128T000000Z-0102030405ff", []byte{1, 2}}, Applied: 7, From: 1, To: 9, Found: []uint64{7}, Held: []uint64{8, 9}},
		`{"note":"looked","snapshot":{"name":"20261128T000000Z-0102030405ff","manifest":"0102"},"applied_seq":7,"from":1,"to":9,"found":[7],"held":[8,9]}`,
	},
	{
		Note{Kind: Removed, Removed: []Snapshot{{"20261128T000000Z-0102030405ff", []byte{1, 2}}}, Erasure: 7},
		`{"note":"removed","removed":[{"name":"20261128T000000Z-0102030405ff","manifest":"0102"}],"erasure":7}`,
	},
}

// TestNotes writes and reads notes: what is written once has to be read for ever.
func TestNotes(t *testing.T) {
	for _, c := range notes {
		if got := c.n.Encode(); string(got) != c.text {
			t.Errorf("%s, not %s", got, c.text)
		}
		if got, err := DecodeNote([]byte(c.text)); err != nil || !reflect.DeepEqual(got, c.n) {
			t.Errorf("%+v: %v", got, err)
		}
	}
}

// FuzzNote reads notes, and takes none that lacks what its kind has.
func FuzzNote(f *testing.F) {
	for _, c := range notes {
		f.Add([]byte(c.text))
	}
	for _, bad := range []string{"", "{}", `{"note":"refused"}`, `{"note":"looked","from":1}`, `{"note":"removed"}`, `{"note":"refused","up_to":9,"who":"ann"}`, notes[0].text + "{}", notes[0].text + "}", notes[0].text + "]"} {
		if _, err := DecodeNote([]byte(bad)); !errors.Is(err, ErrNote) {
			f.Errorf("%s: %v", bad, err)
		}
		f.Add([]byte(bad))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := DecodeNote(b)
		if err != nil {
			return
		}
		if again, err := DecodeNote(n.Encode()); err != nil || !bytes.Equal(again.Encode(), n.Encode()) {
			t.Errorf("%s became %s: %v", b, n.Encode(), err)
		}
	})
}
