//go:build unix

package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/faultfs"
)

// What a re-executed test binary is to build, and before which step it is to
// kill itself. Where killSpill is set, everything between the stages goes into
// files in the folder killTmp, or in the store, and what is done to them counts
// as steps.
const (
	killConfig = "MATCHD_TEST_KILL_CONFIG"
	killStore  = "MATCHD_TEST_KILL_STORE"
	killStep   = "MATCHD_TEST_KILL_STEP"
	killSpill  = "MATCHD_TEST_KILL_SPILL"
	killTmp    = "MATCHD_TEST_KILL_TMP"
)

// TestMain runs a build that kills itself where the environment says so, and
// the tests otherwise.
func TestMain(m *testing.M) {
	if os.Getenv(killConfig) == "" {
		os.Exit(m.Run())
	}
	step, err := strconv.Atoi(os.Getenv(killStep))
	if err != nil {
		panic(err)
	}
	o := options(os.Getenv(killConfig), os.Getenv(killStore))
	o.Keep, o.Tmp = 1, os.Getenv(killTmp)
	n := 0
	before := func(int, string) error {
		if n++; n == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until the signal arrives
		}
		return nil
	}
	o.FS = gathered{&faultfs.Steps{FS: snapshot.OS{}, Tear: true, Before: before}}
	if os.Getenv(killSpill) != "" {
		spillAll(&o).before = before
	}
	if _, err := Run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// killAt builds in another process, which is killed before the step, and
// reports whether it was; otherwise the build came to its end.
func killAt(t *testing.T, config, store string, step int, env ...string) (killed bool) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), killConfig+"="+config, killStore+"="+store, killStep+"="+strconv.Itoa(step))
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return true
	}
	t.Fatalf("the build to be killed before step %d failed: %v\n%s", step, err, out)
	return false
}

// Builds are killed before each of their steps in turn; a write is two steps.
// The store then opens with the old snapshot or the new one, and the next
// build clears away what was left and publishes the new one.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	config := writeInputs(t, small)
	reference := filepath.Join(t.TempDir(), "store")
	o := options(config, reference)
	o.AsOf = testAsOf.AddDate(0, -1, 0)
	before := run(t, o).Snapshot
	after := run(t, options(config, filepath.Join(t.TempDir(), "store"))).Snapshot
	if before == after {
		t.Fatal("the two builds make one snapshot")
	}
	for name, start := range map[string]string{"first build": "", "second build": before} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen, left := map[string]int{}, 0
			for step := 1; ; step += stride() {
				store := filepath.Join(t.TempDir(), "store")
				if start != "" {
					copyTree(t, reference, store)
				}
				killed := killAt(t, config, store, step)
				now := currentName(t, store)
				if now != start && now != after {
					t.Fatalf("killed before step %d, the store has snapshot %q, neither %q nor %q", step, now, start, after)
				}
				seen[now]++
				if !killed {
					if now != after || step < 25 {
						t.Fatalf("the build ended after %d steps with snapshot %q", step-1, now)
					}
					break
				}
				if start != "" {
					left += len(leftovers(t, store))
				}
				o := options(config, store)
				o.Keep = 1
				if got := run(t, o).Snapshot; got != after || currentName(t, store) != after {
					t.Fatalf("after a kill before step %d the next build makes %q", step, got)
				}
				if list := leftovers(t, store); len(list) > 0 {
					t.Fatalf("after a kill before step %d the next build leaves %q", step, list)
				}
			}
			if seen[start] < 10/stride() || seen[after] < 1 {
				t.Errorf("of the kills, %v: too few to be all steps", seen)
			}
			if start != "" && left == 0 {
				t.Error("no kill left anything: the clearing was not tested")
			}
		})
	}
}

// Builds that spill are killed in all stages, with their files in the store or
// in a folder of their own. The store is as it was, and the next build clears
// both places and publishes.
func TestKilledWhileSpilling(t *testing.T) {
	t.Parallel()
	config := writeInputs(t, small)
	reference := filepath.Join(t.TempDir(), "store")
	o := options(config, reference)
	o.AsOf = testAsOf.AddDate(0, -1, 0)
	before := run(t, o).Snapshot
	after := run(t, options(config, filepath.Join(t.TempDir(), "store"))).Snapshot
	for name, withTmp := range map[string]bool{"in the store": false, "in a folder": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmp := ""
			if withTmp {
				tmp = t.TempDir()
			}
			store := filepath.Join(t.TempDir(), "store")
			copyTree(t, reference, store)
			files, kills := map[string]bool{}, 0
			for step := 1; ; step += 4 * stride() {
				if !killAt(t, config, store, step, killSpill+"=1", killTmp+"="+tmp) {
					break
				}
				kills++
				now := currentName(t, store)
				if now != before && now != after {
					t.Fatalf("killed before step %d, the store has snapshot %q", step, now)
				}
				for _, path := range spillFiles(t, store, tmp) {
					files[filepath.Base(path)] = true
				}
				if now == after { // the steps after it are of no spilling build
					break
				}
			}
			if kills < 25/stride() || len(files) < 5 && stride() == 1 {
				t.Fatalf("%d kills left the files %v: too few to be all stages", kills, files)
			}
			o := options(config, store)
			o.Keep, o.Tmp = 1, tmp
			if got := run(t, o).Snapshot; got != after || currentName(t, store) != after {
				t.Fatalf("the next build makes %q", got)
			}
			if list := append(leftovers(t, store), spillFiles(t, store, tmp)...); len(list) > 0 {
				t.Fatalf("the next build leaves %q", list)
			}
			if withTmp {
				emptyDir(t, "the next build", tmp)
			}
		})
	}
}

// spillFiles lists what a build left in its folders for spill files.
func spillFiles(t *testing.T, store, tmp string) (list []string) {
	t.Helper()
	patterns := []string{filepath.Join(store, "snapshots", ".draft-spill", "*")}
	if tmp != "" {
		patterns = append(patterns, filepath.Join(tmp, "*", "*"))
	}
	for _, p := range patterns {
		found, err := filepath.Glob(p)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, found...)
	}
	return list
}
