// Package peer speaks with programs that hold the bench's data in another
// store. They are built as a module of their own (bench/peers), so that matchd
// links none of their libraries, and are run beside it one at a time or all at
// once: each loads, then answers one line of JSON for each line that it reads.
package peer

import "github.com/matchd/matchd/bench/ask"

// Ready is the first line that a peer prints, once it has loaded.
type Ready struct {
	// Ready is the name of the store that it holds.
	Ready string `json:"ready"`
	// Version is that of the store's library.
	Version string `json:"version"`
	// Settings says what was chosen for it.
	Settings string `json:"settings"`
	// LoadSeconds is what the store took to be loaded from sorted pairs.
	LoadSeconds float64 `json:"load_seconds"`
	// Disk is the size of its files, in bytes.
	Disk int64 `json:"disk_bytes"`
}

// Request is a line that a peer is sent: for the time that a question takes, or
// for its statistics.
type Request struct {
	Question *ask.Question `json:"question,omitempty"`
	// N is how many identifiers to ask.
	N int `json:"n,omitempty"`
	// DrawSeed and Pool are the seed by which identifiers are drawn, and their
	// number. A draw is made once and kept.
	DrawSeed uint64 `json:"draw_seed,omitempty"`
	Pool     int    `json:"pool,omitempty"`
	Stats    bool   `json:"stats,omitempty"`
}

// Stats is what a peer takes.
type Stats struct {
	// Resident is the memory of its process, in bytes, but for the snapshot that
	// it loaded from and the identifiers drawn; 0 is unknown.
	Resident int64 `json:"resident_bytes"`
	// Disk is the size of its files, in bytes.
	Disk int64 `json:"disk_bytes"`
}

// failure is the line of a peer that could not do as asked.
type failure struct {
	Error string `json:"error"`
}

// maxLine is the longest line of either side, in bytes.
const maxLine = 1 << 20
