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
	row             row
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

// link writes a row of a link file, unless it is too old to connect anything.
func (w *rowWriter) link(l *normalise.Link) error {
	r := w.r
	a, b := r.ids.Sum(l.Left.Key), r.ids.Sum(l.Right.Key)
	w.linkContent(a, b, l)
	w.done()
	if l.Seen < r.oldest && (r.tracer[l.Left.Namespace] || r.tracer[l.Right.Namespace]) {
		w.aged++
		return nil
	}
	if err := w.edge(l.Left, a, b, linkTail{method: l.Method, source: l.Source, seen: l.Seen}); err != nil {
		return err
	}
	return w.id(l.Right, b)
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
	w.content = c
}

// profile writes a profile row: the row itself, and the links from the
// profile's own identifier to the others.
func (w *rowWriter) profile(p *normalise.Profile, asOf int64) error {
	r := w.r
	c := append(w.content[:0], 'P', byte(p.Kind), byte(p.Consent.Purposes))
	for _, v := range [...]int64{asOf, p.Consent.At, p.Consent.Expires} {
		c = binary.LittleEndian.AppendUint64(c, uint64(v))
	}
	own := p.Identifiers[0]
	at := r.ids.Sum(own.Key)
	c = appendHash(c, at)
	for _, id := range p.Identifiers[1:] {
		h := r.ids.Sum(id.Key)
		c = appendHash(c, h)
		if err := w.edge(own, at, h, linkTail{method: snapshot.Authenticated, source: p.Source, seen: p.Seen}); err != nil {
			return err
		}
		if err := w.id(id, h); err != nil {
			return err
		}
	}
	w.row = row{tenant: p.Tenant, kind: p.Kind, asOf: asOf, seen: p.Seen, consent: p.Consent, segments: w.row.segments[:0]}
	for _, code := range p.Segments {
		c = append(append(c, code...), 0)
		w.row.segments = append(w.row.segments, w.code(p.Tenant, code))
	}
	w.content = c
	w.done()
	w.record = appendHead(w.record[:0], recordRow, own.Namespace, at, r.ns.Value(own.Namespace, own.Key))
	start := len(w.record)
	w.record = appendRow(append(w.record, 0, 0, 0, 0), &w.row)
	binary.LittleEndian.PutUint32(w.record[start:], uint32(len(w.record)-start-4))
	return w.out.Put(partitionOf(at.Hi), w.record)
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
