package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a flag that takes a number of bytes, with a unit or without.
type byteSize int64

// sizeUnits are the units of a byteSize, the largest binary ones first.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"B", 1},
}

// String is the size in the largest binary unit that leaves no fraction.
func (s *byteSize) String() string {
	for _, u := range sizeUnits[:4] {
		if n := int64(*s); n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type is what stands for the value in usage texts.
func (s *byteSize) Type() string { return "SIZE" }

// Set reads a size. Zero is refused: to some it means none, to others no limit.
func (s *byteSize) Set(text string) error {
	number, unit := text, int64(1)
	for _, u := range sizeUnits {
		if before, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = strings.TrimSpace(before), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || strings.Trim(number, "+-.0123456789") != "" {
		return fmt.Errorf("it is no size: give bytes, or a unit as in 6GiB, 512MiB or 4GB")
	}
	switch n *= float64(unit); {
	case n == 0:
		return fmt.Errorf("a limit of zero: give a size such as 6GiB")
	case n < 1:
		return fmt.Errorf("a limit below one byte: give a size such as 6GiB")
	case n >= math.MaxInt64:
		return fmt.Errorf("more bytes than there can be: give a size such as 6GiB")
	}
	*s = byteSize(n)
	return nil
}
