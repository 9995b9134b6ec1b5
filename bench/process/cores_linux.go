package process

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Cores returns two cores that this process may use: one for the servers, one
// for the client.
func Cores() (server, client int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, 0, fmt.Errorf("process: find out which cores there are: %w", err)
	}
	found := []int{}
	for i := 0; len(found) < 2 && i < 8*len(set)*8; i++ {
		if set.IsSet(i) {
			found = append(found, i)
		}
	}
	if len(found) < 2 {
		return 0, 0, fmt.Errorf("process: this process may use %d core: a server needs one and the client another: %w", len(found), errors.ErrUnsupported)
	}
	return found[0], found[1], nil
}
