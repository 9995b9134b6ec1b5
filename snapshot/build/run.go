package build

import (
	"context"
	"errors"
	"strings"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/report"
	"github.com/matchd/matchd/snapshot/build/spill"
	"github.com/matchd/matchd/snapshot/resolve"
)

// read reads and normalises all files, gives up on too many bad rows, and
// numbers the identifiers.
func (b *builder) read(ctx context.Context) (*numbering, rowSum, error) {
	b.begin("read")
	rows := b.space.Store("rows", partitions)
	r := reader{
		cfg: b.cfg, norm: b.norm, ns: b.ns, tracer: b.tracer, asOf: b.cfg.AsOf.Unix(), oldest: b.oldest, workers: b.opts.Workers,
		ids: snapshot.IdentifierHasher(b.secret), content: b.secret.Hasher(contentPurpose),
		to: rows, codes: newCodes(), rows: &b.progress.rows, bytes: &b.progress.bytes, report: &b.report.Read, former: formerHashes{},
	}
	var err error
	if r.live, err = b.liveRules(r.ids); err != nil {
		return nil, rowSum{}, err
	}
	b.progress.total(r.size(b.profiles, b.links))
	sum, aged, err := r.read(ctx, b.profiles, b.links)
	b.report.Aged = aged
	if err == nil {
		err = b.checkRows()
	}
	if err == nil && b.live != nil {
		b.report.Live.add(&r.did)
		err = b.writeLive(&r)
	}
	if err == nil && b.previous != nil {
		err = readPrevious(ctx, b.begin("read previous"), b.previous, b.ns, snapshot.IdentifierHasher(b.secret), rows)
	}
	if err != nil {
		return nil, sum, err
	}
	n := b.numbering(r.codes, rows)
	n.former = r.former
	return n, sum, n.run(ctx, b.begin("number"))
}

// numbering is the stage that numbers what was read.
func (b *builder) numbering(c *codes, rows *spill.Store) *numbering {
	return &numbering{
		tenants: b.cfg.Tenants, asOf: b.cfg.AsOf.Unix(), ranks: c.rank(), segments: c.list, from: rows, oldest: dayOf(b.cfg),
		nodes: b.space.Store("nodes", partitions), hashes: b.space.Store("hashes", partitions), half: b.space.Store("half", partitions),
	}
}

func dayOf(cfg *config.Config) snapshot.Day {
	day, _ := snapshot.DayOf(cfg.AsOf)
	return day
}

// checkRows gives up where too many rows are bad.
func (b *builder) checkRows() error {
	read := &b.report.Read
	rows := read.ProfileRows + read.LinkRows + read.Bad
	if float64(read.Bad) > b.opts.MaxBadRows*float64(rows) {
		return &TooManyBadRowsError{Bad: read.Bad, Rows: rows, Limit: b.opts.MaxBadRows}
	}
	if rows == 0 {
		return errors.New("the files hold no rows at all: nothing was published")
	}
	return nil
}

// connect joins links to numbers, finds the connected sets, and brings each
// together. It returns the earliest day that a record has to hold.
func (b *builder) connect(ctx context.Context, n *numbering) (*grouping, snapshot.Day, error) {
	j := &joining{n: n, nodes: b.nodes, links: b.space.Store("links", partitions)}
	if err := j.run(ctx, b.begin("join")); err != nil {
		return nil, 0, err
	}
	m := &merging{n: n, rules: b.cfg.Rules, from: j.links, links: b.space.Store("merged", partitions), oldest: n.oldest}
	if err := m.run(ctx, b.begin("merge")); err != nil {
		return nil, 0, err
	}
	c := &connecting{n: n, space: b.space, links: m.links, crowded: m.crowded, largest: b.cfg.MaxConnected}
	if err := c.run(ctx, b.begin("connect")); err != nil {
		return nil, 0, err
	}
	count, shift := groups(n.nodes.Bytes() + m.links.Bytes())
	g := &grouping{n: n, c: c, nodes: b.space.Store("set nodes", count), links: b.space.Store("set links", count), shift: shift}
	if b.previous != nil {
		h := &inheriting{n: n, nodes: b.nodes, space: b.space}
		if err := h.run(ctx, b.begin("find heirs")); err != nil {
			return nil, 0, err
		}
		g.heirs = h.heirs
	}
	return g, m.oldest, g.run(ctx, b.begin("group"))
}

