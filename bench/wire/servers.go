package wire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/matchd/matchd/bench/load"
	"github.com/matchd/matchd/bench/process"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot"
)

// end is where a server listens.
type end struct {
	network, address string
	process          *process.Process
}

// place names an end. There is a bare handler for each kind of request, since
// the sizes of answers differ.
type place struct {
	server, network string
	bare            requestKind
}

func placeOf(w way, c Case) place {
	p := place{server: w.server, network: c.Network}
	if w.server == Bare {
		p.bare = requestKind{w.kind, c.Hits}
	}
	return p
}

// start starts a process that is ended with the run.
func (r *run) start(ctx context.Context, name, program string, args ...string) (*process.Process, error) {
	p, err := process.Start(ctx, name, r.serverCore, program, args...)
	if err == nil {
		r.processes = append(r.processes, p)
	}
	return p, err
}

// add waits for a server's end and keeps it.
func (r *run) add(ctx context.Context, at place, address string, p *process.Process) error {
	r.ends[at] = end{at.network, address, p}
	return p.Accepts(ctx, at.network, address)
}

// address is one that a server can have on a network.
func (r *run) address(network, name string) (string, error) {
	if network == "unix" {
		return process.Socket(r.dir, name+".sock")
	}
	return process.FreePort()
}

// serveMatchd starts matchd on one address.
func (r *run) serveMatchd(ctx context.Context, name, network string, memory snapshot.Memory) (end, error) {
	listen, err := r.address(network, name)
	if err != nil {
		return end{}, err
	}
	admin, err := process.Socket(r.dir, name+"-admin.sock")
	if err != nil {
		return end{}, err
	}
	file := filepath.Join(r.dir, name+".yaml")
	if err := os.WriteFile(file, r.matchdConfig(network, listen, admin, memory), 0o600); err != nil {
		return end{}, err
	}
	p, err := r.start(ctx, Matchd, r.Matchd, "serve", "--config", file)
	if err != nil {
		return end{}, err
	}
	return end{network, listen, p}, p.Accepts(ctx, network, listen)
}

func (r *run) matchdConfig(network, listen, admin string, memory snapshot.Memory) []byte {
	if network == "unix" {
		listen = "unix:" + listen
	}
	return fmt.Appendf(nil, `stores: [%q]
swap: off
listen: %q
admin: %q
memory: %s
clients:
  - name: %s
    key_sha256: %s
    grants: [{tenant: %s, segments: ["*"], namespaces: ["*"]}]
`, r.store.Dir(), listen, "unix:"+admin, memory, client.Name, server.HashKey(r.key), world.Tenant)
}

// startMatchd starts a daemon for each network.
func (r *run) startMatchd(ctx context.Context) error {
	for _, network := range []string{"tcp", "unix"} {
		e, err := r.serveMatchd(ctx, "matchd-"+network, network, r.Memory)
		if err != nil {
			return err
		}
		r.ends[place{server: Matchd, network: network}] = e
	}
	return nil
}

