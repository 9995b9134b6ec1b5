//go:build !linux

package wire

import (
	"errors"
	"fmt"
)

func cores() (server, client int, err error) {
	return 0, 0, fmt.Errorf("wire: measuring over the wire needs Linux: %w", errors.ErrUnsupported)
}
