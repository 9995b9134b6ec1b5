package snapshot

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// resident is how many bytes of the mappings of files under dir are resident.
func resident(t testing.TB, dir string) (sum int64) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = f.Close() }()
	inside, maps := false, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if name, _, _ := strings.Cut(line, " "); !strings.HasSuffix(name, ":") { // a mapping begins
			if inside = strings.Contains(line, dir+"/"); inside {
				maps++
			}
		}
		var kib int64
		if n, _ := fmt.Sscanf(line, "Rss: %d kB", &kib); inside && n == 1 {
			sum += kib << 10
		}
	}
	if maps == 0 {
		t.Fatalf("nothing of %s is mapped", dir)
	}
	return sum
}

// A snapshot that is open as Once keeps little of itself resident: after it
// was opened, while its persons are read, and after it was verified. As Map it
// keeps all, so that the measure itself is seen to work.
func TestOnceLetsGo(t *testing.T) {
	d, m, hasher := sampleDicts(t), sampleMeta(1, 2, 2), IdentifierHasher(sampleSecret())
	m.Oldest -= 100
	dir := filepath.Join(t.TempDir(), "snapshot")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	_, hash := writeSnapshot(t, OS{}, dir, m, d, clonePersons(typical(t, d, hasher, 60_000)))
	for _, memory := range []Memory{Map, Once} {
		s, err := Open(dir, hash, memory)
		if err != nil {
			t.Fatal(err)
		}
		// The kernel maps some pages around each that is read.
		few := int64(2 << 20)
		if s.Bytes() < 4*few {
			t.Fatalf("%d bytes are too few", s.Bytes())
		}
		check := func(when string) {
			t.Helper()
			got := resident(t, dir)
			if memory == Once && got > few {
				t.Errorf("%s, %d of %d bytes are resident", when, got, s.Bytes())
			}
			if memory == Map && got < s.Bytes()/2 {
				t.Errorf("%s, only %d of %d bytes are resident in what keeps them", when, got, s.Bytes())
			}
		}
		check("after it was opened")
		for _, f := range s.files {
			f.once = min(f.once, 1<<18)
		}
		seen := 0
		for shard := range s.RecordShards {
			for _, err := range s.Persons(shard, hasher) {
				if err != nil {
					t.Fatal(err)
				}
				if seen++; seen%10_000 == 0 {
					check(fmt.Sprintf("after %d persons", seen))
				}
			}
		}
		if err := s.Verify(hasher); err != nil {
			t.Fatal(err)
		}
		check("after it was verified")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