// startBare starts a bare handler for each kind of request, with answers as
// large as matchd's to the same requests.
func (r *run) startBare(ctx context.Context) error {
	for _, c := range Cases() {
		w := c.ways()[0]
		at := place{Bare, "tcp", requestKind{w.kind, c.Hits}}
		if _, ok := r.ends[at]; ok {
			continue
		}
		plain := Case{"tcp", crowd, 1, c.Batch, c.Hits}
		res, err := r.load(r.ends[place{server: Matchd, network: "tcp"}], plain, plain.ways()[0], 0).Closed(ctx, r.Duration)
		if err != nil {
			return err
		}
		whole := int(res.Bytes / int64(res.Requests))
		r.result.Sizes = append(r.result.Sizes, Size{w.how(), c.Hits, whole})
		if err := r.serveBare(ctx, at, bareBody(whole)); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) serveBare(ctx context.Context, at place, body int) error {
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	path, err := process.Socket(r.dir, fmt.Sprintf("bare-%s-%g.sock", at.bare.kind, at.bare.hits))
	if err != nil {
		return err
	}
	p, err := r.start(ctx, Bare, r.Matchd, "bench", "bare", "--listen", port, "--unix", path, "--bytes", fmt.Sprint(body))
	if err != nil {
		return err
	}
	if err := r.add(ctx, at, port, p); err != nil {
		return err
	}
	at.network = "unix"
	return r.add(ctx, at, path, p)
}

// startRedis starts Redis as it comes, but that it saves nothing.
func (r *run) startRedis(ctx context.Context) error {
	program := r.find(ctx, Redis, r.Redis)
	if program == "" {
		return nil
	}
	address, err := process.FreePort()
	if err != nil {
		return err
	}
	path, err := process.Socket(r.dir, "redis.sock")
	if err != nil {
		return err
	}
	p, err := r.start(ctx, Redis, program, "--port", portOf(address), "--bind", "127.0.0.1", "--unixsocket", path,
		"--save", "", "--appendonly", "no", "--dir", r.dir, "--daemonize", "no")
	if err != nil {
		return err
	}
	if err := r.add(ctx, place{server: Redis, network: "unix"}, path, p); err != nil {
		return err
	}
	if err := r.add(ctx, place{server: Redis, network: "tcp"}, address, p); err != nil {
		return err
	}
	return r.fill(ctx, r.ends[place{server: Redis, network: "unix"}], fillRedis)
}

// startMemcached starts memcached with one thread for requests, memory enough,
// and without what the bench does not use: 8 bytes of every item. It listens on
// TCP alone, since it takes a socket instead and not besides.
func (r *run) startMemcached(ctx context.Context) error {
	program := r.find(ctx, Memcached, r.Memcached)
	if program == "" {
		return nil
	}
	address, err := process.FreePort()
	if err != nil {
		return err
	}
	args := []string{
		"-p", portOf(address), "-U", "0", "-l", "127.0.0.1", "-t", "1", "--disable-cas", "--disable-evictions",
		"-m", fmt.Sprint(64 + r.identifiers()>>12), "-o", fmt.Sprintf("hashpower=%d", hashPower(r.identifiers())),
	}
	if os.Getuid() == 0 {
		args = append(args, "-u", "root") // which it refuses to be unasked
	}
	p, err := r.start(ctx, Memcached, program, args...)
	if err != nil {
		return err
	}
	at := place{server: Memcached, network: "tcp"}
	if err := r.add(ctx, at, address, p); err != nil {
		return err
	}
	return r.fill(ctx, r.ends[at], fillMemcached)
}

// hashPower is the logarithm of the size of a hash table with a place for each
// of n, as memcached grows its own.
func hashPower(n int) int {
	p := 16
	for 1<<p < n {
		p++
	}
	return p
}

var version = regexp.MustCompile(`\d+\.\d+\.\d+`)

// find finds a server on the path and notes its version, or that it is not
// there.
func (r *run) find(ctx context.Context, name, program string) string {
	if program == "" {
		r.skip("%s: no program was named", name)
		return ""
	}
	path, err := exec.LookPath(program)
	if err != nil {
		r.skip("%s: there is no %s on the path", name, program)
		return ""
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	v := version.Find(out)
	if err != nil || v == nil {
		r.skip("%s: %s does not tell its version", name, program)
		return ""
	}
	r.result.Versions = append(r.result.Versions, fmt.Sprintf("%s %s", name, v))
	return path
}

func (r *run) skip(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.result.Skipped = append(r.result.Skipped, text)
	r.Log("skipped: %s", text)
}

// load is a load on an end.
func (r *run) load(e end, c Case, w way, from float64) load.Config {
	return load.Config{
		Network: e.network, Address: e.address, Connections: c.Connections, Pipeline: w.pipeline,
		Requests: r.requests.get(w.kind, c.Hits, from), Next: w.kind.next, CPU: r.clientCore,
	}
}

// endAllBut ends the servers whose places are not kept.
func (r *run) endAllBut(keep ...place) {
	kept := map[*process.Process]bool{}
	for _, at := range keep {
		kept[r.ends[at].process] = true
	}
	for at, e := range r.ends {
		if !kept[e.process] {
			e.process.Close()
			delete(r.ends, at)
		}
	}
}

// alive returns an error where a server has ended.
func (r *run) alive() error {
	var err error
	for _, e := range r.ends {
		err = errors.Join(err, e.process.Ended())
	}
	return err
}
