//go:build !amd64 && !arm64

package index

func prefetch(*uint64) {}

func prefetchTwo(*uint64) {}

// Prefetch does nothing here.
func Prefetch(*byte) {}
