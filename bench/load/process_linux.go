package load

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Start starts a command that has one core alone, as do all its threads: a Go
// program takes its GOMAXPROCS from that.
func Start(cmd *exec.Cmd, cpu int) error {
	unpin, err := pin(cpu)
	if err != nil {
		return err
	}
	err = cmd.Start() // the child has the affinity of the thread that forks it
	if e := unpin(); e != nil && err == nil {
		return errors.Join(e, cmd.Process.Kill(), cmd.Wait())
	}
	return err
}

// pin locks the calling goroutine to its thread and the thread to a core, until
// unpin is called.
func pin(cpu int) (unpin func() error, err error) {
	var was, one unix.CPUSet
	one.Set(cpu)
	runtime.LockOSThread()
	err = unix.SchedGetaffinity(0, &was)
	if err == nil {
		err = unix.SchedSetaffinity(0, &one)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("pin to core %d: %w: it must be one of the %d that this process may use", cpu, err, was.Count())
	}
	return func() error {
		if err := unix.SchedSetaffinity(0, &was); err != nil {
			return fmt.Errorf("unpin from core %d: %w", cpu, err) // and leave it locked, for no other goroutine to be pinned
		}
		runtime.UnlockOSThread()
		return nil
	}, nil
}

// CPUTime is the time that all threads of a process have been on a core, those
// that ended too, in user mode and in the kernel. Of a thread that runs just
// now the last few milliseconds may be missing; otherwise it is exact.
func CPUTime(pid int) (time.Duration, error) {
	// The clock of another process's scheduled time: see clock_getcpuclockid(3).
	const scheduled = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("read the processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// Resident is what a process has in memory.
func Resident(pid int) (Memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	var m Memory
	found := 0
	for line := range bytes.Lines(status) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		var to *int64
		switch string(name) {
		case "RssAnon":
			to = &m.Anonymous
		case "RssFile":
			to = &m.File
		case "RssShmem":
			to = &m.Shared
		default:
			continue
		}
		kib, unit, _ := bytes.Cut(bytes.TrimSpace(value), []byte(" "))
		n, err := strconv.ParseInt(string(kib), 10, 64)
		if err != nil || string(unit) != "kB" {
			return Memory{}, fmt.Errorf("read the memory of process %d: line %q is not understood", pid, line)
		}
		*to = n << 10
		found++
	}
	if found != 3 {
		return Memory{}, fmt.Errorf("read the memory of process %d: %d of 3 lines are in its status: did it end?", pid, found)
	}
	m.Resident = m.Anonymous + m.File + m.Shared
	return m, nil
}
