//go:build !unix

package snapshot

import "os"

// exclusive is whether a lock keeps others out.
const exclusive = false

// lockFile opens the file. Where there is no flock, two builds into one store
// at once are the operator's to prevent.
func lockFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
}

func unlockFile(f *os.File) error { return f.Close() }
