package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/proof"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot/build/fold"
)

func newPrivacyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "privacy",
		Short: "Answer a person: what is held, erase it, and prove that",
	}
	cmd.AddCommand(newPrivacyShowCommand(), newPrivacyEraseCommand(), newPrivacyCertificateCommand())
	return cmd
}

// form has the fields that are not empty.
func form(pairs ...string) url.Values {
	out := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out.Set(pairs[i], pairs[i+1])
		}
	}
	return out
}

func indented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func newPrivacyShowCommand() *cobra.Command {
	var a adminClient
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Print all that a daemon holds of a person, as JSON",
		Long: `Prints what each store holds of the person that an identifier leads to: the
person's identifiers, who says so and since when; the profiles of all tenants with
segments and consent; live changes; and which clients may ask. It is for the
operator: look at whose data they are before you hand them out, as a shared device
joins persons.

The daemon notes in its audit log that it was asked, with a pseudonym.`,
		Example: "  matchd privacy show crm.acme:C-123\n  matchd privacy show maid:6d92078a-8246-4ba4-ae5b-76104861e7dc --json",
		Args:    cobra.ExactArgs(1),
	}
	a.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := a.ask(cmd.Context(), http.MethodPost, "/admin/v1/privacy/show", form("id", args[0], "store", a.store), 256<<20)
		if err != nil {
			return err
		}
		var out struct {
			Stores []server.StoreHoldings `json:"stores"`
		}
		if err := json.Unmarshal(body, &out); err != nil {
			return err
		}
		return indented(cmd.OutOrStdout(), out.Stores)
	}
	return cmd
}

func newPrivacyEraseCommand() *cobra.Command {
	var (
		a                    adminClient
		tenant, customer, id string
	)
	cmd := &cobra.Command{
		Use:   "erase --tenant TENANT --customer TENANT:ID",
		Short: "Have a daemon forget a customer, at once",
		Long: `Sends an erasure to a daemon. When it prints the receipt, the erasure is on disk
and every lookup that begins later obeys it. Keep the receipt: matchd privacy
certificate SEQ proves what became of it.`,
		Example: "  matchd privacy erase --tenant acme --customer acme:C-123",
		Args:    cobra.NoArgs,
	}
	a.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&tenant, "tenant", "", "the tenant that forgets the customer, or * for all")
	f.StringVar(&customer, "customer", "", "the customer, tenant:customer_id")
	f.StringVar(&id, "id", "", "a name for the erasure: sent again it does nothing (default: a new one)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if tenant == "" || customer == "" {
			return usage(errors.New("name the --tenant and the --customer"))
		}
		body, err := a.ask(cmd.Context(), http.MethodPost, "/admin/v1/privacy/erase", form("tenant", tenant, "customer", customer, "id", id, "store", a.store), 1<<20)
		if err != nil {
			return err
		}
		var out struct {
			Receipts []server.StoreReceipt `json:"receipts"`
		}
		if err := json.Unmarshal(body, &out); err != nil {
			return err
		}
		if a.asJSON {
			return indented(cmd.OutOrStdout(), out.Receipts)
		}
		for _, r := range out.Receipts {
			fmt.Fprintf(cmd.OutOrStdout(), "%s: erased as record %d at %s\n  log  %s\n  hash %s\n", r.Store, r.Seq, r.Time.UTC().Format(time.RFC3339Nano), r.Log, r.Hash)
		}
		return nil
	}
	return cmd
}