// describe describes the snapshot to be.
func (b *builder) describe(n *numbering, sum rowSum, oldest snapshot.Day) (snapshot.Meta, error) {
	b.report.Merged = n.total.Merged
	b.report.Identifiers = n.total.Identifiers
	meta := snapshot.Meta{
		KeyID: b.secret.ID(), AsOf: b.cfg.AsOf, Oldest: oldest, LinkMaxAge: b.cfg.LinkMaxAge,
		Normalised: b.norm.Normalised(), Rules: b.cfg.RulesText(),
		IndexShards: b.opts.Shards, RecordShards: b.opts.Shards,
	}
	if b.opts.Shards == 0 {
		meta.IndexShards = shardsFor(n.count())
		meta.RecordShards = meta.IndexShards
	}
	if b.live != nil {
		meta.Applied = map[string]uint64{b.live.Log: b.live.Seq}
		meta.FormerKeys = b.formerKeys
	}
	meta.ID = b.snapshotID(meta, sum)
	return meta, meta.Validate()
}

// resolve cuts the sets into persons and counts them.
func (b *builder) resolve(ctx context.Context, n *numbering, g *grouping, meta snapshot.Meta) (*resolving, error) {
	shown := report.Config{
		AsOf: b.cfg.AsOf, Namespaces: b.ns, Sources: b.cfg.Sources(), Tenants: b.cfg.SnapshotTenants(),
		Segments: n.segments, Largest: n.largest(report.MaxLargest),
	}
	r := &resolving{
		cfg: b.cfg, ns: b.ns, nodes: b.nodes, tracer: b.tracer, own: ownSources(b.cfg), sources: shown.Sources, segments: n.segments,
		asOf: b.cfg.AsOf.Unix(), hasher: snapshot.PersonHasher(b.secret), g: g, former: n.former,
		persons: b.space.Store("persons", max(partitions, meta.RecordShards)), cuts: b.space.Store("cuts", g.nodes.Len()),
		collect: func() *report.Collector { return report.NewCollector(shown) },
	}
	if b.previous != nil {
		r.salt = b.previous.ID[:]
	}
	if err := r.run(ctx, b.begin("resolve")); err != nil {
		return nil, err
	}
	b.count(r)
	return r, nil
}

// count fills the report in with what came of the sets.
func (b *builder) count(r *resolving) {
	b.report.Dropped = r.result.dropped + r.g.alone
	b.report.Shared = r.result.shared + int64(len(r.g.crowded))
	b.report.Cuts = map[string]int64{}
	if b.live != nil {
		b.report.Live.add(&r.g.n.did)
		b.report.Live.add(&r.result.live)
	}
	for reason, n := range r.result.cuts {
		if n > 0 {
			b.report.Cuts[reasonName(resolve.Reason(reason))] = n
		}
	}
	d := r.collected.Data()
	d.Header.Version = b.opts.Version
	read := &b.report.Read
	d.Input = report.Input{Files: int64(len(read.Files)), RowsBySource: map[string]int64{}}
	for _, f := range read.Files {
		// Rows of profiles beside the people in them would tell of few.
		if !strings.HasPrefix(f.Source, index.CRMPrefix) {
			d.Input.RowsBySource[f.Source] += f.Rows
			d.Input.Rows += f.Rows + f.Bad
			d.Input.Bad += f.Bad
		}
	}
	d.Quarantine = b.report.Cuts
	b.report.Onboarding = d
	if b.previous == nil {
		return
	}
	l := r.result.lineage
	b.report.Lineage = &snapshot.Lineage{
		Previous: b.previous.Name(), Kept: l.kept, New: l.fresh, Merged: l.merged, Split: l.split,
		Gone: b.previous.Counts.Persons - l.kept - l.merged,
	}
	d.Lineage = &report.Lineage{Kept: l.kept, New: l.fresh, Merged: l.merged, Split: l.split}
}
