package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// edges are the places in a file where a part begins or ends.
func edges(t testing.TB, name string, data []byte) []int {
	t.Helper()
	f, err := parseFile(name, data)
	if err != nil {
		t.Fatal(err)
	}
	out := []int{0, 8, headerSize, int(f.end), len(data) - trailerSize, len(data)}
	for _, e := range f.toc {
		out = append(out, int(e.offset), int(e.offset+e.length))
	}
	for i := range f.toc {
		out = append(out, int(f.end)+(i+1)*tocEntrySize)
	}
	for i := range f.sums {
		from, to := f.chunk(i)
		out = append(out, int(from), int(to))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// A file cut at any edge, or a byte before or after it, is refused; so is one
// that is longer than it was.
func TestTruncatedFilesAreRefused(t *testing.T) {
	files, hash := sampleFiles(t, 1, 2, 3000)
	for _, name := range names(files) {
		whole := files[name]
		list := edges(t, name, whole)
		if len(list) < 8 {
			t.Fatalf("%s has the edges %v alone", name, list)
		}
		for _, edge := range list {
			for _, size := range []int{edge - 1, edge, edge + 1} {
				if size < 0 || size == len(whole) {
					continue
				}
				bad := maps.Clone(files)
				bad[name] = append(whole[:min(size, len(whole)):len(whole)], make([]byte, max(0, size-len(whole)))...)
				if len(bad[name]) != size {
					t.Fatalf("the file has %d bytes, not %d", len(bad[name]), size)
				}
				checkDamaged(t, bad, hash, name, fmt.Sprintf("%s cut to %d of %d bytes", name, size, len(whole)))
			}
		}
		for _, more := range [][]byte{{0}, {'\n'}, make([]byte, trailerSize), whole[len(whole)-trailerSize:], make([]byte, ChunkSize)} {
			bad := maps.Clone(files)
			bad[name] = slices.Concat(whole, more)
			checkDamaged(t, bad, hash, name, fmt.Sprintf("%s with %d bytes more", name, len(more)))
		}
		missing := maps.Clone(files)
		delete(missing, name)
		checkDamaged(t, missing, hash, name, name+" missing")
	}
}

// checkDamaged fails unless files are refused for the damage to file name.
func checkDamaged(t testing.TB, files map[string][]byte, hash HexBytes, name, what string) {
	t.Helper()
	s, err := OpenBytes(files, hash)
	if err == nil {
		_ = s.Close()
		t.Fatalf("%s: served", what)
	}
	var c *CorruptError
	if !errors.As(err, &c) || c.File != name || c.Section == "" {
		t.Fatalf("%s: %v does not name the file and section", what, err)
	}
}

// The same on disk, where a file may also be empty, missing or no file.
func TestTruncatedFilesOnDiskAreRefused(t *testing.T) {
	store, cur, files := sampleStore(t, 100)
	for _, name := range names(files) {
		path := filepath.Join(store.Dir(), snapshotsName, cur.Name, name)
		for _, size := range []int{0, 1, headerSize + trailerSize - 1, headerSize + trailerSize, len(files[name]) - 1, len(files[name]) + 1} {
			overwrite(t, path, append(files[name][:min(size, len(files[name])):len(files[name])], make([]byte, max(0, size-len(files[name])))...))
			for _, m := range []Memory{Map, Copy} {
				if s, err := store.Open(cur, m); err == nil || !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%s with %d bytes: %v, %v", name, size, s, err)
				}
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Open(cur, Map); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s missing: %v", name, err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Open(cur, Map); err == nil {
			t.Fatalf("%s is a folder: served", name)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		overwrite(t, path, files[name])
	}
}

// Files that are sound by themselves but stand in the wrong place are refused:
// those of another snapshot, and those of another shard.
func TestSwappedFilesAreRefused(t *testing.T) {
	a, hash := sampleFiles(t, 1, 2, 1000)
	b, hashB := sampleFiles(t, 2, 2, 1000)
	c, _ := sampleFiles(t, 1, 2, 1005) // the same id, with other contents
	refuse := func(what string, files map[string][]byte, hash HexBytes) {
		t.Helper()
		s, err := OpenBytes(files, hash)
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, name := range names(a) {
		for what, other := range map[string]map[string][]byte{"another snapshot": b, "other contents": c} {
			if bytes.Equal(a[name], other[name]) {
				continue
			}
			mixed := maps.Clone(a)
			mixed[name] = other[name]
			refuse(name+" of "+what, mixed, hash)
			if name != manifestName {
				refuse(name+" of "+what+", no hash", mixed, nil)
			}
		}
	}
	for _, pair := range [][2]string{{"index-0000", "index-0001"}, {"records-0000", "records-0001"}, {"index-0000", "records-0000"}, {manifestName, "index-0000"}} {
		mixed := maps.Clone(a)
		mixed[pair[0]], mixed[pair[1]] = a[pair[1]], a[pair[0]]
		refuse(fmt.Sprint(pair, " swapped"), mixed, hash)
		mixed[pair[1]] = a[pair[1]]
		refuse(fmt.Sprint(pair[1], " twice"), mixed, hash)
	}
	// Files of the same place and size, whose own checksums are right.
	for _, name := range names(a) {
		if name == manifestName {
			continue
		}
		forged := reseal(t, a, func(file, tag string, b []byte) []byte {
			if file == name && len(b) > 0 {
				b[len(b)-1] ^= 1
			}
			return b
		})
		mixed := maps.Clone(a)
		mixed[name] = forged[name]
		if len(forged[name]) != len(a[name]) {
			t.Fatalf("%s has another size", name)
		}
		refuse(name+" forged", mixed, hash)
	}
	refuse("the other's hash", a, hashB)
	openSample(t, a, hash)
	openSample(t, b, hashB)
}

// A header that says another place is refused even where all checksums and
// the manifest agree.
func TestFileOfAnotherPlaceIsRefused(t *testing.T) {
	files, _ := sampleFiles(t, 1, 2, 100)
	for _, name := range names(files) {
		for what, edit := range map[string]func(h *header){
			"kind":     func(h *header) { h.kind = kindIndex + kindRecords - h.kind },
			"snapshot": func(h *header) { h.snapshot[15] ^= 1 },
			"shard":    func(h *header) { h.shard ^= 1 },
			"shards":   func(h *header) { h.shards *= 2 },
		} {
			if name == manifestName && what == "snapshot" {
				continue // then it is the others that do not belong
			}
			bad := maps.Clone(files)
			f, err := parseFile(name, files[name])
			if err != nil {
				t.Fatal(err)
			}
			edit(&f.header)
			data := append(f.header.append(nil), files[name][headerSize:]...)
			bad[name] = data
			bad = reseal(t, bad, func(_, _ string, b []byte) []byte { return b })
			if s, err := OpenBytes(bad, nil); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s with another %s: %v, %v", name, what, s, err)
			}
		}
	}
}
