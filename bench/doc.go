// Package bench measures matchd beside what one would use instead, in one run
// and on the same data. A measurement is a Config and its Run; the command
// line and go test -bench call the same code.
//
// Absolute times are those of one machine on one day. Compare within a run:
// every case is measured in rounds that alternate with those of the others,
// and the median of the rounds is what is shown.
package bench
