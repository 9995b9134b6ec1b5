package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/engine/server"
)

func newClientCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "client",
		Short: "Make, list and revoke API keys",
	}
	cmd.AddCommand(newClientAddCommand(), newClientListCommand(), newClientRevokeCommand())
	return cmd
}

func newClientAddCommand() *cobra.Command {
	var (
		c         newClient
		config    string
		tenants   []string
		grant     grantYAML
		customers bool
	)
	cmd := &cobra.Command{
		Use:   "add NAME --config matchd.yaml --tenant TENANT --segments A,B --namespaces A,B",
		Short: "Add a client and print its API key",
		Long: `Makes a key of 256 random bits, prints it to standard output, and adds the client
with the key's SHA-256 to the config. The key is printed this once and kept
nowhere. Comments in the config stay. A running daemon takes the client within a
second.

A grant to another brand's client is a share: it shows segments only, unless
--customers is given, and reaches only profiles whose consent includes sharing.

What bid requests hold (openrtb) and how pages ask (browser) is added to the
config by hand.`,
		Example: `  matchd client add acme-ads --config matchd.yaml --store store --tenant acme --segments '*' --namespaces '*'
  matchd client add dsp --config matchd.yaml --tenant acme --segments vip,churn.high --namespaces maid,cookie.site
  matchd client add partner --config matchd.yaml --client-of globex --tenant acme --segments vip --namespaces maid \
      --until 2027-12-31 --scopes segments,enrich --rate 5000`,
		Args: cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&config, "config", "matchd.yaml", "the config to add the client to, made where there is none")
	f.StringVar(&c.store, "store", "", "for a new config: the store that it names")
	f.StringVar(&c.Tenant, "client-of", "", "the tenant whose client it is (default: the --tenant, if it is one)")
	f.StringSliceVar(&c.Scopes, "scopes", nil, "what it may do: match, segments, identifiers, enrich, events, privacy, admin (default: match and segments, and identifiers with --identifiers)")
	f.Float64Var(&c.Rate, "rate", 0, "questions a second that it may ask; 0 is any number")
	f.IntVar(&c.Burst, "burst", 0, "questions that it may ask at once (default: a second's)")
	f.StringVar(&c.Certificate, "certificate", "", "DNS name or common name of the client certificate without which the key is not taken")
	f.StringVar(&c.IDSpace, "id-space", "", "what its person ids are scoped to (default: its tenant)")
	f.IntVar(&c.Privacy.Vendor, "vendor", 0, "its number in the Global Vendor List")
	f.IntSliceVar(&c.Privacy.Purposes, "vendor-purposes", nil, "TCF purposes that it asks for")
	f.StringVar(&c.Privacy.Jurisdiction, "jurisdiction", "", "law that holds where a request names none: none, gdpr or us")
	f.StringArrayVar(&tenants, "tenant", nil, "tenant that the client may ask for; may be repeated")
	f.StringVar(&grant.Store, "store-name", "", "the store in which the grants hold, by its name in the config (default: every store)")
	f.StringSliceVar(&grant.Segments, "segments", nil, "segments that it is shown, or * for all")
	f.StringSliceVar(&grant.Namespaces, "namespaces", nil, "namespaces that it may ask by and see, or * for all")
	f.BoolVar(&customers, "customers", false, "show customer ids (default: to the tenant's own client)")
	f.BoolVar(&grant.Identifiers, "identifiers", false, "let it list the identifiers of customers, whose ids are then shown")
	f.StringSliceVar(&grant.Purposes, "purposes", nil, "purposes that consent has to cover: use, share (default: use for the tenant's own client, share for others)")
	f.StringVar(&grant.Until, "until", "", "when the grants end, as in 2027-01-31 (its start, UTC) or 2027-01-31T12:00:00Z")
	required(cmd, "tenant", "segments", "namespaces") // nothing is granted unsaid
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c.Name = args[0]
		if err := checkUntil(grant.Until, time.Now()); err != nil {
			return err
		}
		if cmd.Flags().Changed("customers") {
			grant.Customers = &customers
		} else if grant.Identifiers {
			grant.Customers = &grant.Identifiers
		}
		for _, t := range tenants {
			g := grant
			g.Tenant = t
			c.Grants = append(c.Grants, g)
		}
		return addClient(config, c, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// checkUntil refuses the end of a grant that would never hold.
func checkUntil(until string, now time.Time) error {
	if until == "" {
		return nil
	}
	t, err := server.ParseUntil(until)
	if err == nil && !t.After(now) {
		err = fmt.Errorf("%s is past: the grant would never hold", until)
	}
	if err != nil {
		return usage(fmt.Errorf("--until: %w", err))
	}
	return nil
}

// newClient is a client as the config has it.
type newClient struct {
	Name        string      `yaml:"name"`
	Tenant      string      `yaml:"tenant,omitempty"`
	Key         string      `yaml:"key_sha256"`
	Scopes      []string    `yaml:"scopes,flow,omitempty"`
	Rate        float64     `yaml:"rate,omitempty"`
	Burst       int         `yaml:"burst,omitempty"`
	Certificate string      `yaml:"certificate,omitempty"`
	IDSpace     string      `yaml:"id_space,omitempty"`
	Privacy     privacyYAML `yaml:"privacy,omitempty"`
	Grants      []grantYAML `yaml:"grants"`

	store string // for a new config
}

type privacyYAML struct {
	Vendor       int    `yaml:"vendor,omitempty"`
	Purposes     []int  `yaml:"purposes,flow,omitempty"`
	Jurisdiction string `yaml:"jurisdiction,omitempty"`
}

type grantYAML struct {
	Tenant      string   `yaml:"tenant"`
	Store       string   `yaml:"store,omitempty"`
	Segments    []string `yaml:"segments,flow"`
	Namespaces  []string `yaml:"namespaces,flow"`
	Customers   *bool    `yaml:"customers,omitempty"`
	Identifiers bool     `yaml:"identifiers,omitempty"`
	Purposes    []string `yaml:"purposes,flow,omitempty"`
	Until       string   `yaml:"until,omitempty"`
}

// addClient adds a client to a config and prints its key, once that is safe.
func addClient(config string, c newClient, out, errOut io.Writer) error {
	key := server.NewKey()
	c.Key = server.HashKey(key).String()
	begin := func(path string) (configFile, error) { return readOrBegin(path, c.store) }
	err := editConfig(config, begin, func(f configFile) ([]byte, error) {
		data, err := f.with(c)
		if err != nil {
			return nil, err
		}
		if _, err := server.ParseConfig(f.path, data); err != nil {
			return nil, fmt.Errorf("add client %s: %w", c.Name, err)
		}
		return data, auditClient(f.Audit, audit.ClientAdd, c.Name, server.HashKey(key))
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(errOut, "added client %s to %s; a running daemon takes it within a second. Its API key, shown this once:\n", c.Name, config)
	_, err = fmt.Fprintln(out, key)
	return err
}
