package snapshot

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// slowTime is what ParseTime says without its short cut.
func slowTime(s string) (time.Time, bool) {
	if len(s) == len(time.DateOnly) {
		t, err := time.Parse(time.DateOnly, s)
		return t, err == nil
	}
	t, err := time.Parse(time.RFC3339, s)
	return t.UTC(), err == nil && s[13] == ':' && s[19] != ','
}

func checkTime(t interface{ Fatalf(string, ...any) }, s string) {
	got, err := ParseTime(s)
	want, ok := slowTime(s)
	// The times themselves are compared, down to what they hold of a zone.
	if ok != (err == nil) || ok && got != want {
		t.Fatalf("%q: %v, %v; the time package says %v, %t", s, got, err, want, ok)
	}
}

// Each day of the calendar, and the days that there are not.
func TestParseTimeOfEachDay(t *testing.T) {
	two := func(n int) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }
	for year := range 10_000 {
		if year > 500 && year < 1890 || year > 2410 && year < 9890 {
			continue // 400 years have all there is
		}
		for month := range 14 {
			for _, day := range []int{0, 1, 2, 15, 28, 29, 30, 31, 32} {
				checkTime(t, two(year/100)+two(year%100)+"-"+two(month)+"-"+two(day))
			}
		}
	}
}

// Texts that are times, or were before one byte or two changed, are read as
// the time package reads them.
func TestParseTimeIsThatOfTheTimePackage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-1e11, 1e11).Draw(t, "seconds"), 0).UTC()
		layout := rapid.SampledFrom([]string{
			time.DateOnly, "2006-01-02T15:04:05Z", "2006-01-02T15:04:05Z", "2006-01-02T15:04:05.000Z", "2006-01-02T15:04:05+02:00",
		}).Draw(t, "layout")
		s := []byte(strings.Replace(at.Format(layout), "+02:00", "+01:30", 1))
		checkTime(t, string(s))
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			place := rapid.IntRange(0, len(s)-1).Draw(t, "place")
			s[place] = rapid.SampledFrom([]byte("0123456789012345678901234567899-:TtZz .,/+\xff")).Draw(t, "byte")
		}
		checkTime(t, string(s))
	})
}

func BenchmarkParseTime(b *testing.B) {
	for _, s := range []string{"2026-11-21", "2026-11-21T10:00:00Z", "2026-11-21T10:00:00+01:00"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseTime(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"2026-11-21", "2026-11-21T00:00:00Z"},
		{"2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"},
		{"2026-11-21T10:00:00.25+02:00", "2026-11-21T08:00:00.25Z"},
		{"", ""},
		{"2026-02-30", ""},
		{"2026-1-1", ""},
		{"20261121", ""},
		{"2026-11-21 10:00:00Z", ""},
		{"2026-11-21T10:00:00", ""},
		{"2026-11-21T1:00:00Z", ""},
		{"2026-11-21T10:00:00,5Z", ""},
		{"2026-11-21T24:00:00Z", ""},
		{"1795255200", ""},
	} {
		got, err := ParseTime(c.in)
		if c.want == "" {
			if err != errTime {
				t.Errorf("%q: %v, error %v, want %v", c.in, got, err, errTime)
			}
			continue
		}
		if err != nil || got.Format(time.RFC3339Nano) != c.want {
			t.Errorf("%q: %v, error %v, want %s", c.in, got, err, c.want)
		}
	}
}
