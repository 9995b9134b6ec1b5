package faultfs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/matchd/matchd/snapshot"
)

// Disk does what it is told to a folder of the real file system, and keeps
// beside it a model of what of it is durable: of a file the bytes that it had
// at its last Sync, of a folder the names that it had at its last SyncDir.
type Disk struct {
	dir  string
	root *inode
}

// inode is a file or a folder. A name that is gone may still be durable.
type inode struct {
	names, durableNames map[string]*inode // of a folder; nil for a file
	data, durableData   []byte
	perm                fs.FileMode
}

func newFolder() *inode {
	return &inode{names: map[string]*inode{}, durableNames: map[string]*inode{}, perm: 0o755}
}

// NewDisk returns a disk whose folder is dir. What is there is durable.
func NewDisk(dir string) (*Disk, error) {
	root, err := load(dir)
	return &Disk{dir: dir, root: root}, err
}

func load(path string) (*inode, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		data, err := os.ReadFile(path)
		return &inode{data: data, durableData: data, perm: info.Mode().Perm()}, err
	}
	list, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	n := newFolder()
	for _, e := range list {
		if n.names[e.Name()], err = load(filepath.Join(path, e.Name())); err != nil {
			return nil, err
		}
	}
	n.durableNames = maps.Clone(n.names)
	return n, nil
}

// find returns the inode at path, and nil where there is none.
func (d *Disk) find(path string) *inode {
	rel, err := filepath.Rel(d.dir, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return nil
	}
	n := d.root
	for name := range strings.SplitSeq(rel, string(filepath.Separator)) {
		if n == nil || name == "." {
			continue
		}
		n = n.names[name]
	}
	return n
}

// parent returns the folder that path lies in.
func (d *Disk) parent(path string) (*inode, error) {
	if n := d.find(filepath.Dir(path)); n != nil && n.names != nil {
		return n, nil
	}
	return nil, fmt.Errorf("faultfs: %s is in no folder of the disk", path)
}

// MkdirAll implements [snapshot.FS].
func (d *Disk) MkdirAll(dir string, perm fs.FileMode) error {
	if err := os.MkdirAll(dir, perm); err != nil {
		return err
	}
	rel, err := filepath.Rel(d.dir, dir)
	if err != nil {
		return err
	}
	n := d.root
	for name := range strings.SplitSeq(rel, string(filepath.Separator)) {
		if n.names[name] == nil {
			n.names[name] = newFolder()
		}
		n = n.names[name]
	}
	return nil
}

// Create implements [snapshot.FS].
func (d *Disk) Create(name string, perm fs.FileMode) (snapshot.File, error) {
	in, err := d.parent(name)
	if err != nil {
		return nil, err
	}
	f, err := snapshot.OS{}.Create(name, perm)
	if err != nil {
		return nil, err
	}
	n := &inode{perm: perm}
	in.names[filepath.Base(name)] = n
	return &diskFile{f, n}, nil
}

// Rename implements [snapshot.FS].
func (d *Disk) Rename(from, to string) error {
	a, err := d.parent(from)
	if err != nil {
		return err
	}
	b, err := d.parent(to)
	if err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	n := a.names[filepath.Base(from)]
	delete(a.names, filepath.Base(from))
	b.names[filepath.Base(to)] = n
	return nil
}

// RemoveAll implements [snapshot.FS].
func (d *Disk) RemoveAll(name string) error {
	if err := os.RemoveAll(name); err != nil {
		return err
	}
	in, err := d.parent(name)
	if err == nil {
		delete(in.names, filepath.Base(name))
	}
	return err
}

// SyncDir implements [snapshot.FS]. What lies outside of the disk is durable.
func (d *Disk) SyncDir(dir string) error {
	if rel, err := filepath.Rel(d.dir, dir); err == nil && strings.HasPrefix(rel, "..") {
		return nil
	}
	n := d.find(dir)
	if n == nil || n.names == nil {
		return fmt.Errorf("faultfs: %s is no folder of the disk", dir)
	}
	n.durableNames = maps.Clone(n.names)
	return nil
}

type diskFile struct {
	snapshot.File
	n *inode
}

