package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// ConfigWatch gives a server the clients of its matchd.yaml whenever that
// changes. What is not right is refused as a whole, and the server goes on with
// what it has.
type ConfigWatch struct {
	path    string
	started Config // what the daemon runs with but for its clients
	server  *Server
	log     *slog.Logger
	rest    func(context.Context) // gives a file time to be written; settle, but in tests

	mu      sync.Mutex // held while the file is looked at
	seen    []byte     // the file, as it was taken or refused
	failure string     // of the file as it was last seen, or empty
	clients []Client   // that the server has
}

// settleTime is how long a file has to stay as it is before it is taken: one
// that is being written in place may be half there, and look sound.
const settleTime = 50 * time.Millisecond

func settle(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(settleTime):
	}
}

// NewConfigWatch watches the file that a running server was started with.
func NewConfigWatch(path string, started Config, s *Server, log *slog.Logger) *ConfigWatch {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &ConfigWatch{path: path, started: started, server: s, log: log, rest: settle, clients: started.Clients}
}

// Watch looks at the file every interval, until ctx ends.
func (w *ConfigWatch) Watch(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = w.Look(ctx) // it was logged
		}
	}
}

// Look takes the clients of the file, if it has changed since it was last
// looked at. The error is that of the file as it is now; it is logged once for
// each content.
func (w *ConfigWatch) Look(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	data, err := w.read(ctx)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return w.refuse(err, nil)
	case w.seen != nil && bytes.Equal(data, w.seen):
		if w.failure != "" {
			return errors.New(w.failure)
		}
		return nil
	}
	c, err := ParseConfig(w.path, data)
	if err != nil {
		return w.refuse(err, data)
	}
	if err := w.take(c); err != nil {
		return w.refuse(err, data)
	}
	if w.failure != "" {
		w.log.Info("the config is sound again", "config", w.path)
	}
	w.seen, w.failure = data, ""
	return nil
}

// read reads the file until it finds it as it was a moment ago. One that it has
// seen before is not waited for.
func (w *ConfigWatch) read(ctx context.Context) ([]byte, error) {
	data, err := os.ReadFile(w.path)
	for err == nil && !(w.seen != nil && bytes.Equal(data, w.seen)) {
		if w.rest(ctx); ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var again []byte
		if again, err = os.ReadFile(w.path); bytes.Equal(again, data) {
			break
		}
		data = again
	}
	return data, err
}

// refuse logs an error that was not there at the last look.
func (w *ConfigWatch) refuse(err error, data []byte) error {
	if w.failure != err.Error() || !bytes.Equal(data, w.seen) {
		w.log.Error("refused the config: the clients stay as they were", "config", w.path, "error", err)
	}
	w.seen, w.failure = data, err.Error()
	return err
}

// take makes the clients of c the server's.
func (w *ConfigWatch) take(c Config) error {
	if keys := w.started.needsRestart(c); len(keys) > 0 {
		w.log.Warn("the config has changed where that needs a restart", "config", w.path, "keys", strings.Join(keys, ", "))
	}
	clients := c.Clients
	if !reflect.DeepEqual(w.started.Stores, c.Stores) {
		// A grant for a store is meant for the one of that name in this file,
		// which is another than the one that is open, or may be.
		clients = slices.DeleteFunc(slices.Clone(w.clients), func(old Client) bool {
			return !slices.ContainsFunc(c.Clients, func(c Client) bool { return c.Name == old.Name && c.Key == old.Key })
		})
		w.log.Warn("the stores have changed: until the restart clients are only removed", "config", w.path)
	}
	added, removed, changed := difference(w.clients, clients)
	if len(added)+len(removed)+len(changed) == 0 {
		return nil
	}
	if err := w.server.SetClients(clients); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	w.server.auditClients(w.clients, clients)
	w.clients = clients
	w.log.Info("the clients have changed", "config", w.path,
		"added", strings.Join(added, ", "), "removed", strings.Join(removed, ", "), "changed", strings.Join(changed, ", "))
	return nil
}

// difference names the clients that are only in one of two lists, or differ.
func difference(old, now []Client) (added, removed, changed []string) {
	had := make(map[string]Client, len(old))
	for _, c := range old {
		had[c.Name] = c
	}
	for _, c := range now {
		before, ok := had[c.Name]
		delete(had, c.Name)
		switch {
		case !ok:
			added = append(added, c.Name)
		case !reflect.DeepEqual(before, c):
			changed = append(changed, c.Name)
		}
	}
	for name := range had {
		removed = append(removed, name)
	}
	slices.Sort(added)
	slices.Sort(removed)
	slices.Sort(changed)
	return added, removed, changed
}

// needsRestart lists the keys whose values a running daemon does not take.
func (c Config) needsRestart(now Config) (keys []string) {
	for _, k := range []struct {
		name     string
		old, now any
	}{
		{"stores", c.Stores, now.Stores},
		{"listen", c.Listen, now.Listen},
		{"admin", c.Admin, now.Admin},
		{"memory", c.Memory, now.Memory},
		{"link_max_age", c.LinkMaxAge, now.LinkMaxAge},
		{"limits", c.Limits, now.Limits},
		{"tls", c.TLS, now.TLS},
		{"audit", c.Audit, now.Audit},
	} {
		if !reflect.DeepEqual(k.old, k.now) {
			keys = append(keys, k.name)
		}
	}
	return keys
}
