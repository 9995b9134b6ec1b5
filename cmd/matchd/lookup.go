package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/fold"
)

func newLookupCommand() *cobra.Command {
	var (
		o  lookupOptions
		at string
	)
	cmd := &cobra.Command{
		Use:   "lookup --store DIR ID...",
		Short: "Answer identifiers offline, from a store",
		Long: `Answers each identifier as the daemon would answer the owner of the store: all
tenants, segments and namespaces. --tenant narrows it to one tenant's grant.

A store that has a log of live changes is answered from with it, in --events,
while no daemon has it open; or --without-log tells what the snapshot alone has,
those who opted out or were erased since it was built among it.

--explain tells how the answer came about: which shard, record, links and
methods, and what consent decided. It shows what no client may learn.`,
		Example: `  matchd lookup --store store maid:6d92078a-8246-4ba4-ae5b-76104861e7dc
  matchd lookup --store store --explain crm.acme:C-123`,
		Args: cobra.MinimumNArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&o.store, "store", "", "the store to answer from")
	f.StringVar(&o.events, "events", "", "folder of the store's log of live changes, to obey it")
	f.BoolVar(&o.withoutLog, "without-log", false, "answer although the store has a log, as if nobody had opted out or been erased since the build")
	f.StringVar(&o.tenant, "tenant", "", "answer as a client with a grant for this tenant alone")
	f.StringVar(&at, "at", "", "answer as of this time, RFC 3339 or YYYY-MM-DD (default: now)")
	f.BoolVar(&o.explain, "explain", false, "tell how the answer came about")
	f.BoolVar(&o.asJSON, "json", false, "print JSON, one answer a line")
	required(cmd, "store")
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		o.now = time.Now
		if o.withoutLog && o.events != "" {
			return usage(errors.New("--without-log does not go with --events"))
		}
		if at != "" {
			t, err := snapshot.ParseTime(at)
			if err != nil {
				return usage(fmt.Errorf("--at: %w", err))
			}
			o.now = func() time.Time { return t }
		}
		return lookup(cmd.OutOrStdout(), o, ids)
	}
	return cmd
}

type lookupOptions struct {
	store, tenant, events string
	now                   func() time.Time
	explain, asJSON       bool
	withoutLog            bool
}

// operator is the client that offline lookups are answered as.
const operator = "operator"

func lookup(out io.Writer, o lookupOptions, ids []string) (err error) {
	store, err := snapshot.OpenStore(o.store)
	if err != nil {
		return err
	}
	e, err := openLookup(store, &o)
	if err != nil {
		return err
	}
	defer func() { _ = e.Close() }() // only reads
	if _, err := e.Reload(); err != nil {
		return err
	}
	if err := e.SetClients([]engine.Client{operatorOf(e, o.tenant)}); err != nil {
		return err
	}
	s, err := e.Begin(operator)
	if err != nil {
		return err
	}
	defer s.End()
	list := make([][]byte, len(ids))
	for i, id := range ids {
		list[i] = []byte(id)
	}
	var b engine.Batch
	if err := s.Match(&b, list); err != nil {
		return err
	}
	if o.withoutLog && !o.asJSON {
		fmt.Fprintln(out, "without the store's log of live changes: who opted out or was erased since the build is answered as before")
	}
	for i := range b.Answers {
		if err := printAnswer(out, o, &s, &b, &b.Answers[i], ids[i]); err != nil {
			return err
		}
	}
	return nil
}