func newPrivacyCertificateCommand() *cobra.Command {
	var (
		a            adminClient
		events, file string
	)
	cmd := &cobra.Command{
		Use:   "certificate SEQ | --verify FILE",
		Short: "Print what became of an erasure, with the proof, or check that",
		Long: `Prints a certificate of the erasure that is record SEQ of the log, as JSON: what
was erased, as a keyed hash; when it was accepted, and first refused; on which
snapshots the customer is gone; until when kept ones are removed. It brings the
chain of the log from the erasure to the newest note about it.

It is asked of a daemon, or read from a log that nobody has open: --events DIR.

--verify checks a certificate, without a daemon or a log. Compare the hash that it
prints with the receipt of the erasure. It proves that the log says so; that the
daemon told the truth in its log, and that no note was left out, it does not.`,
		Example: `  matchd privacy certificate 17 > certificate.json
  matchd privacy certificate 17 --events /srv/pool-events
  matchd privacy certificate --verify certificate.json`,
		Args: cobra.MaximumNArgs(1),
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&events, "events", "", "folder of a log that no daemon has open")
	cmd.Flags().StringVar(&file, "verify", "", "check the certificate in a file, - for the standard input")
	cmd.MarkFlagsMutuallyExclusive("events", "verify")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (len(args) == 1) == (file != "") {
			return usage(errors.New("name the number of an erasure, or a certificate to --verify"))
		}
		if file != "" {
			return verifyCertificate(cmd, file, a.asJSON)
		}
		seq, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil {
			return usage(fmt.Errorf("%q is not the number of a record, as the receipt has it", args[0]))
		}
		var c proof.Certificate
		if events != "" {
			c, err = certificateOf(events, seq)
		} else {
			c, err = a.certificate(cmd, seq)
		}
		if err != nil {
			return err
		}
		return indented(cmd.OutOrStdout(), c)
	}
	return cmd
}

// mostCertificate is how long the longest certificate is, in bytes.
const mostCertificate = 1 << 30

func (a *adminClient) certificate(cmd *cobra.Command, seq uint64) (proof.Certificate, error) {
	query := form("seq", strconv.FormatUint(seq, 10), "store", a.store).Encode()
	body, err := a.ask(cmd.Context(), http.MethodGet, "/admin/v1/privacy/certificate?"+query, nil, mostCertificate)
	if err != nil {
		return proof.Certificate{}, err
	}
	return proof.Decode(body)
}

// certificateOf makes a certificate from a log that nobody has open.
func certificateOf(dir string, seq uint64) (c proof.Certificate, err error) {
	if err := fold.Exists(dir); err != nil { // it would be made
		return c, err
	}
	log, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	return proof.Make(log, seq)
}

func verifyCertificate(cmd *cobra.Command, file string, asJSON bool) error {
	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, mostCertificate))
	if err != nil {
		return err
	}
	c, err := proof.Decode(text)
	if err != nil {
		return err
	}
	if err := c.Verify(); err != nil {
		return err
	}
	if asJSON {
		return indented(cmd.OutOrStdout(), c.Statement)
	}
	printStatement(cmd.OutOrStdout(), &c)
	return nil
}

// printStatement says what a certificate that was checked says.
func printStatement(w io.Writer, c *proof.Certificate) {
	stamp := func(t *time.Time) string {
		if t == nil {
			return "not noted yet"
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	e := &c.Erasure
	fmt.Fprintf(w, "the certificate proves what it says; compare the hash with the receipt\n")
	fmt.Fprintf(w, "erasure %d, of log %s as the certificate has it\n  hash           %s\n  customer       %s of tenant %s, under key %s\n", e.Seq, c.Log, e.Hash, e.Customer, e.Tenant, e.Key)
	fmt.Fprintf(w, "  accepted       %s\n  first refused  %s\n  kept snapshots gone by  %s\n", stamp(&e.Accepted), stamp(c.Refused), stamp(c.Until))
	if c.Lifted > 0 {
		fmt.Fprintf(w, "  taken back by record %d\n", c.Lifted)
	}
	for _, s := range c.Snapshots {
		fmt.Fprintf(w, "  %-8s %s, by record %d\n", s.State, s.Name, s.Note)
	}
	fmt.Fprintf(w, "  up to record %d, %s\n", c.Proof.To, c.Proof.Head)
}
