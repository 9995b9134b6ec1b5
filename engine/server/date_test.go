package server

import (
	"testing"
	"time"
)

// Every date is written as the standard library writes it.
func TestDates(t *testing.T) {
	const daySeconds = 24 * 60 * 60
	for day := int64(0); day <= lastTime/daySeconds; day++ {
		want := time.Unix(day*daySeconds, 0).UTC().Format(time.DateOnly)
		if got := string(appendDate([]byte("x"), day)); got != "x"+want {
			t.Fatalf("day %d: got %s, want %s", day, got, want)
		}
	}
}
