package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/matchd/matchd/engine/eventlog/feed"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/build/fold"
)

// liveFlags say where the log of live changes is.
type liveFlags struct{ log, keyFile, store string }

func (l *liveFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&l.log, "live", "", "the log of live changes to build from too: the URL of the daemon that has it open, or its folder if none has")
	f.StringVar(&l.keyFile, "live-key-file", "", "file with an API key of the scope admin, for the URL of --live")
	f.StringVar(&l.store, "live-store", "", "the store's name there, where the daemon serves several")
}

// remote reports whether the log is at a daemon.
func (l *liveFlags) remote() bool {
	for _, scheme := range [...]string{"http://", "https://", "unix:"} {
		if strings.HasPrefix(l.log, scheme) {
			return true
		}
	}
	return false
}

func (l *liveFlags) check() error {
	switch {
	case !l.remote() && (l.keyFile != "" || l.store != ""):
		return errors.New("--live-key-file and --live-store go with the URL of a daemon in --live")
	case l.remote() && l.keyFile == "":
		return errors.New("--live: the daemon asks for an API key of the scope admin: name its file with --live-key-file")
	}
	return nil
}

// source is what a build reads, or nil where no log is named.
func (l *liveFlags) source(ctx context.Context) (build.LiveSource, error) {
	if l.log == "" {
		return nil, nil
	}
	if !l.remote() {
		if err := fold.Exists(l.log); err != nil {
			return nil, fmt.Errorf("--live: %w", err)
		}
		return fold.Dir(l.log), nil
	}
	key, err := server.ReadKeyFile(l.keyFile)
	if err != nil {
		return nil, fmt.Errorf("--live-key-file: %w", err)
	}
	client, err := feed.New(feed.Options{URL: l.log, Key: key, Store: l.store})
	if err != nil {
		return nil, fmt.Errorf("--live: %w", err)
	}
	return fold.Stream(ctx, client), nil
}
