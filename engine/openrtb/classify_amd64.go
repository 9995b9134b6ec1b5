package openrtb

import "golang.org/x/sys/cpu"

// canMark reports whether the processor has what classify takes.
func canMark() bool { return cpu.X86.HasAVX2 }

// classify looks at n blocks of 64 bytes, one at least.
//
//go:noescape
func classify(text *byte, n int, to *classes)
