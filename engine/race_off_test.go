//go:build !race

package engine_test

// raceEnabled says that the race detector is on: it slows everything down and
// allocates.
const raceEnabled = false
