package buildbench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Usage is what one process took.
type Usage struct {
	Wall time.Duration `json:"wall_ns"`
	// CPU is user and system time of all its cores.
	CPU time.Duration `json:"cpu_ns"`
	// Peak is the most memory that was resident, in bytes; 0 is unknown. Of a
	// process that takes less than the one that started it, it is that one's.
	Peak int64 `json:"peak_resident_bytes"`
}

// errorTail is how much of what a failed process said is repeated, in bytes.
const errorTail = 2000

// runProcess runs a command to its end and returns what it took and what it
// printed. env is put over the environment.
func runProcess(ctx context.Context, env []string, name string, args ...string) (Usage, []byte, error) {
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	start := time.Now()
	err := cmd.Run()
	u := Usage{Wall: time.Since(start)}
	if ctx.Err() != nil {
		return u, nil, ctx.Err()
	}
	if err != nil {
		said := bytes.TrimSpace(errOut.Bytes())
		return u, nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, said[max(0, len(said)-errorTail):])
	}
	u.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	u.Peak = peakResident(cmd.ProcessState)
	return u, out.Bytes(), nil
}

// Arguments of sort, and the locale that makes it compare bytes.
var (
	sortLocale = []string{"LC_ALL=C"}
	sortArgs   = []string{"--parallel=2", "-S", "4G"}
)

// findSort finds GNU sort, or says why there is none.
func findSort(ctx context.Context) (path, missing string) {
	path, err := exec.LookPath("sort")
	if err != nil {
		return "", "sort is not on the path"
	}
	_, out, err := runProcess(ctx, sortLocale, path, "--version")
	if err != nil || !bytes.Contains(out, []byte("GNU coreutils")) {
		return "", "the sort on the path is not GNU's"
	}
	return path, ""
}

// runSort sorts a file into a new one in the folder dir, which is then removed.
func runSort(ctx context.Context, sort, file, dir string) (_ Usage, err error) {
	out, err := os.CreateTemp(dir, "sorted-")
	if err != nil {
		return Usage{}, err
	}
	defer func() { err = errors.Join(err, os.Remove(out.Name())) }()
	if err := out.Close(); err != nil {
		return Usage{}, err
	}
	u, _, err := runProcess(ctx, sortLocale, sort, append(sortArgs, "-T", dir, "-o", out.Name(), file)...)
	return u, err
}
