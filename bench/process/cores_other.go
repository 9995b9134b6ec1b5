//go:build !linux

package process

import (
	"errors"
	"fmt"
)

// Cores is for Linux alone.
func Cores() (server, client int, err error) {
	return 0, 0, fmt.Errorf("process: measuring over the wire needs Linux: %w", errors.ErrUnsupported)
}
