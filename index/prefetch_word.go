package index

// PrefetchWord asks for the line of memory that word lies in, and does not wait
// for it.
func PrefetchWord(word *uint64) { prefetch(word) }
