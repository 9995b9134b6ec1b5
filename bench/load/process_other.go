//go:build !linux

package load

import (
	"errors"
	"os/exec"
	"time"
)

// Measuring is done on Linux; elsewhere the package only builds.

var errLinux = errors.New("load: measuring a process needs Linux")

func Start(*exec.Cmd, int) error { return errLinux }

func CPUTime(int) (time.Duration, error) { return 0, errLinux }

func Resident(int) (Memory, error) { return Memory{}, errLinux }
