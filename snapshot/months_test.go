package snapshot

import (
	"testing"
	"time"
)

func TestAddMonths(t *testing.T) {
	for _, c := range []struct {
		from   string
		months int
		want   string
	}{
		{"2026-11-01", 36, "2029-11-01"},
		{"2024-02-29", 36, "2027-02-28"},
		{"2026-01-31", 1, "2026-02-28"},
		{"2026-12-31", 2, "2027-02-28"},
		{"2026-03-31", -1, "2026-02-28"},
		{"2026-10-31", 1, "2026-11-30"},
	} {
		from, err := time.Parse(time.DateOnly, c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := AddMonths(from, c.months).Format(time.DateOnly); got != c.want {
			t.Errorf("%s and %d months is %s, want %s", c.from, c.months, got, c.want)
		}
	}
}

// A link is fresh up to the day that lies so many months after it was seen,
// and once it has aged out it stays so.
func TestOldestFresh(t *testing.T) {
	start := time.Date(2023, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, months := range []int{1, 6, 13} {
		last := Day(0)
		for i := range 2000 {
			now := start.AddDate(0, 0, i)
			today, _ := DayOf(now)
			oldest := OldestFresh(now, months)
			if oldest < last {
				t.Fatalf("%d months: on %v links seen on %v are fresh again", months, today, oldest)
			}
			last = oldest
			for seen := oldest - 40; seen < oldest+40; seen++ {
				until, _ := DayOf(AddMonths(seen.Time(), months))
				if fresh := seen >= oldest; fresh != (until >= today) {
					t.Fatalf("%d months: on %v a link seen on %v, good until %v, is fresh: %t", months, today, seen, until, fresh)
				}
			}
		}
	}
}
