package main

import (
	"fmt"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/fold"
)

// checkLog refuses to answer from a store that has a log of live changes without
// it, and to make another in a folder that is to hold it, unless a replica of it is
// to be made there. flag names how the folder is given.
func checkLog(store *snapshot.Store, events string, follows bool, flag string) error {
	id, err := store.Log()
	if err != nil || id == "" {
		return err
	}
	if events == "" {
		return fmt.Errorf("%w; name its folder with %s", &snapshot.OtherLogError{Store: store.Dir(), Has: id}, flag)
	}
	if follows {
		return nil // whose log it follows is compared when it is known
	}
	if err := fold.Exists(events); err != nil {
		return fmt.Errorf("%w: store %s has the log %s: put it there, or name its folder with %s", err, store.Dir(), id, flag)
	}
	return nil
}
