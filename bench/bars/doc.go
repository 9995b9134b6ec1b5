// Package bars runs all measurements of lookups and of the daemon, and judges
// them by the bars that matchd sets itself: ratios of what was measured in the
// same run, in the memory that daemons serve from unless told otherwise.
package bars
