// Package build makes a snapshot from the files that an onboard.yaml names:
// it reads, normalises, resolves, writes, verifies and publishes.
//
// Each stage is a function of what the one before it made. What a build makes
// depends on the rows, the config, the time as_of and the store's secret, and
// not on the order of files and rows or the number of cores: identifiers,
// segments, links and persons are sorted before anything is numbered by them.
// This form holds the graph in memory, about 400 bytes an identifier.
package build

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/normalise"
)

// Options of a build. Config and Store are required.
type Options struct {
	// Config is the path of the onboard.yaml.
	Config string
	// Store is the store's folder, made where there is none.
	Store string
	// AsOf is the time that the build is of; zero is the config's.
	AsOf time.Time
	// MaxBadRows is the share of rows that may be bad, from 0 to 1.
	MaxBadRows float64
	// Secret is that of a new store; nil makes one up.
	Secret *index.Secret
	// Keep is how many snapshots stay in the store; 0 keeps all.
	Keep int
	// Workers is how many cores are used; 0 is all.
	Workers int
	// Shards is the number of index shards, and of record shards, a power of
	// two; 0 chooses by the number of identifiers.
	Shards int
	// FS is the file system that is published to; nil is the machine's.
	FS snapshot.FS
	// Stage, if not nil, is told of each stage as it begins.
	Stage func(name string)
}

// idsPerShard is about how many identifiers a shard holds.
const (
	idsPerShard = 2 << 20
	minShards   = 4
)

// TooManyBadRowsError says that a build was given up for its bad rows.
type TooManyBadRowsError struct {
	Bad, Rows int64
	Limit     float64
}

func (e *TooManyBadRowsError) Error() string {
	return fmt.Sprintf("%d of %d rows are bad, more than the limit of %.4g %%: nothing was published", e.Bad, e.Rows, e.Limit*100)
}

// builder carries what the stages share.
type builder struct {
	opts     Options
	cfg      *config.Config
	profiles []config.ProfileFile
	links    []config.LinkFile
	ns       *index.Namespaces
	norm     *normalise.Normaliser
	tracer   []bool
	draft    *snapshot.Draft
	secret   index.Secret
	report   Report
	started  time.Time
	stage    string
}

// Purposes of hashers; see index.Secret.Hasher.
const (
	personPurpose  = "person"
	contentPurpose = "content"
)

// Run builds and publishes a snapshot. On an error the store keeps the snapshot
// that it has, unless what failed is the removal of old ones, after the new one
// was published: then Report.Snapshot names it.
//
// It holds the store's lock all the while: a second build is refused at once.
// What can be checked without reading the files is checked before there is a
// store.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	b := &builder{opts: o}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	if err := b.lock(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.draft.Close()) }()
	g, sum, err := b.read(ctx)
	if err != nil {
		return &b.report, err
	}
	p, meta, err := b.resolve(g, sum)
	if err != nil {
		return &b.report, err
	}
	if err := b.write(ctx, p, meta); err != nil {
		return &b.report, err
	}
	b.begin("")
	return &b.report, nil
}

// begin notes that a stage begins, and how long the one before it took.
func (b *builder) begin(stage string) {
	now := time.Now()
	if b.stage != "" {
		b.report.Stages[b.stage] = now.Sub(b.started).Round(time.Millisecond).String()
	}
	b.stage, b.started = stage, now
	if stage != "" && b.opts.Stage != nil {
		b.opts.Stage(stage)
	}
}

// Validate checks the ranges; it looks at no file.
func (o Options) Validate() error {
	switch {
	case !(o.MaxBadRows >= 0 && o.MaxBadRows <= 1): // so that NaN is refused
		return fmt.Errorf("the share of bad rows must be from 0 to 1, not %g", o.MaxBadRows)
	case o.Workers < 0:
		return fmt.Errorf("%d workers: give the number of cores, or 0 for all", o.Workers)
	case o.Keep < 0:
		return fmt.Errorf("%d snapshots to keep: give how many, or 0 for all", o.Keep)
	case o.Shards < 0 || o.Shards > 1<<index.MaxShardBits || o.Shards&(o.Shards-1) != 0:
		return fmt.Errorf("%d shards: give a power of two of at most %d, or 0 to choose by size", o.Shards, 1<<index.MaxShardBits)
	}
	return nil
}

