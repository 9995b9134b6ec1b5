// Package build makes a snapshot from the files that an onboard.yaml names, in
// stages that each leave records by partition for the next:
//
//	read      rows become hashes of identifiers, links and customers; by hash
//	number    each identifier gets its rank as a number; rows become profiles
//	join      links become pairs of numbers
//	merge     links that repeat each other become one; crowds are found
//	connect   connected sets are found, on arrays of four bytes an identifier
//	group     identifiers and links of each set come together
//	resolve   sets are cut into persons, under the rules of package resolve
//	write     persons become records, by their ids, and index entries; by hash
//	verify    what was written is read again, whole
//	publish   it becomes the store's current snapshot
//
// What is between stages is held in memory up to a budget, and beyond it in
// files, see package spill. No stage holds all identifiers but as numbers.
//
// Live changes are a second input: [Options].Live gives of each fact of the
// store's log the change that holds. Rows that erasures, opt-outs and unlinks
// outdate are dropped as they are read, links are added to them, segments and
// consents are applied as rows become profiles, and contact identifiers of erased
// customers are cut when links have both ends, and left out where they are
// nobody else's when sets have become persons. Where the store was moved to another
// key, identifiers are hashed under the former ones too as they are read, and what
// hangs on these holds as well; the snapshot says of which of its identifiers.
// Package fold reads the log.
//
// What a build makes depends on the rows, the config, the time as_of, the
// store's secret, the previous snapshot and the log up to where it is read, and
// not on the order of files and rows, the number of cores or the memory: whatever
// is numbered is sorted first.
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
	"github.com/matchd/matchd/snapshot/build/spill"
	"github.com/matchd/matchd/snapshot/resolve"
)

// Options of a build. Config and Store are required.
type Options struct {
	// Config is the path of the onboard.yaml.
	Config string
	// Store is the store's folder, made where there is none.
	Store string
	// AsOf is the time that the build is of; zero is the config's.
	AsOf time.Time
	// Previous names the snapshot of the store whose persons keep their ids:
	// [Current], a name, or empty for none.
	Previous string
	// MaxBadRows is the share of rows that may be bad, from 0 to 1.
	MaxBadRows float64
	// Live, if not nil, gives the live changes of the store's log, which a store
	// that has one cannot be built without.
	Live LiveSource
	// Secret is that of a new store; nil makes one up.
	Secret *index.Secret
	// Keep is how many snapshots stay in the store; 0 keeps all.
	Keep int
	// Memory is about how many bytes the build may hold, at least MinMemory; 0
	// is DefaultMemory.
	Memory int64
	// Tmp is where spill files go; empty is the store.
	Tmp string
	// Workers is how many cores are used; 0 is all.
	Workers int
	// Shards is the number of index shards, and of record shards, a power of
	// two; 0 chooses by the number of identifiers.
	Shards int
	// FS is the file system that is published to; nil is the machine's.
	FS snapshot.FS
	// Version is that of the program, for the report.
	Version string
	// Progress, if not nil, is told of each stage as it begins, and a few times
	// a second how far it is. It is called by one goroutine at a time.
	Progress func(Progress)

	// newSpace makes the space for what is between stages; nil is
	// [spill.NewSpace]. Tests have one that spills everything.
	newSpace func(dir func() (string, error), budget int64) *spill.Space
}

// Current is the Previous that names the store's current snapshot; where there
// is none it is as if none were named.
const Current = "current"

// Bounds of Options.Memory.
const (
	MinMemory     = 64 << 20
	DefaultMemory = 4 << 30
)

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
	opts       Options
	cfg        *config.Config
	profiles   []config.ProfileFile
	links      []config.LinkFile
	ns         *index.Namespaces
	nodes      []resolve.Node // by namespace
	norm       *normalise.Normaliser
	tracer     []bool
	store      *snapshot.Store
	draft      *snapshot.Draft
	previous   *snapshot.Snapshot // nil where none is named
	secret     index.Secret
	former     []index.Hasher // of identifiers, under the keys that the store had before
	formerKeys []string
	live       *Live // nil where there is no log
	space      *spill.Space
	oldest     snapshot.Day // of links that are not too old

	report   Report
	started  time.Time
	progress progress
}

// contentPurpose is that of a hasher; see index.Secret.Hasher.
const contentPurpose = "content"

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
	if err := b.prepareLive(); err != nil {
		return nil, err
	}
	if err := b.open(); err != nil {
		return nil, errors.Join(err, b.close())
	}
	defer func() { err = errors.Join(err, b.close()) }()
	stop := b.progress.start(b.opts.Progress)
	defer stop()
	err = b.run(ctx)
	b.report.Spilled = b.space.Spilled()
	b.begin("")
	return &b.report, err
}

// run goes through the stages; each frees what the one before it left.
func (b *builder) run(ctx context.Context) error {
	n, sum, err := b.read(ctx)
	if err != nil {
		return err
	}
	g, oldest, err := b.connect(ctx, n)
	if err != nil {
		return err
	}
	meta, err := b.describe(n, sum, oldest)
	if err != nil {
		return err
	}
	r, err := b.resolve(ctx, n, g, meta)
	if err != nil {
		return err
	}
	return b.write(ctx, r, meta)
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
	case o.Memory != 0 && o.Memory < MinMemory:
		return fmt.Errorf("%d bytes of memory: give at least %d, or 0 for %d", o.Memory, MinMemory, DefaultMemory)
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
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	if o.FS == nil {
		o.FS = snapshot.OS{}
	}
	if o.newSpace == nil {
		o.newSpace = spill.NewSpace
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
	b.cfg.Live = o.Live != nil
	if err := b.prepareConfig(); err != nil {
		return err
	}
	return b.findFiles()
}

// prepareConfig works out what the config says for all stages.
func (b *builder) prepareConfig() (err error) {
	b.cfg.AsOf = b.cfg.AsOf.UTC().Truncate(time.Second)
	b.oldest = snapshot.OldestFresh(b.cfg.AsOf, b.cfg.LinkMaxAge)
	b.report.AsOf = b.cfg.AsOf.Format(time.RFC3339)
	if b.ns, err = b.cfg.NamespaceTable(); err != nil {
		return err
	}
	for _, n := range b.ns.All() {
		node := resolve.Node{Kind: resolve.KindOf(n)}
		if node.Kind == resolve.Customer {
			node.Tenant = b.cfg.TenantOf(n.Name)
		}
		b.nodes, b.tracer = append(b.nodes, node), append(b.tracer, n.Tracer())
	}
	b.norm, err = normalise.New(b.cfg, b.ns, b.cfg.AsOf)
	return err
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

// begin notes that a stage begins, and how long the one before it took.
func (b *builder) begin(name string) *stage {
	now := time.Now()
	if last := b.progress.stage(); last != "" {
		b.report.Stages[last] = now.Sub(b.started).Round(time.Millisecond).String()
	}
	b.started = now
	b.progress.begin(name)
	return &stage{workers: b.opts.Workers, done: &b.progress.parts}
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
	if b.previous != nil {
		fmt.Fprintf(h, "previous %s\n", b.previous.Name())
	}
	if b.live != nil {
		fmt.Fprintf(h, "live %s %d %x\n", b.live.Log, b.live.Seq, b.live.Hash)
		for _, key := range m.FormerKeys {
			fmt.Fprintf(h, "former key %s\n", key)
		}
	}
	h.Write(b.cfg.Canonical())
	for _, v := range []uint64{sum.hi, sum.lo, sum.rows} {
		h.Write(binary.BigEndian.AppendUint64(nil, v))
	}
	copy(id[:], h.Sum(nil))
	return id
}
