//go:build !amd64

package openrtb

// canMark reports false: without vector instructions, [Request.skim] is faster.
func canMark() bool { return false }

func classify(*byte, int, *classes) {}
