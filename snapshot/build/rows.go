package build

import (
	"context"
	"encoding/binary"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/normalise"
	"github.com/matchd/matchd/snapshot/build/source"
	"github.com/matchd/matchd/snapshot/build/spill"
)

func (r *reader) links(ctx context.Context, file config.LinkFile) error {
	return r.open(file.File, &file.Spec.FileSpec, file.Spec.Source.Name, &r.report.LinkRows, func(f *fileReader) error {
		return source.ReadLinks(ctx, file.Path, f.options, func() func(*source.LinkRow) error {
			norm, err := r.norm.Links(file.Spec)
			if err != nil {
				return func(*source.LinkRow) error { return err }
			}
			w := f.writer()
			var l normalise.Link
			return func(row *source.LinkRow) error {
				if err := norm.Normalise(row, &l); err != nil {
					f.reject(source.BadRow{File: f.options.File, Line: row.Line, Reason: err.Error()})
					return nil
				}
				return w.link(&l)
			}
		})
	})
}

func (r *reader) profiles(ctx context.Context, file config.ProfileFile) error {
	asOf := r.asOf
	if !file.Spec.AsOf.IsZero() {
		asOf = file.Spec.AsOf.Unix()
	}
	return r.open(file.File, file.Spec, config.ProfileSource(r.cfg.Tenants[file.Tenant].Name).Name, &r.report.ProfileRows, func(f *fileReader) error {
		return source.ReadProfiles(ctx, file.Path, f.options, func() func(*source.ProfileRow) error {
			norm, err := r.norm.Profiles(file.Tenant, file.Spec)
			if err != nil {
				return func(*source.ProfileRow) error { return err }
			}
			w := f.writer()
			var p normalise.Profile
			return func(row *source.ProfileRow) error {
				if r.live != nil {
					if gone, err := w.forget(norm, row, &p); gone || err != nil {
						return err
					}
				}
				if err := norm.Normalise(row, &p); err != nil {
					f.reject(source.BadRow{File: f.options.File, Line: row.Line, Reason: err.Error()})
					return nil
				}
				if len(p.BadFields) > 0 {
					f.badFields(p.BadFields)
				}
				return w.profile(&p, asOf)
			}
		})
	})
}

// rowWriter turns rows into records for one goroutine.
type rowWriter struct {
	r     *reader
	file  *fileReader
	out   *spill.Writer
	sum   rowSum
	rows  int64 // of the file
	aged  int64
	cache map[string]uint32 // codes of the file's tenant

	record, content []byte
	hashes          []index.Hash // of a profile's identifiers
	row             row
	did             *LiveReport  // nil where there are no live changes
	former          formerHashes // likewise; of what was hashed
}

// done counts a row.
func (w *rowWriter) done() {
	w.sum.add(w.r.content.Sum(w.content))
	if w.rows++; w.rows%1024 == 0 {
		w.r.rows.Add(1024)
	}
}

// id writes an identifier of which nothing is said.
func (w *rowWriter) id(id normalise.Identifier, h index.Hash) error {
	w.record = appendHead(w.record[:0], recordID, id.Namespace, h, w.r.ns.Value(id.Namespace, id.Key))
	return w.out.Put(partitionOf(h.Hi), w.record)
}

// edge writes a link between two identifiers.
func (w *rowWriter) edge(a normalise.Identifier, ha, hb index.Hash, l linkTail) error {
	l.other = hb
	w.record = appendHead(w.record[:0], recordLink, a.Namespace, ha, w.r.ns.Value(a.Namespace, a.Key))
	w.record = appendLinkTail(w.record, l)
	return w.out.Put(partitionOf(ha.Hi), w.record)
}

// link writes a row of a link file, unless live changes took it back.
func (w *rowWriter) link(l *normalise.Link) error {
	a, b := w.hash(l.Left.Key), w.hash(l.Right.Key)
	w.linkContent(a, b, l)
	w.done()
	if w.r.live != nil && w.refused(a, b, l.At) {
		return nil
	}
	return w.connect(l.Left, l.Right, a, b, linkTail{method: l.Method, source: l.Source, seen: l.Seen})
}

// connect writes a link, unless it is too old to connect anything.
func (w *rowWriter) connect(left, right normalise.Identifier, a, b index.Hash, l linkTail) error {
	if l.seen < w.r.oldest && (w.r.tracer[left.Namespace] || w.r.tracer[right.Namespace]) {
		w.aged++
		return nil
	}
	if err := w.edge(left, a, b, l); err != nil {
		return err
	}
	return w.id(right, b)
}

// linkContent encodes a link row for the sum of rows, whichever way round.
func (w *rowWriter) linkContent(x, y index.Hash, l *normalise.Link) {
	if y.Less(x) {
		x, y = y, x
	}
	c := append(w.content[:0], 'L', byte(l.Method))
	for _, v := range [...]uint64{x.Hi, x.Lo, y.Hi, y.Lo, uint64(l.Source), uint64(l.Seen)} {
		c = binary.LittleEndian.AppendUint64(c, v)
	}
	if w.r.live != nil { // beside which the hour counts
		c = binary.LittleEndian.AppendUint64(c, uint64(l.At))
	}
	w.content = c
}

// profile writes a profile row: the row itself, and the links from the
// profile's own identifier to the others.
func (w *rowWriter) profile(p *normalise.Profile, asOf int64) error {
	r := w.r
	w.profileContent(p, asOf)
	w.done()
	own, at := p.Identifiers[0], w.hashes[0]
	if r.live != nil && w.gone(at) {
		w.did.OptedOutRows++
		return nil
	}
	for i, id := range p.Identifiers[1:] {
		h := w.hashes[i+1]
		if r.live != nil && w.cut(at, h, asOf) {
			continue
		}
		if err := w.edge(own, at, h, linkTail{method: snapshot.Authenticated, source: p.Source, seen: p.Seen}); err != nil {
			return err
		}
		if err := w.id(id, h); err != nil {
			return err
		}
	}
	w.row = row{tenant: p.Tenant, kind: p.Kind, asOf: asOf, seen: p.Seen, consent: p.Consent, segments: w.row.segments[:0]}
	for _, code := range p.Segments {
		w.row.segments = append(w.row.segments, w.code(p.Tenant, code))
	}
	w.record = appendHead(w.record[:0], recordRow, own.Namespace, at, r.ns.Value(own.Namespace, own.Key))
	start := len(w.record)
	w.record = appendRow(append(w.record, 0, 0, 0, 0), &w.row)
	binary.LittleEndian.PutUint32(w.record[start:], uint32(len(w.record)-start-4))
	return w.out.Put(partitionOf(at.Hi), w.record)
}

// profileContent encodes a profile row for the sum of rows, and hashes its
// identifiers.
func (w *rowWriter) profileContent(p *normalise.Profile, asOf int64) {
	c := append(w.content[:0], 'P', byte(p.Kind), byte(p.Consent.Purposes))
	for _, v := range [...]int64{asOf, p.Consent.At, p.Consent.Expires} {
		c = binary.LittleEndian.AppendUint64(c, uint64(v))
	}
	w.hashes = w.hashes[:0]
	for _, id := range p.Identifiers {
		h := w.hash(id.Key)
		w.hashes, c = append(w.hashes, h), appendHash(c, h)
	}
	for _, code := range p.Segments {
		c = append(append(c, code...), 0)
	}
	w.content = c
}

// code returns the number of a segment.
func (w *rowWriter) code(tenant uint16, code string) uint32 {
	if n, ok := w.cache[code]; ok {
		return n
	}
	s, n := w.r.codes.number(tenant, code)
	w.cache[s] = n
	return n
}
