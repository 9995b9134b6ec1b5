package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/snapshot/build"
)

// told runs a build of two stages, which tells of itself ten times a second,
// and returns what is shown of it.
func told(style progressStyle) string {
	var out strings.Builder
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	r := newProgressReporter(&out, style, func() time.Time { return now })
	for i := range int64(251) { // 25 s, 4 MB/s of 160 MB
		r.show(build.Progress{Stage: "read", Rows: i * 4000, Bytes: i * 400_000, Total: 160_000_000})
		now = now.Add(100 * time.Millisecond)
	}
	for range 121 {
		r.show(build.Progress{Stage: "write"})
		now = now.Add(100 * time.Millisecond)
	}
	r.done()
	r.done()
	return out.String()
}

func TestProgressPlain(t *testing.T) {
	want := `build: read
build: read: 400,000 rows, 40 MB of 160 MB (25 %), 4.0 MB/s, 30 s left, 10 s so far
build: read: 800,000 rows, 80 MB of 160 MB (50 %), 4.0 MB/s, 20 s left, 20 s so far
build: read: 1,000,000 rows, 100 MB, 25 s
build: write
build: write, 10 s so far
`
	if got := told(progressPlain); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A terminal has one line, drawn again five times a second; what a stage came
// to stays.
func TestProgressTerminal(t *testing.T) {
	got := told(progressTerminal)
	lines := strings.Split(got, "\n")
	if len(lines) != 3 || lines[2] != "" {
		t.Fatalf("%d lines of %q", len(lines), got)
	}
	for i, c := range []struct {
		draws     int
		some, end string
	}{
		{126, "read: 400,000 rows, 40 MB of 160 MB (25 %), 4.0 MB/s, 30 s left", "read: 1,000,000 rows, 100 MB, 25 s"},
		{61, "write", "write, 12 s"},
	} {
		draws := strings.Split(lines[i], "\r\x1b[K")[1:]
		if n := len(draws) - 1; n != c.draws {
			t.Errorf("stage %d is drawn %d times, want %d", i, n, c.draws)
		}
		if !strings.Contains(lines[i], "\x1b[K"+c.some+"\r") || draws[len(draws)-1] != c.end {
			t.Errorf("%q ends in %q, and has no %q", lines[i], draws[len(draws)-1], c.some)
		}
	}
}

func TestProgressJSON(t *testing.T) {
	var list []progressObject
	for line := range strings.Lines(told(progressJSON)) {
		dec := json.NewDecoder(strings.NewReader(line))
		dec.DisallowUnknownFields()
		var o progressObject
		if err := dec.Decode(&o); err != nil {
			t.Fatal(err)
		}
		list = append(list, o)
	}
	if len(list) != 26+1+13 {
		t.Fatalf("%d objects, want one a second of each stage, and the end of the reading", len(list))
	}
	o := list[10]
	if o.SecondsLeft == nil || fmt.Sprintf("%.0f", *o.SecondsLeft) != "30" {
		t.Errorf("time left %v, want 30 s", o.SecondsLeft)
	}
	o.SecondsLeft = nil
	if want := (progressObject{Stage: "read", Seconds: 10, Rows: 400_000, Bytes: 40_000_000, Total: 160_000_000, Rate: 4e6}); o != want {
		t.Errorf("%+v, want %+v", o, want)
	}
	if end := list[26]; !end.Done || end.Stage != "read" || end.Rows != 1_000_000 {
		t.Errorf("the reading ends with %+v", end)
	}
	if last := list[39]; last.Done || last.Stage != "write" || last.SecondsLeft != nil {
		t.Errorf("%+v", last)
	}
}

// Nothing is known of the time left before anything is read, nor where the
// size is unknown.
func TestProgressUnknown(t *testing.T) {
	for _, c := range []struct {
		p       build.Progress
		elapsed time.Duration
		want    string
	}{
		{build.Progress{Stage: "read", Total: 5000}, time.Second, "read, 0 B of 5.0 kB (0 %)"},
		{build.Progress{Stage: "read", Rows: 1, Bytes: 100, Total: 5000}, 0, "read: 1 rows, 100 B of 5.0 kB (2 %)"},
		{build.Progress{Stage: "read", Rows: 1, Bytes: 100}, time.Second, "read: 1 rows, 100 B, 100 B/s"},
		{build.Progress{Stage: "read", Rows: 1, Bytes: 5001, Total: 5000}, time.Second, "read: 1 rows, 5.0 kB of 5.0 kB (100 %), 5.0 kB/s, 0 s left"},
	} {
		if got := strings.Join(progressParts(c.p, c.elapsed), ", "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.p, got, c.want)
		}
	}
}

func TestProgressTexts(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9950: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB",
		1_400_000_000: "1.4 GB", 999_600_000_000: "1.0 TB", 12_000_000_000_000: "12.0 TB",
	} {
		if got := byteText(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0 s", 1500 * time.Millisecond: "2 s", 59 * time.Second: "59 s", 125 * time.Second: "2 min 5 s", 3780 * time.Second: "1 h 3 min",
	} {
		if got := spanText(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestProgressStyle(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if progressStyleOf(file, false) != progressPlain || progressStyleOf(new(strings.Builder), false) != progressPlain || progressStyleOf(file, true) != progressJSON {
		t.Error("a file or a text is shown progress as a terminal is")
	}
	// A pseudo-terminal is one, where the system has them.
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminal:", err)
	}
	defer pty.Close()
	if progressStyleOf(pty, false) != progressTerminal {
		t.Error("a terminal is not seen as one")
	}
}
