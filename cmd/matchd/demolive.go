package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/matchd/matchd/bench/gen"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot/build"
)

// A scene is the part of the demo in which a customer opts out: of a daemon in a
// process of its own, which is killed, and over a snapshot that is built anew.
type scene struct {
	dir     string // of the demo
	out     io.Writer
	build   build.Options
	key     string
	process *exec.Cmd
	public  string
	admin   string
}

const sceneConfig = `stores: [{name: demo, path: %s, events: %s}]
listen: 127.0.0.1:0
admin: 127.0.0.1:0
clients:
  - {name: brand, key_sha256: %s, scopes: [match, privacy, admin], grants: [{tenant: %s, segments: ["*"], namespaces: ["*"]}]}
`

// play plays the scene, for a customer who is matched again when it ends.
func (s *scene) play(ctx context.Context, who gen.Example) (err error) {
	config, keyFile := filepath.Join(s.dir, "matchd.yaml"), filepath.Join(s.dir, "key")
	s.key = server.NewKey()
	text := fmt.Sprintf(sceneConfig, quoted(s.build.Store), quoted(demoEvents(s.dir)), server.HashKey(s.key), who.Tenant)
	if err := errors.Join(os.WriteFile(keyFile, []byte(s.key+"\n"), 0o600), os.WriteFile(config, []byte(text), 0o600)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.kill()) }()
	if err := s.serve(ctx, config); err != nil {
		return err
	}
	lookup := "/v1/match?id=" + query(who.Identifier)
	change := func(id, kind string) string {
		return fmt.Sprintf(`{"id":%q,"type":%q,"tenant":%q,"identifier":%q}`, id, kind, who.Tenant, who.Identifier)
	}
	s.ask(ctx, "a customer is matched", lookup, "")
	s.ask(ctx, "opts out, by one curl: the answer comes when that is on disk and obeyed", "/v1/events", change("demo-1", "opt_out"))
	s.ask(ctx, "gone from the next answer", lookup, "")
	fmt.Fprintf(s.out, "\nkill -9 %d\n", s.process.Process.Pid)
	if err := s.kill(); err != nil {
		return err
	}
	if err := s.serve(ctx, config); err != nil {
		return err
	}
	s.ask(ctx, "still gone", lookup, "")
	if err := s.rebuild(ctx, keyFile); err != nil {
		return err
	}
	s.ask(ctx, "the snapshot is built anew from the same files, and is served: still gone", lookup, "")
	s.ask(ctx, "only an opt-in brings the customer back, with the next build, since the last one left the id out", "/v1/events", change("demo-2", "opt_in"))
	if err := s.rebuild(ctx, keyFile); err != nil {
		return err
	}
	s.ask(ctx, "matched again", lookup, "")
	return ctx.Err()
}

// rebuild builds from the same files and the daemon's log, and has the daemon
// serve it.
func (s *scene) rebuild(ctx context.Context, keyFile string) (err error) {
	fmt.Fprintf(s.out, "\nmatchd build --config %s --store %s --live %s --live-key-file %s\n", s.build.Config, s.build.Store, s.public, keyFile)
	o := s.build
	live := liveFlags{log: s.public, keyFile: keyFile}
	if o.Live, err = live.source(ctx); err != nil {
		return err
	}
	if _, err := build.Run(ctx, o); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "matchd swap --admin %s\n", s.admin)
	var now server.StoreSwaps
	return (&adminClient{admin: s.admin}).call(ctx, http.MethodPost, "/admin/v1/swap", url.Values{}, &now)
}

// demoEvents is the folder of the demo's log of live changes.
func demoEvents(dir string) string { return filepath.Join(dir, "events") }

// quoted is a path as YAML has it, absolute.
func quoted(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return fmt.Sprintf("%q", path)
}

// serve starts a daemon, and returns once it answers.
func (s *scene) serve(ctx context.Context, config string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\nmatchd serve --config %s\n", config)
	s.process = exec.CommandContext(ctx, self, "serve", "--config", config)
	var said strings.Builder
	s.process.Stderr = &said
	out, err := s.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return err
	}
	s.public, s.admin = "", ""
	lines := bufio.NewScanner(out)
	for s.admin == "" && lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "lookups: "); ok {
			s.public = at
		}
		if at, ok := strings.CutPrefix(lines.Text(), "admin:   "); ok {
			s.admin = strings.TrimSuffix(at, "/metrics")
		}
	}
	if s.public == "" || s.admin == "" {
		err := errors.Join(ctx.Err(), s.kill())
		return errors.Join(fmt.Errorf("the daemon did not start: %s", said.String()), err)
	}
	return nil
}

// kill ends the daemon as kill -9 does, if it runs.
func (s *scene) kill() error {
	if s.process == nil || s.process.Process == nil {
		return nil
	}
	err := s.process.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	_ = s.process.Wait() // which tells that it was killed
	s.process = nil
	return err
}

func (s *scene) ask(ctx context.Context, title, target, body string) {
	bidCall{title: title, url: s.public + target, body: body, key: s.key, keyFile: filepath.Join(s.dir, "key")}.show(ctx, s.out)
}
