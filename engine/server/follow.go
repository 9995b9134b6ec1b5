package server

import (
	"errors"
	"fmt"

	"github.com/matchd/matchd/engine"
)

// Leader reads the key and returns whom the store follows.
func (s *StoreConfig) Leader() (engine.Leader, error) {
	key, err := ReadKeyFile(s.FollowKeyFile)
	if err != nil {
		return engine.Leader{}, fmt.Errorf("the key to follow with: %w", err)
	}
	return engine.Leader{URL: s.Follow, Key: key, Store: s.FollowStore, Lag: s.Lag}, nil
}

// Validate checks that what it takes to follow is there, or nothing of it.
func (s *StoreConfig) Validate() error {
	switch {
	case s.Follow == "" && (s.FollowKeyFile != "" || s.FollowStore != "" || s.Lag != 0):
		return errors.New("follow is missing, the URL of the daemon to follow")
	case s.Follow != "" && (s.Events == "" || s.FollowKeyFile == ""):
		return errors.New("follow takes events, the folder of the replica, and follow_key_file, with a key of the scope admin")
	case s.Lag != 0 && (s.Lag < engine.MinLag || s.Lag > engine.MaxLag):
		return fmt.Errorf("lag is a time from %v to %v, as in 30s", engine.MinLag, engine.MaxLag)
	}
	return nil
}
