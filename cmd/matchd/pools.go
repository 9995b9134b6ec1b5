package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/normalise"
)

// openPools opens the stores and, of those that have one, the current snapshot.
// A first snapshot that is not sound is an error: there is nothing to go on
// with. So are two stores of one key: the ids of their persons could be joined.
func openPools(o daemonOptions) (_ *engine.Pools, err error) {
	var list []engine.Pool
	defer func() {
		if err != nil {
			for _, p := range list {
				err = errors.Join(err, p.Close())
			}
		}
	}()
	keys := map[string]string{}
	for _, s := range o.Stores {
		store, err := snapshot.OpenStore(s.Path)
		if err != nil {
			return nil, fmt.Errorf("%w; matchd build makes a store", err)
		}
		secret, err := store.Secret()
		if err != nil {
			return nil, err
		}
		if other, ok := keys[secret.ID()]; ok {
			return nil, fmt.Errorf("stores %s and %s have one key, so persons of one could be found in the other: build one of them with another key", other, s.Name)
		}
		keys[secret.ID()] = s.Name
		if within(s.Path, s.Events) {
			return nil, fmt.Errorf("the log of live changes %s lies in the store %s: whoever restores the store would take opt-outs back; name a folder beside it", s.Events, s.Path)
		}
		if err := checkLog(store, s.Events, s.Follow != "", "events in the config, or --events"); err != nil {
			return nil, err
		}
		e, err := openEngine(store, o, &s)
		if err != nil {
			return nil, err
		}
		list = append(list, engine.Pool{Name: s.Name, Engine: e})
	}
	return engine.NewPools(list...)
}

func openEngine(store *snapshot.Store, o daemonOptions, at *server.StoreConfig) (*engine.Engine, error) {
	e, err := engine.New(engine.Options{Store: store, Memory: o.Memory, LinkMaxAge: o.LinkMaxAge, Bounds: o.Swap, Values: values, Retention: at.Retention, Log: o.log})
	if err != nil {
		return nil, err
	}
	// First, so that nothing is answered without what is in it.
	if err := openChanges(e, at); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if _, err := store.Current(); errors.Is(err, snapshot.ErrNoSnapshot) {
		return e, nil
	}
	switch _, err := e.Reload(); {
	case errors.Is(err, engine.ErrBehind): // Watch opens it once that has come
		o.log.Warn("the follower has not come to what the snapshot contains", "store", store.Dir(), "reason", err)
	case err != nil && !e.Ready():
		return nil, errors.Join(err, e.Close())
	case err != nil: // what was served last goes on
		o.log.Error("refused snapshot", "store", store.Dir(), "error", err)
	}
	return e, nil
}

// openChanges opens the log of live changes of a store that has one.
func openChanges(e *engine.Engine, at *server.StoreConfig) error {
	if at.Events == "" {
		return nil
	}
	if at.Follow == "" {
		return e.OpenChanges(at.Events)
	}
	leader, err := at.Leader()
	if err != nil {
		return err
	}
	return e.Follow(at.Events, leader)
}

// within reports whether a folder is another one, or lies in it.
func within(dir, path string) bool {
	if path == "" {
		return false
	}
	a, errA := filepath.Abs(dir)
	b, errB := filepath.Abs(path)
	rel, err := filepath.Rel(a, b)
	return errors.Join(errA, errB, err) == nil && filepath.IsLocal(rel)
}

// values are the builder's checks of what a file may not hold.
func values(ns *index.Namespaces) (key func(index.NamespaceID, []byte) error, text func(string) error) {
	v := normalise.NewValues(ns)
	return v.CheckKey, v.CheckText
}

// watchPools swaps in what is published, until ctx ends.
func watchPools(ctx context.Context, pools *engine.Pools, interval time.Duration) {
	var all sync.WaitGroup
	for _, p := range pools.All() {
		all.Go(func() { p.Watch(ctx, interval) })
	}
	all.Wait()
}

// reloadPools looks for a new snapshot in each store.
func reloadPools(pools *engine.Pools, log *slog.Logger) {
	for _, p := range pools.All() {
		switch changed, err := p.Reload(); {
		case err != nil:
			log.Error("reload", "store", p.Name, "error", err)
		case !changed:
			log.Info("reload: the snapshot is the current one", "store", p.Name)
		}
	}
}

// hasTenant reports whether a tenant is in an open snapshot, and whether any
// snapshot is open.
func hasTenant(pools *engine.Pools, name string) (has, open bool) {
	for _, p := range pools.All() {
		for _, t := range p.Tenants() {
			has, open = has || t.Name == name, true
		}
	}
	return has, open
}

// behind names the leader of a follower that has not come to what its store's
// snapshot contains.
func behind(s server.StoreConfig, p engine.Pool) (leader string, ok bool) {
	c := p.Changes()
	if c == nil {
		return "", false
	}
	f, follows := c.Following()
	store, err := snapshot.OpenStore(s.Path)
	if err == nil {
		_, err = store.Current()
	}
	return f.Leader, follows && err == nil
}

// storeLine says what a store serves.
func storeLine(s server.StoreConfig, p engine.Pool) string {
	info := p.Info()
	if info.Snapshot == "" {
		if leader, ok := behind(s, p); ok {
			return fmt.Sprintf("store %s: catching up with %s, whose changes its snapshot contains", s.Path, leader)
		}
		return fmt.Sprintf("store %s has no snapshot yet: waiting for matchd build", s.Path)
	}
	return fmt.Sprintf("serving %s of store %s: %d identifiers, %d persons, %d bytes",
		info.Snapshot, s.Path, info.Manifest.Counts.Identifiers, info.Manifest.Counts.Persons, info.Bytes)
}
