//go:build !race

package overlay_test

// raceEnabled says whether the race detector slows all down.
const raceEnabled = false
