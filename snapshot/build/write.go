package build

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/spill"
)

// write writes the snapshot into a draft, opens and verifies what it wrote,
// and publishes it.
func (b *builder) write(ctx context.Context, r *resolving, meta snapshot.Meta) error {
	manifest, hash, err := b.writeFiles(ctx, b.draft.Dir(), r, meta)
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
	if err := b.keepLog(); err != nil {
		return err
	}
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

// writeFiles writes the files of the snapshot, and what stands beside them.
func (b *builder) writeFiles(ctx context.Context, dir string, r *resolving, meta snapshot.Meta) (m snapshot.Manifest, hash snapshot.HexBytes, err error) {
	s := b.begin("write")
	w, err := snapshot.NewWriter(b.opts.FS, dir, meta, snapshot.Dictionaries{
		Namespaces: b.ns, Sources: r.sources, Tenants: b.cfg.SnapshotTenants(), Segments: r.segments, Renamed: r.result.renamed,
	})
	if err != nil {
		return m, nil, err
	}
	if b.report.Lineage != nil {
		w.SetLineage(*b.report.Lineage)
	}
	entries := b.space.Store("entries", meta.IndexShards)
	if err := b.writeRecords(ctx, s, w, r.persons, entries, meta.RecordShards); err != nil {
		return m, nil, err
	}
	if err := b.writeIndex(ctx, b.begin("index"), w, entries); err != nil {
		return m, nil, err
	}
	if m, hash, err = w.Finish(); err != nil {
		return m, nil, err
	}
	return m, hash, b.writeBeside(dir, r, m.Name(hash))
}

// writeRecords writes the record shards, and spills the entries of the index.
func (b *builder) writeRecords(ctx context.Context, s *stage, w *snapshot.Writer, persons, entries *spill.Store, shards int) error {
	err := s.each(ctx, shards, func() (func(int) error, func() error) {
		to := entries.Writer()
		src := personSource{from: persons}
		return func(shard int) error {
			err := w.WriteRecords(shard, src.shard(shard, shards), to.PutEntry)
			return errors.Join(src.err, err)
		}, to.Close
	})
	return errors.Join(err, persons.Drop())
}

// personSource yields the persons of record shards.
type personSource struct {
	from *spill.Store
	buf  []byte
	list [][]byte
	err  error
}

// shard yields the persons of one record shard, ascending by id.
func (p *personSource) shard(shard, shards int) iter.Seq[*snapshot.Person] {
	each := p.from.Len() / shards
	return func(yield func(*snapshot.Person) bool) {
		var person snapshot.Person
		for part := shard * each; part < (shard+1)*each; part++ {
			if p.err = p.load(part); p.err != nil {
				return
			}
			for _, b := range p.list {
				d := decoder{b}
				if d.person(&person); !yield(&person) {
					return
				}
			}
			p.from.Free(part)
		}
	}
}

// load reads and sorts a partition.
func (p *personSource) load(part int) error {
	chunks, buf, err := p.from.Load(part, p.buf)
	p.buf = buf
	if err != nil {
		return err
	}
	p.list = p.list[:0]
	for _, chunk := range chunks {
		for d := (decoder{chunk}); d.more(); {
			p.list = append(p.list, d.bytes(int(d.u32())))
		}
	}
	sortPersons(p.list)
	return nil
}

// writeIndex writes the index shards.
func (b *builder) writeIndex(ctx context.Context, s *stage, w *snapshot.Writer, entries *spill.Store) error {
	err := s.each(ctx, entries.Len(), func() (func(int) error, func() error) {
		var list []index.Entry
		var buf []byte
		return func(shard int) error {
			var err error
			if list, buf, err = entries.TakeEntries(shard, list, buf); err != nil {
				return err
			}
			return w.WriteIndex(shard, list)
		}, func() error { return nil }
	})
	return errors.Join(err, entries.Drop())
}

// writeBeside writes the reports and the links that were cut beside the files
// of the snapshot.
func (b *builder) writeBeside(dir string, r *resolving, name string) error {
	d := b.report.Onboarding
	d.Header.Snapshot = name
	for _, f := range []struct {
		name  string
		perm  os.FileMode
		write func(io.Writer) error
	}{
		{snapshot.ReportJSON, 0o644, d.WriteJSON},
		{snapshot.ReportHTML, 0o644, d.WriteHTML},
		{snapshot.QuarantineJSON, 0o600, func(to io.Writer) error { return copyAll(to, r.cuts) }},
	} {
		if err := b.writeFile(filepath.Join(dir, f.name), f.perm, f.write); err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	return b.opts.FS.SyncDir(dir)
}

// writeFile writes a file and makes it durable.
func (b *builder) writeFile(path string, perm os.FileMode, write func(io.Writer) error) error {
	f, err := b.opts.FS.Create(path, perm)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	if err = write(w); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// copyAll writes all records of a store, by partition.
func copyAll(to io.Writer, from *spill.Store) error {
	var buf []byte
	for part := range from.Len() {
		chunks, b, err := from.Load(part, buf)
		buf = b
		if err != nil {
			return err
		}
		for _, chunk := range chunks {
			if _, err := to.Write(chunk); err != nil {
				return err
			}
		}
		from.Free(part)
	}
	return from.Drop()
}

func (b *builder) verify(dir string, hash snapshot.HexBytes) (err error) {
	s, err := snapshot.Open(dir, hash, snapshot.Once)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	b.report.Bytes = s.Bytes()
	return s.Verify(snapshot.IdentifierHasher(b.secret))
}
