package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/snapshot"
)

func newAuditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Check and read an audit log",
	}
	cmd.AddCommand(newAuditVerifyCommand(), newAuditShowCommand())
	return cmd
}

func newAuditVerifyCommand() *cobra.Command {
	var (
		head   string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check every line of an audit log and the chain of their hashes",
		Long: `Reads an audit log and checks that each line is whole and follows the one before
it. The first that does not is told by its number, and the exit code is 1.

It prints the number of entries and the head, the hash of the last one. Keep the
head somewhere else: --head HEAD checks later that the log still has that entry,
which it has not if lines were cut off its end or written anew.`,
		Example: `  matchd audit verify audit.ndjson
  matchd audit verify audit.ndjson --head 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&head, "head", "", "the head of an earlier time, that the log must still have")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var want *audit.Hash
		if head != "" {
			h, err := audit.ParseHash(head)
			if err != nil {
				return usage(fmt.Errorf("--head: %w", err))
			}
			want = &h
		}
		s, err := verifyAudit(args[0], want)
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(s)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s is sound: %s entries, head %s\n", args[0], count(s.Entries), s.Head)
		if s.Torn > 0 {
			fmt.Fprintf(cmd.OutOrStdout(), "%s bytes at its end are of an entry that was cut short and acknowledged to nobody\n", count(s.Torn))
		}
		return nil
	}
	return cmd
}

// verifyAudit checks a log, and that it has the entry with the hash want, if
// that is not nil.
func verifyAudit(path string, want *audit.Hash) (s audit.Summary, err error) {
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	found := want == nil || *want == audit.Genesis()
	s, err = audit.Verify(f, func(r audit.Record, _ []byte) error {
		found = found || r.Hash == *want
		return nil
	})
	switch {
	case err != nil:
		return s, fmt.Errorf("%s: %w", path, err)
	case !found:
		return s, fmt.Errorf("%s: %w: none of its %s entries has the hash %s: entries were cut off or written anew, or it is another log",
			path, audit.ErrCorrupt, count(s.Entries), want)
	}
	return s, nil
}

// auditFilter says which entries to show.
type auditFilter struct {
	since   time.Time
	action  string
	subject []string // one of these
}

func (f *auditFilter) shows(r *audit.Record) bool {
	return !r.At.Before(f.since) && (f.action == "" || r.Action == f.action || strings.HasPrefix(r.Action, f.action+".")) &&
		(f.subject == nil || slices.Contains(f.subject, r.Subject))
}

func newAuditShowCommand() *cobra.Command {
	var (
		filter          auditFilter
		since, subject  string
		customer, store string
		asJSON          bool
	)
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Print entries of an audit log, checked",
		Long: `Prints the entries of an audit log, oldest first, each checked as by audit verify.

A customer stands in the log under a pseudonym that needs the store's key to
make: --customer TENANT:CUSTOMER with --store shows what was done about that one,
also before the store was moved to its key, by former ones that it still has.`,
		Example: `  matchd audit show audit.ndjson --since 2026-11-01 --action client
  matchd audit show audit.ndjson --customer acme:C-123 --store store`,
		Args: cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "only entries from this time on, RFC 3339 or YYYY-MM-DD")
	f.StringVar(&filter.action, "action", "", "only this action, such as client.add, or this kind, such as client")
	f.StringVar(&subject, "subject", "", "only entries about this subject")
	f.StringVar(&customer, "customer", "", "only entries about this customer, TENANT:CUSTOMER; needs --store")
	f.StringVar(&store, "store", "", "the store whose key made the pseudonyms")
	f.BoolVar(&asJSON, "json", false, "print the lines as they are")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		switch {
		case (customer == "") != (store == ""):
			return usage(errors.New("--customer and --store go together: the store's key makes the customer's pseudonym"))
		case customer != "" && subject != "":
			return usage(errors.New("give --customer or --subject, not both"))
		}
		if since != "" {
			if filter.since, err = snapshot.ParseTime(since); err != nil {
				return usage(fmt.Errorf("--since: %w", err))
			}
		}
		if customer != "" {
			if filter.subject, err = pseudonyms(store, customer); err != nil {
				return err
			}
		} else if subject != "" {
			filter.subject = []string{subject}
		}
		return showAudit(args[0], &filter, asJSON, cmd.OutOrStdout())
	}
	return cmd
}

// pseudonyms are what stands in a log for a customer of a store, under the key
// that the store has and under those that it had and still keeps.
func pseudonyms(dir, customer string) ([]string, error) {
	store, err := snapshot.OpenStore(dir)
	if err != nil {
		return nil, err
	}
	keys, err := store.Keys()
	if err != nil {
		return nil, err
	}
	out := []string{audit.Pseudonym(audit.Hasher(keys.Secret), customer)}
	for _, former := range keys.Former {
		out = append(out, audit.Pseudonym(audit.Hasher(former), customer))
	}
	return out, nil
}

func showAudit(path string, filter *auditFilter, asJSON bool, out io.Writer) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = audit.Verify(f, func(r audit.Record, line []byte) (err error) {
		switch {
		case !filter.shows(&r):
		case asJSON:
			_, err = fmt.Fprintf(out, "%s\n", line)
		default:
			_, err = fmt.Fprintln(out, recordText(&r))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func recordText(r *audit.Record) string {
	words := []string{count(r.Seq), r.At.Format(time.RFC3339), shownText(r.Actor), r.Action}
	if r.Subject != "" {
		words = append(words, shownText(r.Subject))
	}
	for _, k := range slices.Sorted(maps.Keys(r.Detail)) {
		words = append(words, shownText(k)+"="+shownText(r.Detail[k]))
	}
	return strings.Join(words, "  ")
}

// shownText is a text as it can stand in a line: quoted where it would not be
// one word, so that nobody writes lines or columns of his own.
func shownText(s string) string {
	if quoted := fmt.Sprintf("%q", s); s == "" || strings.ContainsAny(s, " =") || quoted != `"`+s+`"` {
		return quoted
	}
	return s
}
