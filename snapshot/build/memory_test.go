package build

import (
	"bytes"
	"os"
	"sync"

	"github.com/matchd/matchd/snapshot"
)

// memory is a file system that keeps what a build writes.
type memory struct {
	mu    sync.Mutex
	files map[string]*memoryFile
}

type memoryFile struct{ bytes.Buffer }

func (*memoryFile) Sync() error  { return nil }
func (*memoryFile) Close() error { return nil }

func (*memory) MkdirAll(string, os.FileMode) error { return nil }
func (*memory) Rename(string, string) error        { return nil }
func (*memory) RemoveAll(string) error             { return nil }
func (*memory) SyncDir(string) error               { return nil }

func (m *memory) Create(name string, _ os.FileMode) (snapshot.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.files[name]; ok {
		return nil, os.ErrExist
	}
	m.files[name] = &memoryFile{}
	return m.files[name], nil
}