func (f *diskFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	f.n.data = append(f.n.data, b[:n]...)
	return n, err
}

func (f *diskFile) Sync() error {
	f.n.durableData = bytes.Clone(f.n.data)
	return nil
}

// Loss is a way in which a power cut takes what was not synced.
type Loss struct {
	// Bytes says how much of the bytes written since the last Sync stays.
	Bytes Bytes
	// Kept has, for each folder in which something was not synced, whether
	// its new names stay; folders are counted from the root, depth first.
	// What is beyond its end is lost.
	Kept []bool
}

// Bytes says what stays of the bytes that were not synced.
type Bytes int

// What a power cut may do to them.
const (
	Lost   Bytes = iota // the file ends where it was synced
	Torn                // half of them are there
	Zeroed              // the file has its length, and zeros in their place
	Saved               // they had been written
)

// Losses lists the ways in which a power cut now may end: each combination of
// folders that keep their new names or lose them, up to limit folders, with
// each thing that may happen to bytes.
func (d *Disk) Losses(limit int) []Loss {
	dirty := min(d.root.dirty(), limit)
	var out []Loss
	for mask := range 1 << dirty {
		kept := make([]bool, dirty)
		for i := range kept {
			kept[i] = mask>>i&1 == 1
		}
		for _, b := range []Bytes{Lost, Torn, Zeroed, Saved} {
			out = append(out, Loss{b, kept})
		}
	}
	return out
}

// changed reports whether the folder's names are not those that are durable.
func (n *inode) changed() bool { return n.names != nil && !maps.Equal(n.names, n.durableNames) }

// dirty counts the folders that changed, also below names that are not
// durable.
func (n *inode) dirty() (count int) {
	if n.changed() {
		count++
	}
	for _, child := range n.children(true) {
		count += child.dirty()
	}
	return count
}

// children returns what the names stand for: the new ones or the durable.
func (n *inode) children(kept bool) map[string]*inode {
	if kept {
		return n.names
	}
	return n.durableNames
}

// Cut lays out in the folder to, which must be empty, what is left after a
// power cut that takes away as l says.
func (d *Disk) Cut(to string, l Loss) error {
	return d.root.walk("", l.Bytes, &l.Kept, func(path string, n *inode, data []byte) error {
		path = filepath.Join(to, path)
		if n.names != nil {
			return os.MkdirAll(path, 0o755)
		}
		return os.WriteFile(path, data, n.perm)
	})
}

// Sum is a hash of what [Disk.Cut] would lay out.
func (d *Disk) Sum(l Loss) [sha256.Size]byte {
	h := sha256.New()
	_ = d.root.walk("", l.Bytes, &l.Kept, func(path string, n *inode, data []byte) error {
		fmt.Fprintf(h, "%q %t %d %v\n", path, n.names != nil, len(data), n.perm)
		h.Write(data)
		return nil
	}) // visiting has no errors
	return [sha256.Size]byte(h.Sum(nil))
}

// walk visits what is left, a folder before what is in it. It takes from kept
// as it comes to folders that changed.
func (n *inode) walk(path string, b Bytes, kept *[]bool, visit func(path string, n *inode, data []byte) error) error {
	if n.names == nil {
		return visit(path, n, n.left(b))
	}
	if err := visit(path, n, nil); err != nil {
		return err
	}
	keep := false
	if n.changed() && len(*kept) > 0 {
		keep, *kept = (*kept)[0], (*kept)[1:]
	}
	children := n.children(keep)
	for _, name := range slices.Sorted(maps.Keys(children)) {
		if err := children[name].walk(filepath.Join(path, name), b, kept, visit); err != nil {
			return err
		}
	}
	return nil
}

// left is what a power cut leaves of a file.
func (n *inode) left(b Bytes) []byte {
	unsynced := n.data[len(n.durableData):]
	switch b {
	case Torn:
		return slices.Concat(n.durableData, unsynced[:len(unsynced)/2])
	case Zeroed:
		return slices.Concat(n.durableData, make([]byte, len(unsynced)))
	case Saved:
		return n.data
	}
	return n.durableData
}
