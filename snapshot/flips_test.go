package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// region returns the name of the part of a file that offset lies in, as an
// error names it, and where in the file that part's checksum begins to count.
func region(t testing.TB, name string, data []byte, offset int64) (section string, chunk int64) {
	t.Helper()
	f, err := parseFile(name, data)
	if err != nil {
		t.Fatal(err)
	}
	if trailer := int64(len(data)) - trailerSize; offset >= trailer {
		return "trailer", trailer / ChunkSize
	}
	if offset >= f.end {
		return "toc", f.end / ChunkSize
	}
	section = "header"
	for _, e := range f.toc {
		if offset >= e.offset {
			section = e.tag
		}
	}
	return section, offset / ChunkSize
}

// checkRefused fails unless err names the file, section and chunk of damage at
// offset of what was data.
func checkRefused(t testing.TB, err error, name string, data []byte, offset int64) {
	t.Helper()
	section, chunk := region(t, name, data, offset)
	var c *CorruptError
	switch {
	case err == nil:
		t.Fatalf("%s, offset %d (section %s): served", name, offset, section)
	case errors.Is(err, ErrVersion) && (offset == 8 || offset == 9):
		if want := fmt.Sprintf("file %s, section header, chunk 0", name); !strings.Contains(err.Error(), want) {
			t.Fatalf("%s, offset %d: %v does not say %q", name, offset, err, want)
		}
	case !errors.As(err, &c) || !errors.Is(err, ErrCorrupt):
		t.Fatalf("%s, offset %d: %v is no CorruptError", name, offset, err)
	case c.File != name || c.Chunk != chunk || c.Offset != chunk*ChunkSize || !slices.Contains(strings.Split(c.Section, "+"), section):
		t.Fatalf("%s, offset %d: %v, want section %s, chunk %d", name, offset, err, section, chunk)
	case !strings.Contains(err.Error(), "file "+name) || !strings.Contains(err.Error(), fmt.Sprint("chunk ", chunk)):
		t.Fatalf("%s, offset %d: %v does not name the place", name, offset, err)
	}
}

// Every byte of a snapshot is covered: of 10,000 random flips of one bit, and
// one in each kind of place, none is served.
func TestBitFlipsAreRefused(t *testing.T) {
	files, hash := sampleFiles(t, 1, 2, 12_000)
	openSample(t, files, hash)
	total, chunks := 0, 0
	for _, data := range files {
		total += len(data)
		chunks += len(data) / ChunkSize
	}
	if chunks < 10 {
		t.Fatalf("the files have %d whole chunks: too few to tell them apart", chunks)
	}
	flip := func(name string, offset int, bit int) {
		data := bytes.Clone(files[name])
		files[name][offset] ^= 1 << bit
		s, err := OpenBytes(files, hash)
		if err == nil {
			_ = s.Close()
		}
		files[name][offset] ^= 1 << bit
		checkRefused(t, err, name, data, int64(offset))
	}
	r := rand.New(rand.NewPCG(1, 2))
	regions := map[string]int{}
	flips := 10_000
	if testing.Short() {
		flips = 200
	}
	for range flips {
		at := r.IntN(total)
		for _, name := range names(files) {
			if at < len(files[name]) {
				flip(name, at, r.IntN(8))
				section, _ := region(t, name, files[name], int64(at))
				regions[section]++
				break
			}
			at -= len(files[name])
		}
	}
	for _, name := range names(files) {
		f, err := parseFile(name, files[name])
		if err != nil {
			t.Fatal(err)
		}
		places := []int64{f.end, f.end + 8, f.end + 16, int64(len(files[name])) - 65}
		for i := range int64(headerSize) {
			places = append(places, i, int64(len(files[name]))-1-i)
		}
		for _, e := range f.toc {
			if e.length > 0 {
				places = append(places, e.offset, e.offset+e.length-1, alignUp(e.offset+e.length, sectionAlign)-1)
			}
		}
		for _, at := range places {
			flip(name, int(at), r.IntN(8))
		}
	}
	for _, section := range []string{sectionFilter, sectionTable, sectionCold, sectionHot} {
		if regions[section] == 0 {
			t.Errorf("no flip hit section %s", section)
		}
	}
}

// The same for files on disk, as the daemon opens them.
func TestBitFlipsOnDiskAreRefused(t *testing.T) {
	store, cur, files := sampleStore(t, 3000)
	r := rand.New(rand.NewPCG(3, 4))
	for _, name := range names(files) {
		for range 15 {
			at := r.IntN(len(files[name]))
			bad := bytes.Clone(files[name])
			bad[at] ^= 1 << r.IntN(8)
			path := filepath.Join(store.Dir(), snapshotsName, cur.Name, name)
			overwrite(t, path, bad)
			for _, m := range []Memory{Map, Copy} {
				s, err := store.Open(cur, m)
				if err == nil {
					_ = s.Close()
				}
				checkRefused(t, err, name, files[name], int64(at))
			}
			overwrite(t, path, files[name])
		}
	}
	s, err := store.Open(cur, Copy)
	if err != nil {
		t.Fatalf("after all was restored: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Each bit of CURRENT matters: a flip is refused, whether it breaks the line
// or names another snapshot or another manifest.
func TestBitFlipsInCurrentAreRefused(t *testing.T) {
	store, _, _ := sampleStore(t, 10)
	path := filepath.Join(store.Dir(), currentName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	broken, other := 0, 0
	for bit := range 8 * len(good) {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		overwrite(t, path, bad)
		cur, err := store.Current()
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), currentName) {
				t.Fatalf("bit %d: %v", bit, err)
			}
			broken++
			continue
		}
		if s, err := store.Open(cur, Map); err == nil {
			_ = s.Close()
			t.Fatalf("bit %d: %q is served", bit, bad)
		}
		other++
	}
	if broken == 0 || other == 0 {
		t.Errorf("%d flips break the line, %d name something else: want some of both", broken, other)
	}
}

func TestDamagedCurrentIsRefused(t *testing.T) {
	store, cur, _ := sampleStore(t, 10)
	path := filepath.Join(store.Dir(), currentName)
	line := string(cur.format())
	for _, text := range []string{
		"", "\n", line[:len(line)-1], line + "\n", " " + line, line[:len(line)/2], strings.Repeat("\x00", len(line)),
		"matchd-current 2" + line[len("matchd-current 1"):],
		currentPrefix + "../../etc " + cur.Manifest.String() + "\n",
		currentPrefix + cur.Name + "/.. " + cur.Manifest.String() + "\n",
		currentPrefix + cur.Name + " " + strings.ToUpper(cur.Manifest.String()) + "\n",
		currentPrefix + cur.Name + " " + cur.Manifest.String()[:62] + "\n",
	} {
		overwrite(t, path, []byte(text))
		if _, err := store.Current(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
