package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/engine/swap"
	"github.com/matchd/matchd/snapshot"
)

func newServeCommand() *cobra.Command {
	var (
		config string
		store  string
		at     server.StoreConfig // what --store is served with
		memory string
		o      daemonOptions
	)
	cmd := &cobra.Command{
		Use:   "serve --config matchd.yaml | --store DIR [--open TENANT]",
		Short: "Answer lookups over HTTP",
		Long: `Serves the current snapshot of a store, and each one published after it, without
dropping a request. A store that has no snapshot yet is waited for: until then
/health/ready says 503.

Clients are taken from the config whenever it changes, within a second. A config
that is not right is refused as a whole, and the clients stay as they were.

SIGHUP looks for a new snapshot and a new config at once. SIGTERM and SIGINT end it: it becomes
unready, goes on serving for --drain, finishes what it has, and stops.

--open grants a tenant to callers without a key, on a loopback address or unix
socket only: for trying it out.`,
		Example: `  matchd serve --config matchd.yaml
  matchd serve --store store --open acme`,
	}
	f := cmd.Flags()
	f.StringVar(&config, "config", "", "matchd.yaml: the store, addresses and clients")
	f.StringVar(&store, "store", "", "the store to serve, in place of --config")
	f.StringVar(&at.Events, "events", "", "folder of the log of live changes, with --store; not in the store (default: none are taken)")
	f.StringVar(&at.Follow, "follow", "", "URL of the daemon whose live changes to follow, into a replica in --events")
	f.StringVar(&at.FollowKeyFile, "follow-key-file", "", "file with a key of that daemon, of the scope admin")
	f.StringVar(&at.FollowStore, "follow-store", "", "that daemon's name of the store, where it serves several")
	f.DurationVar(&at.Lag, "lag", engine.DefaultLag, "how far behind a follower may be and still be ready")
	f.StringVar(&o.Listen, "listen", server.DefaultListen, "address of the public listener, host:port or unix:/path")
	f.StringVar(&o.Admin, "admin", server.DefaultAdmin, "address of the admin listener, which asks for no key on this machine, and elsewhere for one with the scope admin")
	f.StringVar(&o.open, "open", "", "tenant to grant to callers without a key, on loopback")
	f.StringVar(&memory, "memory", string(snapshot.Map), "serve from a map of the files, or from a checked copy")
	f.DurationVar(&o.drain, "drain", time.Second, "how long to go on serving, unready, before stopping")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Memory = snapshot.Memory(memory)
		if store != "" {
			if at.Follow == "" && !cmd.Flags().Changed("lag") {
				at.Lag = 0
			}
			named := server.StoreAt(store)
			at.Name, at.Path = named.Name, named.Path
			if err := at.Validate(); err != nil {
				return usage(err)
			}
			o.Stores = []server.StoreConfig{at}
			bounds := swap.DefaultBounds()
			o.Swap = &bounds
		}
		if err := o.load(config, cmd.Flags().Changed); err != nil {
			return err
		}
		o.log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
		return runDaemon(cmd.Context(), o, cmd.OutOrStdout())
	}
	return cmd
}

// load checks the flags and reads the config, if it is named.
func (o *daemonOptions) load(config string, changed func(flag string) bool) error {
	if config == "" {
		switch {
		case len(o.Stores) == 0:
			return usage(errors.New("name a --config, or a --store"))
		case o.Memory != snapshot.Map && o.Memory != snapshot.Copy:
			return usage(fmt.Errorf("--memory is %s or %s", snapshot.Map, snapshot.Copy))
		}
		return nil
	}
	for _, flag := range []string{"store", "events", "follow", "follow-key-file", "follow-store", "lag", "listen", "admin", "memory"} {
		if changed(flag) {
			return usage(fmt.Errorf("--%s does not go with --config: set it there", flag))
		}
	}
	var err error
	o.path = config
	o.Config, err = server.ReadConfig(config)
	return err
}

// keepEvery is how often a daemon looks what is to be done about erasures.
const keepEvery = time.Minute

