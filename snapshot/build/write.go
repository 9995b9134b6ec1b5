package build

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/matchd/matchd/snapshot"
)

// write writes the snapshot into a draft, opens and verifies what it wrote,
// and publishes it.
func (b *builder) write(ctx context.Context, p *persons, meta snapshot.Meta) error {
	b.begin("write")
	manifest, hash, err := b.writeFiles(ctx, b.draft.Dir(), p, meta)
	if err != nil {
		return err
	}
	b.begin("verify")
	if err := b.verify(b.draft.Dir(), hash); err != nil {
		return fmt.Errorf("what was written does not verify, and nothing was published: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	b.begin("publish")
	cur, err := b.draft.Publish(manifest, hash)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	b.report.Snapshot, b.report.Counts = cur.Name, manifest.Counts
	if b.opts.Keep > 0 {
		b.report.Pruned, err = b.draft.Prune(b.opts.Keep)
	}
	return err
}

func (b *builder) writeFiles(ctx context.Context, dir string, p *persons, meta snapshot.Meta) (snapshot.Manifest, snapshot.HexBytes, error) {
	w, err := snapshot.NewWriter(b.opts.FS, dir, meta, snapshot.Dictionaries{
		Namespaces: b.ns, Sources: b.cfg.Sources(), Tenants: b.cfg.SnapshotTenants(), Segments: p.g.codes,
	})
	if err != nil {
		return snapshot.Manifest{}, nil, err
	}
	err = b.eachShard(ctx, meta.RecordShards, func(i int) error {
		return w.WriteRecords(i, p.shard(i, meta.RecordShards))
	})
	if err != nil {
		return snapshot.Manifest{}, nil, err
	}
	if err := b.eachShard(ctx, meta.IndexShards, w.WriteIndex); err != nil {
		return snapshot.Manifest{}, nil, err
	}
	return w.Finish()
}

// eachShard calls f for each shard, some at once.
func (b *builder) eachShard(ctx context.Context, shards int, f func(int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(b.opts.Workers)
	for i := range shards {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return f(i)
		})
	}
	return g.Wait()
}

func (b *builder) verify(dir string, hash snapshot.HexBytes) (err error) {
	s, err := snapshot.Open(dir, hash, snapshot.Map)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	b.report.Bytes = s.Bytes()
	return s.Verify(snapshot.IdentifierHasher(b.secret))
}