// openLookup makes the engine, with the store's log of live changes where there
// is one. Where it is left aside, o says so afterwards.
func openLookup(store *snapshot.Store, o *lookupOptions) (*engine.Engine, error) {
	if o.withoutLog {
		id, err := store.Log()
		if err != nil {
			return nil, err
		}
		o.withoutLog = id != ""
	} else if err := checkLog(store, o.events, false, "--events, or say --without-log"); err != nil {
		return nil, err
	}
	e, err := engine.New(engine.Options{Store: store, Now: o.now, WithoutLog: o.withoutLog})
	if err != nil || o.events == "" {
		return e, err
	}
	err = fold.Exists(o.events)
	if err == nil {
		err = e.OpenChanges(o.events)
	}
	if errors.Is(err, eventlog.ErrInUse) {
		err = fmt.Errorf("%w: a daemon has it open: ask the daemon", err)
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// operatorOf returns a client with every grant, or one tenant's.
func operatorOf(e *engine.Engine, tenant string) engine.Client {
	c := engine.Client{Name: operator, IDSpace: tenant}
	all := []string{engine.All}
	for _, t := range e.Tenants() {
		if tenant == "" || t.Name == tenant {
			c.Grants = append(c.Grants, engine.Grant{Tenant: t.Name, Segments: all, Namespaces: all, Customers: true, Identifiers: true, Purposes: snapshot.Use})
		}
	}
	return c
}

// shownAnswer is an answer as JSON.
type shownAnswer struct {
	ID          string              `json:"id"`
	Status      string              `json:"status"`
	Reason      string              `json:"reason,omitempty"`
	Person      string              `json:"person,omitempty"`
	Profiles    []shownProfile      `json:"profiles,omitempty"`
	Snapshot    string              `json:"snapshot"`
	WithoutLog  bool                `json:"without_log,omitempty"` // live changes are not obeyed
	Explanation *engine.Explanation `json:"explanation,omitempty"`
}

type shownProfile struct {
	Tenant   string   `json:"tenant"`
	Customer string   `json:"customer"`
	Kind     string   `json:"kind"`
	Segments []string `json:"segments"`
	Method   string   `json:"method"`
	Seen     string   `json:"seen"`
	Expires  string   `json:"expires_at,omitempty"`
}

func printAnswer(out io.Writer, o lookupOptions, s *engine.Session, b *engine.Batch, a *engine.Answer, id string) error {
	shown := shownAnswer{ID: id, Status: "none", Reason: string(a.Reason), Snapshot: s.Snapshot(), WithoutLog: o.withoutLog}
	if a.Matched() {
		shown.Status, shown.Reason, shown.Person = "matched", "", s.Person(a).String()
	}
	for i := range b.Profiles(a) {
		shown.Profiles = append(shown.Profiles, showProfile(s, b, &b.Profiles(a)[i]))
	}
	if o.explain {
		x, err := s.Explain(id)
		if err != nil {
			return err
		}
		shown.Explanation = &x
	}
	if o.asJSON {
		return json.NewEncoder(out).Encode(shown)
	}
	printShown(out, &shown)
	return nil
}

func showProfile(s *engine.Session, b *engine.Batch, p *engine.Profile) shownProfile {
	out := shownProfile{
		Tenant: s.Tenant(p.Tenant).Name, Customer: string(b.Customer(p)), Kind: p.Kind.String(),
		Segments: []string{}, Method: p.Strength.Method.String(), Seen: p.Strength.Seen.String(),
	}
	for _, seg := range b.Segments(p) {
		out.Segments = append(out.Segments, s.Segment(seg))
	}
	if p.Expires != 0 {
		out.Expires = time.Unix(p.Expires, 0).UTC().Format(time.RFC3339)
	}
	return out
}

func printShown(w io.Writer, a *shownAnswer) {
	if a.Status != "matched" {
		fmt.Fprintf(w, "%s: none, %s\n", a.ID, a.Reason)
	} else {
		fmt.Fprintf(w, "%s: matched, person %s\n", a.ID, a.Person)
	}
	for _, p := range a.Profiles {
		until := ""
		if p.Expires != "" {
			until = ", consent until " + p.Expires
		}
		fmt.Fprintf(w, "  %s %s:%s in [%s], %s, seen %s%s\n", p.Kind, p.Tenant, p.Customer, strings.Join(p.Segments, " "), p.Method, p.Seen, until)
	}
	if a.Explanation != nil {
		printExplanation(w, a.Explanation)
	}
}

func printExplanation(w io.Writer, x *engine.Explanation) {
	if x.Error != "" {
		fmt.Fprintf(w, "  %s\n", x.Error)
		return
	}
	fmt.Fprintf(w, "  hash %s: index shard %d, filter %s\n", x.Hash, x.IndexShard, map[bool]string{true: "lets it pass", false: "says absent"}[x.Filter])
	if !x.Found {
		fmt.Fprintln(w, "  no record confirms it")
		return
	}
	fmt.Fprintf(w, "  record shard %d, offset %d: person %s with %d identifiers\n", x.RecordShard, x.Offset, x.Person, x.Identifiers)
	for _, p := range x.Profiles {
		path := "no path of fresh links"
		if p.Reached {
			path = fmt.Sprintf("path %s, seen %s", p.Method, p.Seen)
		}
		granted := ""
		if !p.Granted {
			granted = ", not granted"
		}
		fmt.Fprintf(w, "  profile %s:%s%s: %s; basis %s, consent %s", p.Tenant, p.Customer, granted, path, p.Basis, p.Consent)
		if p.ConsentAt != "" {
			fmt.Fprintf(w, ", given %s", p.ConsentAt)
		}
		if p.ConsentExpires != "" {
			fmt.Fprintf(w, ", until %s", p.ConsentExpires)
		}
		fmt.Fprintln(w)
	}
	for _, k := range x.Links {
		aged := ""
		if k.Aged {
			aged = ", too old"
		}
		fmt.Fprintf(w, "  link %s - %s: %s by %s (%s party), seen %s to %s%s\n", k.A, k.B, k.Method, k.Source, k.Party, k.First, k.Last, aged)
	}
}