// daemonOptions are what a daemon runs with.
type daemonOptions struct {
	server.Config
	path  string        // of the config, or empty
	open  string        // tenant for callers without a key, or empty
	drain time.Duration // from unready to not accepting
	watch time.Duration // how often to look for a new snapshot or config; 1 s
	log   *slog.Logger  // nil discards

	// started, if not nil, is told the addresses once they are bound.
	started func(public, admin string)
}

// runDaemon serves until ctx ends. It prints to out what it serves, and where.
func runDaemon(ctx context.Context, o daemonOptions, out io.Writer) (err error) {
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	serving := server.Options{
		Listen: o.Listen, Admin: o.Admin, Clients: o.Clients, Open: o.open, Limits: o.Limits, Drain: o.drain, Log: o.log,
	}
	if t := o.TLS; t != nil {
		serving.TLS = &server.TLSOptions{CertFile: t.Cert, KeyFile: t.Key, ClientCAFile: t.ClientCA}
	}
	if err := serving.Validate(); err != nil {
		return usage(err)
	}
	if serving.Audit, err = openAudit(o.Audit); err != nil {
		return err
	}
	pools, err := openPools(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pools.Close()) }()
	serving.Pools = pools
	s, err := server.New(serving)
	if err != nil {
		return err
	}
	if err := s.Listen(); err != nil {
		return err
	}
	// Before anybody knows that there is a daemon, which a signal would end.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	printServing(out, o, pools, s)
	if o.started != nil {
		o.started(s.Addr(), s.AdminAddr())
	}
	// Snapshots are looked for until the last request has been answered.
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	var watchers sync.WaitGroup
	interval := cmp.Or(o.watch, time.Second)
	watchers.Go(func() { watchPools(watching, pools, interval) })
	watchers.Go(func() { s.Keep(watching, keepEvery) })
	var config *server.ConfigWatch
	if o.path != "" {
		config = server.NewConfigWatch(o.path, o.Config, s, o.log)
		// Twice as often, so that it has been taken when the interval is over.
		watchers.Go(func() { config.Watch(watching, interval/2) })
	}
	watchers.Go(func() { reloadOnHangup(watching, hangup, s, pools, config, o.log) })
	defer watchers.Wait()
	defer stop()
	return s.Serve(ctx)
}

// reloadOnHangup reloads at each SIGHUP until ctx ends. config may be nil.
func reloadOnHangup(ctx context.Context, hangup <-chan os.Signal, s *server.Server, pools *engine.Pools, config *server.ConfigWatch, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		}
		if config != nil {
			_ = config.Look(ctx) // it was logged
		}
		if err := s.ReloadTLS(); err != nil {
			log.Error("reload TLS", "error", err)
		}
		reloadPools(pools, log)
	}
}

func printServing(out io.Writer, o daemonOptions, pools *engine.Pools, s *server.Server) {
	for i, p := range pools.All() {
		fmt.Fprintln(out, storeLine(o.Stores[i], p))
	}
	lookups := shownURL(s.Addr())
	if o.TLS != nil {
		lookups = strings.Replace(lookups, "http:", "https:", 1)
	}
	fmt.Fprintf(out, "lookups: %s\n", lookups)
	admin := shownURL(s.AdminAddr())
	if strings.HasPrefix(admin, "http:") {
		admin += "/metrics" // a socket has no URL
	}
	fmt.Fprintf(out, "admin:   %s\n", admin)
	switch has, open := hasTenant(pools, o.open); {
	case o.open == "" && len(o.Clients) == 0:
		fmt.Fprintln(out, "nobody may ask: give --open TENANT, or a --config with clients (see matchd client add)")
	case o.open != "" && open && !has:
		fmt.Fprintf(out, "open to this machine without a key, but the snapshot has no tenant %s\n", o.open)
	case o.open != "":
		fmt.Fprintf(out, "open to this machine without a key, for tenant %s\n", o.open)
	}
}

// openAudit opens the audit log, if one is named.
func openAudit(path string) (*audit.Log, error) {
	if path == "" {
		return nil, nil
	}
	l, err := audit.Open(path)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return l, nil
}

// shownURL is an address as one would type it; a unix socket stays as it is.
func shownURL(addr string) string {
	if _, _, err := net.SplitHostPort(addr); err != nil || strings.HasPrefix(addr, "unix:") {
		return addr
	}
	return "http://" + addr
}
