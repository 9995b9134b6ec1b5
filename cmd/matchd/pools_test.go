package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot"
)

// Two stores of one key are refused: persons of one could be found in the other.
func TestStoresOfOneKey(t *testing.T) {
	one, two, copied := emptyStore(t), emptyStore(t), emptyStore(t)
	secret, err := os.ReadFile(filepath.Join(one, "secret.key"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(copied, "secret.key"), secret, 0o600))
	open := func(paths ...string) error {
		var o daemonOptions
		o.Memory = snapshot.Map
		for i, p := range paths {
			o.Stores = append(o.Stores, server.StoreConfig{Name: string(rune('a' + i)), Path: p})
		}
		pools, err := openPools(o)
		if err == nil {
			must(t, pools.Close())
		}
		return err
	}
	must(t, open(one, two))
	if err := open(one, two, copied); err == nil || !strings.Contains(err.Error(), "one key") {
		t.Errorf("two stores with one key: %v", err)
	}
}
