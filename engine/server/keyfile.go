package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ReadKeyFile reads the one API key that is in a file, which nobody but its owner
// may be able to read.
func ReadKeyFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 && filepath.Separator == '/' {
		return "", fmt.Errorf("%s can be read by others (mode %04o): run chmod 600", path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(string(b))
	if key == "" || strings.ContainsAny(key, "\r\n") {
		return "", fmt.Errorf("%s does not hold one API key", path)
	}
	return key, nil
}
