package rekey

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/build/spill"
)

// rewriter writes a snapshot anew under another key.
type rewriter struct {
	*mover
	old     *snapshot.Snapshot
	w       *snapshot.Writer
	entries *spill.Store
	was     []index.Hasher // of the key that the snapshot has, and of former ones
	done    atomic.Int64

	mu      sync.Mutex // of what follows, and of telling the progress
	renamed []snapshot.Renamed
}

// rewrite writes a snapshot into the draft.
func (m *mover) rewrite(ctx context.Context, old *snapshot.Snapshot) (out snapshot.Manifest, hash snapshot.HexBytes, err error) {
	meta := old.Meta
	meta.KeyID, meta.FormerKeys, meta.FormerSeq = m.move.To.ID(), nil, nil
	if m.held.log != "" {
		meta.FormerSeq = map[string]uint64{m.held.log: m.held.seq}
		meta.FormerKeys = slices.DeleteFunc(append(m.keys.FormerIDs(), m.keys.Secret.ID()), func(id string) bool { return id == meta.KeyID })
		slices.Sort(meta.FormerKeys)
	}
	meta.ID = m.snapshotID(old, meta.FormerKeys)
	w, err := snapshot.NewWriter(m.FS, m.move.Dir(), meta, old.Dictionaries)
	if err != nil {
		return out, nil, err
	}
	if old.Lineage != nil {
		w.SetLineage(*old.Lineage)
	}
	space := spill.NewSpace(m.move.SpillDir, m.Memory/2)
	defer func() { err = errors.Join(err, space.Close()) }()
	r := rewriter{
		mover: m, old: old, w: w, entries: space.Store("entries", old.IndexShards),
		was: append(m.keys.IdentifierHashers(), snapshot.IdentifierHasher(m.keys.Secret)),
	}
	if len(m.held.hashes) == 0 {
		r.was = nil
	}
	if err := r.records(ctx); err != nil {
		return out, nil, err
	}
	slices.SortFunc(r.renamed, snapshot.Renamed.Compare)
	r.renamed = slices.Compact(r.renamed)
	w.SetRenamed(r.renamed)
	if err := r.index(ctx); err != nil {
		return out, nil, err
	}
	out, hash, err = w.Finish()
	m.report.Identifiers, m.report.Renamed = out.Counts.Identifiers, identifiers(r.renamed)
	return out, hash, err
}

// identifiers counts those that are renamed, some from several hashes.
func identifiers(list []snapshot.Renamed) int64 {
	seen := map[index.Hash]struct{}{}
	for _, r := range list {
		seen[r.New] = struct{}{}
	}
	return int64(len(seen))
}

// snapshotID hashes all that the snapshot depends on.
func (m *mover) snapshotID(old *snapshot.Snapshot, formerKeys []string) (id snapshot.ID) {
	h := sha256.New()
	fmt.Fprintf(h, "matchd rekey %d.%d\nsnapshot %x\nkey %s\n", snapshot.FormatVersion, snapshot.Revision, old.ID, m.move.To.ID())
	if m.held.log != "" {
		fmt.Fprintf(h, "live %s %d %x\nformer keys %q\n", m.held.log, m.held.seq, m.held.hash, formerKeys)
	}
	copy(id[:], h.Sum(nil))
	return id
}

// each calls the functions that worker makes for each of n shards; finish is
// called at the end of each, whatever happens.
func (r *rewriter) each(ctx context.Context, n int, worker func() (shard func(int) error, finish func() error)) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(r.Workers, n) {
		shard, finish := worker()
		g.Go(func() (err error) {
			defer func() { err = errors.Join(err, finish()) }()
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := shard(i); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// tell tells that so many bytes more are done of all.
func (r *rewriter) tell(stage string, bytes, all int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Progress(build.Progress{Stage: stage, Bytes: r.done.Add(bytes), Total: all})
}

func sizeOf(files []snapshot.FileInfo) (n int64) {
	for _, f := range files {
		n += f.Size
	}
	return n
}

// records writes the record shards, and gathers the entries of the index.
func (r *rewriter) records(ctx context.Context) error {
	files := r.old.Files[r.old.IndexShards:]
	all := sizeOf(files)
	r.tell("write", 0, all)
	return r.each(ctx, r.old.RecordShards, func() (func(int) error, func() error) {
		to := r.entries.Writer()
		src := source{rewriter: r, hasher: snapshot.IdentifierHasher(r.move.To)}
		return func(shard int) error {
			err := r.w.WriteRecords(shard, src.shard(shard), to.PutEntry)
			r.tell("write", files[shard].Size, all)
			return errors.Join(src.err, err)
		}, func() error { src.end(); return to.Close() }
	})
}

// source yields the persons of record shards, and notes which identifiers
// something hangs on.
type source struct {
	*rewriter
	hasher  index.Hasher
	key     []byte
	renamed []snapshot.Renamed
	err     error
}

func (s *source) shard(shard int) iter.Seq[*snapshot.Person] {
	return func(yield func(*snapshot.Person) bool) {
		for p, err := range s.old.Persons(shard, s.hasher) {
			if s.err = err; err != nil {
				return
			}
			if s.note(p); !yield(p) {
				return
			}
		}
	}
}

// note looks for a person's identifiers under the keys of before.
func (s *source) note(p *snapshot.Person) {
	if len(s.was) == 0 {
		return
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		s.key = s.old.Namespaces.AppendKeyOf(s.key[:0], n.Namespace, n.Value)
		for _, hasher := range s.was {
			if old := hasher.Sum(s.key); s.held.has(old) {
				s.renamed = append(s.renamed, snapshot.Renamed{Old: old, New: n.Hash})
			}
		}
	}
}

func (s *source) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rewriter.renamed = append(s.rewriter.renamed, s.renamed...)
}

// index writes the index shards.
func (r *rewriter) index(ctx context.Context) error {
	r.done.Store(0)
	all := r.entries.Bytes()
	r.tell("index", 0, all)
	return r.each(ctx, r.entries.Len(), func() (func(int) error, func() error) {
		var list []index.Entry
		var buf []byte
		return func(shard int) error {
			size := r.entries.Size(shard)
			var err error
			if list, buf, err = r.entries.TakeEntries(shard, list, buf); err != nil {
				return err
			}
			if err := r.w.WriteIndex(shard, list); err != nil {
				return err
			}
			r.tell("index", size, all)
			return nil
		}, func() error { return nil }
	})
}

// copyBeside copies what stands beside a snapshot: it tells of the build that
// the persons are of.
func (m *mover) copyBeside(cur snapshot.Current) error {
	for _, name := range []string{snapshot.ReportJSON, snapshot.ReportHTML, snapshot.QuarantineJSON} {
		err := m.copyFile(filepath.Join(m.Store.Dir(), "snapshots", cur.Name, name), filepath.Join(m.move.Dir(), name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("copy %s: %w", name, err)
		}
	}
	return m.FS.SyncDir(m.move.Dir())
}

func (m *mover) copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := m.FS.Create(to, info.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
