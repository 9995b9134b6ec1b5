package build

import (
	"context"
	"encoding/binary"
	"io"
	"strings"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/normalise"
	"github.com/matchd/matchd/snapshot/build/source"
)

func (r *reader) links(ctx context.Context, file config.LinkFile, to chan<- *batch) error {
	norm, err := r.norm.Links(file.Spec)
	if err != nil {
		return err
	}
	return r.open(ctx, file.File, to, func(f *fileReader, in io.Reader, opt source.Options) error {
		opt.Columns = file.Spec.Columns
		var l normalise.Link
		var content []byte
		err := source.Links(in, opt, func(row *source.LinkRow) error {
			if err := norm.Normalise(row, &l); err != nil {
				f.reject(source.BadRow{File: opt.File, Line: row.Line, Reason: err.Error()})
				return nil
			}
			a, b := f.id(l.Left), f.id(l.Right)
			f.batch.links = append(f.batch.links, link{a: a, b: b, source: l.Source, method: l.Method, first: l.Seen, last: l.Seen})
			content = f.linkContent(content[:0], a, b, &l)
			return f.done(content)
		})
		r.count(&r.report.LinkRows, f.report.Rows)
		return err
	})
}

func (r *reader) count(to *int64, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*to += n
}

// linkContent encodes a link row for the sum of rows, whichever way round.
func (f *fileReader) linkContent(dst []byte, a, b uint32, l *normalise.Link) []byte {
	x, y := f.batch.ids[a].hash, f.batch.ids[b].hash
	if y.Less(x) {
		x, y = y, x
	}
	dst = append(dst, 'L', byte(l.Method))
	for _, v := range []uint64{x.Hi, x.Lo, y.Hi, y.Lo, uint64(l.Source), uint64(l.Seen)} {
		dst = binary.LittleEndian.AppendUint64(dst, v)
	}
	return dst
}

func (r *reader) profiles(ctx context.Context, file config.ProfileFile, to chan<- *batch) error {
	norm, err := r.norm.Profiles(file.Tenant, file.Spec)
	if err != nil {
		return err
	}
	asOf := r.asOf
	if !file.Spec.AsOf.IsZero() {
		asOf = file.Spec.AsOf.Unix()
	}
	return r.open(ctx, file.File, to, func(f *fileReader, in io.Reader, opt source.Options) error {
		opt.Columns = file.Spec.Columns
		var p normalise.Profile
		var content []byte
		err := source.Profiles(in, opt, func(row *source.ProfileRow) error {
			if err := norm.Normalise(row, &p); err != nil {
				f.reject(source.BadRow{File: opt.File, Line: row.Line, Reason: err.Error()})
				return nil
			}
			for _, b := range p.BadFields {
				f.fields[b.Column]++
			}
			content = f.profile(content[:0], &p, asOf)
			return f.done(content)
		})
		r.count(&r.report.ProfileRows, f.report.Rows)
		return err
	})
}

// profile adds a profile row to the batch: the row, and the links from the
// profile's own identifier to the others. It appends the row's content.
func (f *fileReader) profile(dst []byte, p *normalise.Profile, asOf int64) []byte {
	dst = append(dst, 'P', byte(p.Kind), byte(p.Consent.Purposes))
	for _, v := range []int64{asOf, p.Consent.At, p.Consent.Expires} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	own := f.id(p.Identifiers[0])
	for i, id := range p.Identifiers {
		at := own
		if i > 0 {
			at = f.id(id)
			f.batch.links = append(f.batch.links, link{
				a: own, b: at, source: p.Source,
				method: snapshot.Authenticated, first: p.Seen, last: p.Seen,
			})
		}
		h := f.batch.ids[at].hash
		dst = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, h.Hi), h.Lo)
	}
	r := batchRow{row: row{node: own, tenant: p.Tenant, kind: p.Kind, asOf: asOf, seen: p.Seen, consent: p.Consent}}
	for _, code := range p.Segments {
		dst = append(append(dst, code...), 0)
		r.codes = append(r.codes, f.code(code))
	}
	f.batch.rows = append(f.batch.rows, r)
	return dst
}

// code returns a copy of a segment's code that does not hold on to its row.
func (f *fileReader) code(s string) string {
	if c, ok := f.codes[s]; ok {
		return c
	}
	c := strings.Clone(s)
	f.codes[c] = c
	return c
}