func (b *builder) prepare() (err error) {
	o := &b.opts
	if err := o.Validate(); err != nil {
		return err
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.FS == nil {
		o.FS = snapshot.OS{}
	}
	b.report = Report{Stages: map[string]string{}, Read: ReadReport{BadFields: map[string]int64{}}}
	if b.cfg, err = config.Load(o.Config); err != nil {
		return err
	}
	if !o.AsOf.IsZero() {
		b.cfg.AsOf = o.AsOf
	}
	if b.cfg.AsOf.IsZero() {
		return errors.New("the build has no as_of: give it in the config or on the command line")
	}
	b.cfg.AsOf = b.cfg.AsOf.UTC().Truncate(time.Second)
	b.report.AsOf = b.cfg.AsOf.Format(time.RFC3339)
	if b.ns, err = b.cfg.NamespaceTable(); err != nil {
		return err
	}
	for _, n := range b.ns.All() {
		b.tracer = append(b.tracer, n.Tracer())
	}
	if b.norm, err = normalise.New(b.cfg, b.ns, b.cfg.AsOf); err != nil {
		return err
	}
	return b.findFiles()
}

// findFiles finds the files and checks what the config says about each.
func (b *builder) findFiles() (err error) {
	if b.profiles, b.links, err = b.cfg.Files(); err != nil {
		return err
	}
	for _, f := range b.profiles {
		if _, err := b.norm.Profiles(f.Tenant, f.Spec); err != nil {
			return err
		}
	}
	for _, f := range b.links {
		if _, err := b.norm.Links(f.Spec); err != nil {
			return err
		}
	}
	return nil
}

// lock makes the store where there is none, and takes its lock.
func (b *builder) lock() error {
	store, err := snapshot.CreateStore(b.opts.FS, b.opts.Store, b.opts.Secret)
	if err != nil {
		return err
	}
	if b.secret, err = store.Secret(); err != nil {
		return err
	}
	b.draft, err = store.Begin()
	return err
}

// read reads and normalises all files, and gives up on too many bad rows.
func (b *builder) read(ctx context.Context) (*graph, rowSum, error) {
	b.begin("read")
	r := reader{
		norm: b.norm, ns: b.ns, asOf: b.cfg.AsOf.Unix(), report: &b.report.Read,
		ids: snapshot.IdentifierHasher(b.secret), content: b.secret.Hasher(contentPurpose),
	}
	g, sum, err := r.read(ctx, b.profiles, b.links, b.opts.Workers)
	if err != nil {
		return nil, sum, err
	}
	read := &b.report.Read
	rows := read.ProfileRows + read.LinkRows + read.Bad
	if float64(read.Bad) > b.opts.MaxBadRows*float64(rows) {
		return nil, sum, &TooManyBadRowsError{Bad: read.Bad, Rows: rows, Limit: b.opts.MaxBadRows}
	}
	if rows == 0 {
		return nil, sum, errors.New("the files hold no rows at all: nothing was published")
	}
	return g, sum, nil
}

// resolve cuts the graph into persons and describes the snapshot to be.
func (b *builder) resolve(g *graph, sum rowSum) (*persons, snapshot.Meta, error) {
	b.begin("resolve")
	workers := b.opts.Workers
	oldest := snapshot.OldestFresh(b.cfg.AsOf, b.cfg.LinkMaxAge)
	g.rank(workers)
	b.report.Aged = int64(g.mergeLinks(oldest, b.tracer, workers))
	p := &persons{g: g, cfg: b.cfg, ns: b.ns, tracer: b.tracer, own: ownSources(b.cfg), born: b.cfg.AsOf.Unix()}
	p.profiles = g.mergeRows(b.cfg.Tenants, workers)
	b.report.Merged = b.report.Read.ProfileRows - int64(len(p.profiles))
	p.gather(b.secret.Hasher(personPurpose), workers)
	b.report.Dropped = int64(len(p.first) - 1 - len(p.kept))
	b.report.Reach = p.reach(b.cfg.Sources())
	meta := snapshot.Meta{
		KeyID: b.secret.ID(), AsOf: b.cfg.AsOf, Oldest: b.oldestDay(p), LinkMaxAge: b.cfg.LinkMaxAge,
		Normalised:  map[string]string{index.EmailSHA256: normalise.EmailUID2, index.PhoneSHA256: normalise.PhoneE164},
		IndexShards: b.opts.Shards, RecordShards: b.opts.Shards,
	}
	if b.opts.Shards == 0 {
		meta.IndexShards = shardsFor(len(g.hashes))
		meta.RecordShards = meta.IndexShards
	}
	meta.ID = b.snapshotID(meta, sum)
	return p, meta, nil
}

// ownSources returns the number of each tenant's own source.
func ownSources(cfg *config.Config) []uint16 {
	out := make([]uint16, len(cfg.Tenants))
	sources := cfg.Sources()
	for i := range out {
		out[i], _ = config.SourceID(sources, config.ProfileSource(cfg.Tenants[i].Name))
	}
	return out
}

// oldestDay is the earliest day that a record has to hold.
func (b *builder) oldestDay(p *persons) snapshot.Day {
	oldest, _ := snapshot.DayOf(b.cfg.AsOf)
	for i := range p.g.links {
		oldest = min(oldest, p.g.links[i].last)
	}
	for i := range p.profiles {
		oldest = min(oldest, p.profiles[i].seen)
	}
	return oldest
}

func shardsFor(identifiers int) int {
	n := minShards
	for n*idsPerShard < identifiers && n < 1<<index.MaxShardBits {
		n *= 2
	}
	return n
}

// snapshotID hashes all that the snapshot depends on.
func (b *builder) snapshotID(m snapshot.Meta, sum rowSum) (id snapshot.ID) {
	h := sha256.New()
	fmt.Fprintf(h, "matchd snapshot %d.%d\nkey %s\nas_of %d\nshards %d %d\n",
		snapshot.FormatVersion, snapshot.Revision, m.KeyID, m.AsOf.Unix(), m.IndexShards, m.RecordShards)
	h.Write(b.cfg.Canonical())
	for _, v := range []uint64{sum.hi, sum.lo, sum.rows} {
		h.Write(binary.BigEndian.AppendUint64(nil, v))
	}
	copy(id[:], h.Sum(nil))
	return id
}
