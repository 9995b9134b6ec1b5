package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/bench/gen"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
)

// demoMark is the file that says that a folder is a demo's, to be made anew.
const demoMark = ".matchd-demo"

type demoOptions struct {
	dir           string
	customers     int
	seed          uint64
	listen, admin string
	now           time.Time
}

func newDemoCommand() *cobra.Command {
	o := demoOptions{seed: gen.DefaultConfig().Seed}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Generate, build, serve, and print lookups to try",
		Long: `Makes the files of an energy supplier and its partners, builds a snapshot of them
into a store, prints what the onboarding gained, shows a customer opt out of a
daemon that is then killed and whose snapshot is built anew, serves the snapshot
without keys on this machine, prints lookups to try, and shows a bid request
enriched and one suppressed. Ctrl-C ends it; files, store, log of live changes
and report.html stay in --dir until the next demo.`,
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "demo", "folder for files and store; an earlier demo's is made anew")
	f.IntVar(&o.customers, "customers", 20_000, "customers of the energy supplier")
	f.Uint64Var(&o.seed, "seed", o.seed, "another seed gives other people")
	f.StringVar(&o.listen, "listen", server.DefaultListen, "address to answer on; another port where it is taken")
	f.StringVar(&o.admin, "admin", server.DefaultAdmin, "address of the admin listener; another port where it is taken")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// The files are as of today, so that links and consents are of their
		// usual age when they are looked up.
		o.now = time.Now().UTC().Truncate(24 * time.Hour)
		err := demo(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		if cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
			fmt.Fprintln(cmd.OutOrStdout(), "stopped before it served")
			return nil // Ctrl-C is how a demo ends
		}
		return err
	}
	return cmd
}

func demo(ctx context.Context, o demoOptions, out, errOut io.Writer) error {
	if err := demoDir(o.dir); err != nil {
		return err
	}
	c := gen.DefaultConfig()
	c.Out, c.Customers, c.Seed, c.AsOf = filepath.Join(o.dir, "data"), o.customers, o.seed, o.now
	if err := c.Validate(); err != nil {
		return usage(err)
	}
	fmt.Fprintf(out, "1. Files of an energy supplier and its partners, with what truly belongs together in truth.csv\n\n")
	world, err := gen.Run(ctx, c)
	if err != nil {
		return err
	}
	printSummary(out, c.Out, &world)
	store := filepath.Join(o.dir, "store")
	fmt.Fprintf(out, "\n2. matchd build --config %s --store %s --as-of %s\n\n", filepath.Join(c.Out, "onboard.yaml"), store, o.now.Format(time.DateOnly))
	err = runBuild(ctx, build.Options{
		Config: filepath.Join(c.Out, "onboard.yaml"), Store: store, AsOf: o.now, MaxBadRows: 0.01, Version: version(),
	}, out, errOut, false)
	if err != nil {
		return err
	}
	tenant := world.Examples[0].Tenant
	fmt.Fprintf(out, "\n3. A customer opts out: at once, and for good\n")
	s := &scene{dir: o.dir, out: out, build: build.Options{
		Config: filepath.Join(c.Out, "onboard.yaml"), Store: store, AsOf: o.now, Previous: build.Current, MaxBadRows: 0.01, Version: version(),
	}}
	if err := s.play(ctx, world.Examples[0]); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n4. matchd serve --store %s --events %s --open %s\n\n", store, demoEvents(o.dir), tenant)
	d := daemonOptions{open: tenant}
	d.Stores, d.Memory = []server.StoreConfig{server.StoreAt(store)}, snapshot.Map
	d.Stores[0].Events = demoEvents(o.dir)
	d.Listen, d.Admin = freeAddr(o.listen), freeAddr(o.admin)
	showing, stop := context.WithCancel(ctx)
	var shown sync.WaitGroup
	// It is told before the daemon answers, and asks it.
	d.started = func(public, _ string) {
		shown.Go(func() { show(showing, out, shownURL(public), &world) })
	}
	err = runDaemon(ctx, d, out)
	stop()
	shown.Wait()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "stopped; files and store are in %s\n", o.dir)
	return nil
}

// demoDir makes the demo's folder, empty. It removes nothing that an earlier
// demo did not make.
func demoDir(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(list) > 0 {
		if !slices.ContainsFunc(list, func(e os.DirEntry) bool { return e.Name() == demoMark }) {
			return fmt.Errorf("folder %s holds something that is no demo: name another with --dir", dir)
		}
		for _, name := range []string{"data", "store", "events", "matchd.yaml", "key"} {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, demoMark), nil, 0o644)
}

// freeAddr returns addr, or the same host with a port that the system chooses
// where addr is taken.
func freeAddr(addr string) string {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		_ = l.Close() // it was only tried
		return addr
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr // listening on it will say what is wrong
	}
	return net.JoinHostPort(host, "0")
}

