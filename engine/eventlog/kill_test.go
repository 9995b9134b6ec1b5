//go:build unix

package eventlog

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// victimDir is set where the test binary is to write to a log until it is
// killed.
const victimDir = "MATCHD_TEST_VICTIM"

// Test of the process that is killed: 16 writers print what is acknowledged.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victimDir)
	if dir == "" {
		t.Skip("for TestKill alone")
	}
	l, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	start, _, _ := l.Last()
	var lock sync.Mutex
	for w := range 16 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", start, w, i)
				r, err := l.Append(context.Background(), []Entry{entry(name), entry(name + "'")})
				if err != nil {
					panic(err)
				}
				lock.Lock()
				fmt.Printf("acked %s %d %s %d %s\n", name, r[0].Seq, r[0].Hash, r[1].Seq, r[1].Hash)
				lock.Unlock()
			}
		}()
	}
	select {}
}

// A process that is killed while 16 writers append, again and again, loses
// nothing that it acknowledged, and leaves no half of an append.
func TestKill(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir() + "/log"
	acked := map[uint64]string{} // hash and name
	for round := range rounds {
		for seq, v := range killed(t, dir, 40+37*(round%5)) {
			acked[seq] = v
		}
		there := map[uint64]string{}
		names := map[string]int{}
		l, err := Open(dir, Options{Replay: func(r Record) error {
			name := strings.TrimPrefix(string(r.Body), "body of ")
			there[r.Seq] = r.Hash.String() + " " + name
			names[strings.TrimSuffix(name, "'")]++
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		if l.Torn() != nil {
			t.Errorf("torn: %+v", l.Torn())
		}
		for seq, want := range acked {
			if there[seq] != want {
				t.Errorf("record %d is %q, not %q", seq, there[seq], want)
			}
		}
		for name, n := range names {
			if n != 2 {
				t.Errorf("%s is there %d times", name, n)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acked) < rounds*10 {
		t.Errorf("only %d were acknowledged", len(acked))
	}
}

// killed has a process write, kills it after it has acknowledged so many
// appends, and returns what it acknowledged.
func killed(t *testing.T, dir string, appends int) map[uint64]string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestVictim$")
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := map[uint64]string{}
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		if n == appends {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		line, err := lines.ReadString('\n')
		if err == io.EOF || err != nil {
			break // half a line was not acknowledged to anybody
		}
		var name, a, b string
		var first, second uint64
		if _, err := fmt.Sscanf(line, "acked %s %d %s %d %s", &name, &first, &a, &second, &b); err != nil || len(a) != hex.EncodedLen(32) {
			t.Fatalf("%q: %v", line, err)
		}
		acked[first], acked[second] = a+" "+name, b+" "+name+"'"
	}
	_ = cmd.Wait()
	return acked
}
