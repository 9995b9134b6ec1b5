package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/matchd/matchd/snapshot/build"
)

// A progressStyle is how progress is shown, and how often.
type progressStyle uint8

const (
	progressPlain    progressStyle = iota // a line when a stage begins, now and then, and when all is read
	progressTerminal                      // one line, drawn again
	progressJSON                          // an object a line
)

func (s progressStyle) every() time.Duration {
	return [...]time.Duration{10 * time.Second, 200 * time.Millisecond, time.Second}[s]
}

// progressStyleOf is how progress is shown on w.
func progressStyleOf(w io.Writer, asJSON bool) progressStyle {
	switch {
	case asJSON:
		return progressJSON
	case isTerminal(w):
		return progressTerminal
	}
	return progressPlain
}

// isTerminal reports whether w is a terminal: only those have a window size.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

// A progressReporter shows how far a build, or what works in stages as it does, is. Its methods may be called at
// once. Progress is no result: what cannot be written is let go.
type progressReporter struct {
	w     io.Writer
	style progressStyle
	now   func() time.Time
	what  string // the work, before each plain line

	mu    sync.Mutex
	last  build.Progress
	began time.Time // the stage
	shown time.Time // the last line
}

func newProgressReporter(w io.Writer, style progressStyle, now func() time.Time) *progressReporter {
	return &progressReporter{w: w, style: style, now: now, what: "build"}
}

// show takes the progress of a build, for build.Options.Progress.
func (r *progressReporter) show(p build.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	begins := p.Stage != r.last.Stage
	if begins {
		r.endStage(now)
		r.began = now
	}
	r.last = p
	if begins || now.Sub(r.shown) >= r.style.every() {
		r.shown = now
		r.write(p, now.Sub(r.began), begins)
	}
}

// done ends the last stage. Nothing is shown after it until show is called.
func (r *progressReporter) done() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endStage(r.now())
	r.last = build.Progress{}
}

// endStage says what a stage came to: on a terminal of each, elsewhere of those
// that read something.
func (r *progressReporter) endStage(now time.Time) {
	p, took := r.last, now.Sub(r.began)
	p.Total = 0
	text := func() string { return strings.Join(append(progressParts(p, 0), spanText(took)), ", ") }
	switch {
	case p.Stage == "":
	case r.style == progressTerminal:
		fmt.Fprintf(r.w, "\r\x1b[K%s\n", text())
	case p.Rows == 0:
	case r.style == progressJSON:
		o := newProgressObject(r.last, took)
		o.Done = true
		_ = json.NewEncoder(r.w).Encode(o)
	default:
		fmt.Fprintf(r.w, "%s: %s\n", r.what, text())
	}
}

func (r *progressReporter) write(p build.Progress, elapsed time.Duration, begins bool) {
	switch r.style {
	case progressJSON:
		_ = json.NewEncoder(r.w).Encode(newProgressObject(p, elapsed))
	case progressTerminal:
		fmt.Fprintf(r.w, "\r\x1b[K%s", strings.Join(progressParts(p, elapsed), ", "))
	default:
		if begins {
			fmt.Fprintf(r.w, "%s: %s\n", r.what, p.Stage)
			return
		}
		fmt.Fprintf(r.w, "%s: %s, %s so far\n", r.what, strings.Join(progressParts(p, elapsed), ", "), spanText(elapsed))
	}
}

// progressParts are what is known of a stage: rows, bytes, and, for a time that
// has passed, rate and time left.
func progressParts(p build.Progress, elapsed time.Duration) []string {
	parts := []string{p.Stage}
	if p.Rows > 0 {
		parts[0] += ":"
		parts = []string{parts[0] + " " + count(p.Rows) + " rows"}
	}
	switch {
	case p.Total > 0:
		parts = append(parts, fmt.Sprintf("%s of %s (%d %%)", byteText(p.Bytes), byteText(p.Total), int(100*float64(p.Bytes)/float64(p.Total))))
	case p.Bytes > 0:
		parts = append(parts, byteText(p.Bytes))
	}
	if rate := byteRate(p, elapsed); rate > 0 {
		parts = append(parts, byteText(int64(rate))+"/s")
	}
	if left, ok := timeLeft(p, elapsed); ok {
		parts = append(parts, spanText(left)+" left")
	}
	return parts
}

// byteRate is how many bytes a second a stage reads.
func byteRate(p build.Progress, elapsed time.Duration) float64 {
	if elapsed <= 0 {
		return 0
	}
	return float64(p.Bytes) / elapsed.Seconds()
}

func timeLeft(p build.Progress, elapsed time.Duration) (time.Duration, bool) {
	rate := byteRate(p, elapsed)
	if rate == 0 || p.Total == 0 {
		return 0, false
	}
	return time.Duration(float64(max(p.Total-p.Bytes, 0)) / rate * float64(time.Second)), true
}

// A progressObject is a progress in JSON.
type progressObject struct {
	Stage       string   `json:"stage"`
	Done        bool     `json:"done,omitempty"` // of a stage that reads: it is over
	Seconds     float64  `json:"seconds"`        // since the stage began
	Rows        int64    `json:"rows"`
	Bytes       int64    `json:"bytes"`
	Total       int64    `json:"total_bytes,omitempty"` // left out where it is not known
	Rate        float64  `json:"bytes_per_second"`
	SecondsLeft *float64 `json:"seconds_left,omitempty"`
}

func newProgressObject(p build.Progress, elapsed time.Duration) progressObject {
	o := progressObject{
		Stage: p.Stage, Seconds: elapsed.Seconds(), Rows: p.Rows, Bytes: p.Bytes, Total: p.Total, Rate: byteRate(p, elapsed),
	}
	if left, ok := timeLeft(p, elapsed); ok {
		seconds := left.Seconds()
		o.SecondsLeft = &seconds
	}
	return o
}

// byteText formats a number of bytes with two or three digits.
func byteText(n int64) string {
	v := float64(n)
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if v < 999.5 {
			if v < 9.95 && unit != "B" {
				return fmt.Sprintf("%.1f %s", v, unit)
			}
			return fmt.Sprintf("%.0f %s", v, unit)
		}
		v /= 1000
	}
	return fmt.Sprintf("%.1f TB", v)
}

// spanText formats a duration to the second.
func spanText(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
}