// exampleTitles say what each example of a world shows.
var exampleTitles = map[string]string{
	"maid":            "a customer known by a phone's advertising id",
	"cookie":          "a customer known by a cookie",
	"consent_expired": "a customer whose consent has expired",
	"unknown":         "an id that nobody knows",
}

// query escapes a value of a query; colons may stay, and read better.
func query(s string) string {
	return strings.NewReplacer("%3A", ":", "+", "%20").Replace(url.QueryEscape(s))
}

// show prints what to try, and what bid requests are answered.
func show(ctx context.Context, out io.Writer, base string, world *gen.Summary) {
	printLookups(out, base, world)
	if maid := bidder(world); maid != "" {
		fmt.Fprintf(out, "\n6. Bid requests, and what they are answered\n")
		for _, c := range bidCalls(base, maid) {
			c.show(ctx, out)
		}
	}
	fmt.Fprintf(out, "\nCtrl-C ends the demo.\n")
}

// printLookups prints a line to copy for each example of the world.
func printLookups(out io.Writer, base string, world *gen.Summary) {
	fmt.Fprintf(out, "\n5. Lookups to try, in another terminal\n")
	for _, x := range world.Examples {
		fmt.Fprintf(out, "\n# %s\ncurl -s '%s/v1/match?id=%s'\n", exampleTitles[x.Name], base, query(x.Identifier))
		if x.Name == "cookie" {
			fmt.Fprintf(out, "\n# the same customer's segments, and a bucket for a test with 100 buckets\ncurl -s '%s/v1/segments?id=%s&experiment=button-colour&buckets=100'\n", base, query(x.Identifier))
			fmt.Fprintf(out, "\n# all identifiers of that customer\ncurl -s '%s/v1/identifiers?customer=%s:%s'\n", base, x.Tenant, query(x.Customer))
		}
	}
}

// bidder is an advertising id of a phone whose bid requests are enriched, or
// empty where the world has none.
func bidder(world *gen.Summary) string {
	candidates := world.Examples
	if world.BidRequest != nil {
		candidates = append([]gen.Example{*world.BidRequest}, candidates...)
	}
	for _, x := range candidates {
		if maid, ok := strings.CutPrefix(x.Identifier, "maid:"); ok && len(x.BidStream) > 0 {
			return maid
		}
	}
	return ""
}

// bidRequest is that of an app on a phone, for its advertising id and lmt.
const bidRequest = `{"id":"7f1c","at":1,"imp":[{"id":"1","banner":{"w":320,"h":50},"bidfloor":0.4}],"app":{"bundle":"com.example.weather"},"device":{"os":"Android","ifa":"%s","lmt":%d},"user":{"yob":1988}}`

// bidCall is a call that the demo prints, makes, and prints the answer of.
type bidCall struct {
	title, url   string
	body         string // of a POST; empty is a GET
	key, keyFile string // of the caller, if any, and the file that it is in
}

func bidCalls(base, maid string) []bidCall {
	return []bidCall{
		{title: "a bid request comes back with the segments that are declared for bid requests", url: base + "/v1/openrtb/enrich", body: fmt.Sprintf(bidRequest, maid, 0)},
		{title: "suppressed: the same phone limits ad tracking, and nothing is added (204)", url: base + "/v1/openrtb/enrich", body: fmt.Sprintf(bidRequest, maid, 1)},
		{title: "suppressed: a lookup of it says by which signal", url: base + "/v1/match?id=maid:" + maid + "&lmt=1"},
	}
}

func (c bidCall) show(ctx context.Context, out io.Writer) {
	fmt.Fprintf(out, "\n# %s\ncurl -s ", c.title)
	if c.keyFile != "" {
		fmt.Fprintf(out, `-H "Authorization: Bearer $(cat %s)" `, c.keyFile)
	}
	fmt.Fprintf(out, "'%s'", c.url)
	if c.body != "" {
		fmt.Fprintf(out, " -d '%s'", c.body)
	}
	fmt.Fprintln(out)
	status, answer, err := c.make(ctx)
	if ctx.Err() != nil {
		return // the demo was ended
	}
	if err != nil {
		fmt.Fprintf(out, "# no answer: %v\n", err)
		return
	}
	fmt.Fprintln(out, strings.TrimSpace(fmt.Sprintf("# answer: %d %s", status, answer)))
}

// make makes the call. It waits for the daemon, which may not have begun to answer.
func (c bidCall) make(ctx context.Context) (status int, answer []byte, err error) {
	method := http.MethodGet
	if c.body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url, strings.NewReader(c.body))
	if err != nil {
		return 0, nil, err
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	// A connection that stays open would hold up the daemon's end, and a proxy
	// has no way to this machine.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}
