package config

import (
	"errors"
	"time"
)

var errTime = errors.New("not a time as 2026-11-21T10:00:00Z or a date as 2026-11-21")

// ParseTime reads a time of the input files: RFC 3339, or YYYY-MM-DD as the
// start of that day in UTC. The error does not repeat s.
func ParseTime(s string) (time.Time, error) {
	if len(s) == len(time.DateOnly) {
		t, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return time.Time{}, errTime
		}
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	// The time package lets an hour of one digit and a comma before the
	// fraction pass, which RFC 3339 does not.
	if err != nil || s[13] != ':' || s[19] == ',' {
		return time.Time{}, errTime
	}
	return t.UTC(), nil
}
