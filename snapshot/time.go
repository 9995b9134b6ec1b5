package snapshot

import (
	"errors"
	"time"
)

var errTime = errors.New("not a time as 2026-11-21T10:00:00Z or a date as 2026-11-21")

// ParseTime reads a time of the input files: RFC 3339, or YYYY-MM-DD as the
// start of that day in UTC. The error does not repeat s.
func ParseTime(s string) (time.Time, error) {
	if t, ok := utcTime(s); ok {
		return t, nil
	}
	if len(s) == len(time.DateOnly) {
		return time.Time{}, errTime
	}
	t, err := time.Parse(time.RFC3339, s)
	// The time package lets an hour of one digit and a comma before the
	// fraction pass, which RFC 3339 does not.
	if err != nil || s[13] != ':' || s[19] == ',' {
		return time.Time{}, errTime
	}
	return t.UTC(), nil
}

// utcTime reads YYYY-MM-DD and YYYY-MM-DDTHH:MM:SSZ, which are nearly all times
// of a file, a tenth of the cost of time.Parse.
func utcTime(s string) (time.Time, bool) {
	date := len(s) == len("2026-11-21")
	if !date && len(s) != len("2026-11-21T10:00:00Z") || s[4] != '-' || s[7] != '-' {
		return time.Time{}, false
	}
	year := 100*twoDigits(s[0], s[1]) + twoDigits(s[2], s[3])
	month, day := twoDigits(s[5], s[6]), twoDigits(s[8], s[9])
	if year < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return time.Time{}, false
	}
	seconds := 86400 * daysSince1970(year, month, day)
	if !date {
		hour, minute, second := twoDigits(s[11], s[12]), twoDigits(s[14], s[15]), twoDigits(s[17], s[18])
		if s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[19] != 'Z' ||
			hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
			return time.Time{}, false
		}
		seconds += 3600*hour + 60*minute + second
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}

// notDigits is so far below zero that no sum with it is a part of a time.
const notDigits = -1_000_000

// twoDigits is the value of two digits, or notDigits.
func twoDigits(tens, units byte) int {
	tens, units = tens-'0', units-'0'
	if tens > 9 || units > 9 {
		return notDigits
	}
	return int(10*tens + units)
}

// daysIn is how many days the month, from 1 to 12, has.
func daysIn(year, month int) int {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month/8)%2
}

// daysSince1970 counts days from years that begin with March, so that the leap
// day is the last of its year, and 400 of which have 146,097 days.
func daysSince1970(year, month, day int) int {
	year, month = year+400, month-3 // no year is below zero
	if month < 0 {
		year, month = year-1, month+12
	}
	const from0To1970 = 719_468 + 146_097
	return 365*year + year/4 - year/100 + year/400 + (153*month+2)/5 + day - 1 - from0To1970
}
