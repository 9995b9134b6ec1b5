package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot"
)

func newClientListCommand() *cobra.Command {
	var (
		config string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "list --config matchd.yaml",
		Short: "List the clients and what they may see",
		Long: `Lists the clients of a config with their scopes and grants. KEY ID is how the hash
of the key begins; the key itself is kept nowhere.`,
		Example: "  matchd client list --config matchd.yaml",
	}
	cmd.Flags().StringVar(&config, "config", "matchd.yaml", "the config whose clients to list")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := server.ReadConfig(config)
		if err != nil {
			return err
		}
		list := make([]listedClient, 0, len(c.Clients))
		for _, client := range c.Clients {
			list = append(list, listed(client, time.Now()))
		}
		if asJSON {
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(list)
		}
		return printClients(cmd.OutOrStdout(), list)
	}
	return cmd
}

// listedClient is a client as it is listed.
type listedClient struct {
	Name        string        `json:"name"`
	KeyID       string        `json:"key_id"`
	Tenant      string        `json:"tenant,omitempty"` // said or implied
	Scopes      []string      `json:"scopes"`
	Rate        float64       `json:"rate,omitempty"`
	Burst       int           `json:"burst,omitempty"`
	Certificate string        `json:"certificate,omitempty"`
	IDSpace     string        `json:"id_space,omitempty"`
	Origins     []string      `json:"origins,omitempty"`
	Grants      []listedGrant `json:"grants"`
}

type listedGrant struct {
	Tenant      string     `json:"tenant"`
	Store       string     `json:"store,omitempty"`
	Segments    []string   `json:"segments"`
	Namespaces  []string   `json:"namespaces"`
	Customers   bool       `json:"customers"`
	Identifiers bool       `json:"identifiers"`
	Purposes    []string   `json:"purposes,omitempty"` // as said
	Until       *time.Time `json:"until,omitempty"`
	Ended       bool       `json:"ended"`
}

func listed(c server.Client, now time.Time) listedClient {
	out := listedClient{
		Name: c.Name, KeyID: c.Key.ID(), Tenant: c.Owner(), Scopes: c.Scopes.Names(), Rate: c.Rate, Burst: c.Burst,
		Certificate: c.Certificate, IDSpace: c.IDSpace, Grants: []listedGrant{},
	}
	if c.Browser != nil {
		out.Origins = c.Browser.Origins
	}
	for _, g := range c.Grants {
		out.Grants = append(out.Grants, listedGrantOf(g, now))
	}
	return out
}

func listedGrantOf(g engine.Grant, now time.Time) listedGrant {
	out := listedGrant{
		Tenant: g.Tenant, Store: g.Store, Segments: append([]string{}, g.Segments...), Namespaces: append([]string{}, g.Namespaces...),
		Customers: g.Customers, Identifiers: g.Identifiers,
	}
	for _, name := range []string{"use", "share"} {
		if p, err := snapshot.ParsePurpose(name); err == nil && g.Purposes&p != 0 {
			out.Purposes = append(out.Purposes, name)
		}
	}
	if !g.Until.IsZero() {
		out.Until, out.Ended = &g.Until, !now.Before(g.Until)
	}
	return out
}

func printClients(w io.Writer, list []listedClient) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no clients; matchd client add makes one")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CLIENT\tKEY ID\tOF\tSCOPES\tRATE\tGRANT\tSTORE\tSEGMENTS\tNAMESPACES\tSHOWS\tPURPOSES\tUNTIL")
	for _, c := range list {
		rate := "-"
		if c.Rate > 0 {
			rate = fmt.Sprintf("%v/s", c.Rate)
		}
		first := strings.Join([]string{c.Name, c.KeyID, cmp.Or(c.Tenant, "-"), strings.Join(c.Scopes, ","), rate}, "\t")
		if len(c.Grants) == 0 {
			fmt.Fprintf(t, "%s\tnothing\t\t\t\t\t\t\n", first)
		}
		for _, g := range c.Grants {
			fmt.Fprintf(t, "%s\t%s\n", first, g.row())
			first = "\t\t\t\t"
		}
	}
	return t.Flush()
}

func (g *listedGrant) row() string {
	until := "-"
	if g.Until != nil {
		until = strings.TrimSuffix(g.Until.Format(time.RFC3339), "T00:00:00Z")
	}
	if g.Ended {
		until += " (ended)"
	}
	shows := "segments"
	if g.Customers {
		shows += ",customers"
	}
	if g.Identifiers {
		shows += ",identifiers"
	}
	return strings.Join([]string{
		g.Tenant, cmp.Or(g.Store, "every"), some(g.Segments), some(g.Namespaces), shows, some(g.Purposes), until,
	}, "\t")
}

func some(list []string) string { return cmp.Or(strings.Join(list, ","), "-") }
