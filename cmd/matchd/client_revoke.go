package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/engine/server"
)

func newClientRevokeCommand() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "revoke NAME --config matchd.yaml",
		Short: "Remove a client, whose key is then nobody's",
		Long: `Removes a client from the config. Comments elsewhere in the config stay. A running
daemon refuses the key within a second, and at once on SIGHUP.`,
		Example: "  matchd client revoke acme-ads --config matchd.yaml",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&config, "config", "matchd.yaml", "the config to remove the client from")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return revokeClient(config, args[0], cmd.OutOrStdout())
	}
	return cmd
}

func revokeClient(config, name string, out io.Writer) error {
	err := editConfig(config, readConfig, func(f configFile) ([]byte, error) {
		at := slices.IndexFunc(f.Clients, func(c server.Client) bool { return c.Name == name })
		if at < 0 {
			return nil, unknownClient(f, name)
		}
		data, err := f.without(at)
		if err != nil {
			return nil, err
		}
		return data, auditClient(f.Audit, audit.ClientRevoke, name, f.Clients[at].Key)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "revoked client %s in %s; a running daemon refuses its key within a second\n", name, config)
	return err
}

// auditClient notes in the audit log, if the config names one, what is about to
// be done to a client. What cannot be noted is not done.
func auditClient(path, action, name string, key server.KeyHash) error {
	log, err := openAudit(path)
	if err != nil {
		return err
	}
	if _, err := log.Append(audit.Entry{Actor: "cli", Action: action, Subject: name, Detail: map[string]string{"key": key.ID()}}); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

func unknownClient(f configFile, name string) error {
	if len(f.Clients) == 0 {
		return fmt.Errorf("%s has no clients", f.path)
	}
	known := make([]string, len(f.Clients))
	for i, c := range f.Clients {
		known[i] = c.Name
	}
	return fmt.Errorf("%s has no client %q; %s", f.path, name, server.Suggest(name, known))
}
