package load

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// childMode is set where the test binary is to stand for a server.
const childMode = "MATCHD_TEST_LOAD_CHILD"

// noProcess is above the highest process id that Linux can have.
const noProcess = 1<<22 + 1

// What the child takes at each line that it reads.
const (
	childCPU    = 60 * time.Millisecond
	childMemory = 64 << 20
)

func TestMain(m *testing.M) {
	if os.Getenv(childMode) != "" {
		child()
		return
	}
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))) // the client never lets go of the one that it has
	goleak.VerifyTestMain(m)
}

// child prints how many cores it has, and after each line that it reads, when
// it has taken time and memory, how much time it has taken in all.
func child() {
	fmt.Println(runtime.GOMAXPROCS(0))
	var kept [][]byte
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		kept = append(kept, make([]byte, childMemory))
		for b := kept[len(kept)-1]; len(b) > 0; b = b[min(len(b), 512):] {
			b[0] = 1
		}
		done := make(chan bool)
		go func() { // on a thread that then ends
			runtime.LockOSThread()
			for until := ownCPU() + childCPU; ownCPU() < until; {
			}
			close(done)
		}()
		<-done
		fmt.Println(int64(ownCPU()))
	}
	runtime.KeepAlive(kept)
}

func ownCPU() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// startChild starts the child on a core and returns what it says and hears.
func startChild(t *testing.T, cpu int) (pid int, line func() int, in io.Writer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"=1", "GOMAXPROCS=")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := Start(cmd, cpu); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(stdout)
	return cmd.Process.Pid, func() int {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the child said nothing: %v", lines.Err())
		}
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}, stdin
}

// cores is which cores this process may use.
func cores(t *testing.T) (all []int) {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	for cpu := range 1024 {
		if set.IsSet(cpu) {
			all = append(all, cpu)
		}
	}
	return all
}

// A child has one core, the one asked for, and the parent keeps all of its own.
func TestStart(t *testing.T) {
	before := cores(t)
	for _, cpu := range before {
		pid, line, _ := startChild(t, cpu)
		if n := line(); n != 1 {
			t.Errorf("on core %d: the child has %d cores", cpu, n)
		}
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(pid, &set); err != nil || set.Count() != 1 || !set.IsSet(cpu) {
			t.Errorf("on core %d: it is not there alone: %d cores, %v", cpu, set.Count(), err)
		}
		if len(before) > 1 && pinnedThreads(t) > 0 {
			t.Errorf("on core %d: a thread of the parent is pinned", cpu)
		}
	}
	if err := Start(exec.Command(os.Args[0]), 1023); err == nil || !strings.Contains(err.Error(), "core 1023") {
		t.Errorf("a core that is not there: %v", err)
	}
	if err := Start(exec.Command("/nothing/here"), before[0]); err == nil {
		t.Error("a command that is not there was started")
	}
	if len(before) > 1 && pinnedThreads(t) > 0 {
		t.Error("a thread is pinned after a start that failed")
	}
}

// A process's time is what it says itself, of threads that ended too, and what
// the scheduler says of those that did not.
func TestCPUTime(t *testing.T) {
	start := time.Now()
	pid, line, in := startChild(t, cores(t)[0])
	line()
	var last time.Duration
	for range 3 {
		fmt.Fprintln(in)
		said := time.Duration(line())
		got, err := CPUTime(pid)
		if err != nil {
			t.Fatal(err)
		}
		if got < said || got > time.Since(start) || got < last+childCPU {
			t.Errorf("%s, when the child says %s, %s after its start; before it was %s", got, said, time.Since(start), last)
		}
		if living := schedstat(t, pid); living > got+childCPU/2 {
			t.Errorf("%s, but its living threads alone had %s", got, living)
		}
		last = got
	}
	if _, err := CPUTime(noProcess); err == nil {
		t.Error("a process that is not there has a time")
	}
}

// schedstat is the time of the living threads of a process.
func schedstat(t *testing.T, pid int) (sum time.Duration) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		t.Skip("the kernel keeps no schedstat")
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// Memory that a process touches is resident, and its own.
func TestResident(t *testing.T) {
	pid, line, in := startChild(t, cores(t)[0])
	line()
	before, err := Resident(pid)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in)
	line()
	after, err := Resident(pid)
	if err != nil {
		t.Fatal(err)
	}
	const some = 4 << 20 // of what else a process does
	if more := after.Anonymous - before.Anonymous; more < childMemory-some {
		t.Errorf("after %d bytes of its own it has %d more", childMemory, more)
	}
	if before.File <= 0 || after.File > before.File+some || after.Resident != after.Anonymous+after.File+after.Shared {
		t.Errorf("of files: %+v, then %+v", before, after)
	}
	if _, err := Resident(noProcess); err == nil {
		t.Error("a process that is not there has memory")
	}
}
