package build

import (
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// formerHashes has, by the hash of an identifier, its hashes under former keys of
// the store on which opt-outs or erasures hang. The log knows who opted out or was
// erased before the store was moved to its key by these alone.
type formerHashes map[index.Hash][]index.Hash

func (f formerHashes) add(now, old index.Hash) {
	if !slices.Contains(f[now], old) {
		f[now] = append(f[now], old)
	}
}

func (f formerHashes) merge(o formerHashes) {
	for now, list := range o {
		for _, old := range list {
			f.add(now, old)
		}
	}
}

// today has each hash of today by the former one.
func (f formerHashes) today() map[index.Hash]index.Hash {
	out := make(map[index.Hash]index.Hash, len(f))
	for now, list := range f {
		for _, old := range list {
			out[old] = now
		}
	}
	return out
}

// appendRenamed appends what hangs on former hashes of the identifiers of a
// person.
func (f formerHashes) appendRenamed(list []snapshot.Renamed, p *snapshot.Person) []snapshot.Renamed {
	for i := range p.Nodes {
		now := p.Nodes[i].Hash
		for _, old := range f[now] {
			list = append(list, snapshot.Renamed{Old: old, New: now})
		}
	}
	return list
}

// hangs reports whether an opt-out or an erasure names a hash, be it for a tenant
// that the config does not have.
func (l *liveRules) hangs(h index.Hash) bool {
	_, erased := l.erased[h]
	_, withheld := l.withheld[h]
	_, partly := l.partly[h]
	return erased || withheld || partly
}

// hash returns the hash of an identifier by its key. Where something hangs on one
// that it has under a former key, that is noted: what live changes say of the
// identifier is asked for after this.
func (w *rowWriter) hash(key []byte) index.Hash {
	h := w.r.ids.Sum(key)
	if l := w.r.live; l != nil {
		for _, former := range l.former {
			if old := former.Sum(key); l.hangs(old) {
				w.former.add(h, old)
			}
		}
	}
	return h
}

// erased returns the tenants that an identifier is erased for, if it is that of
// an erased customer.
func (w *rowWriter) erased(h index.Hash) (tenants tenantSet, ok bool) {
	l := w.r.live
	tenants, ok = l.erased[h]
	for _, old := range w.former[h] {
		if more, also := l.erased[old]; also {
			tenants, ok = joinTenants(slices.Concat(tenants, more), l.tenants), true
		}
	}
	return tenants, ok
}

// withheld reports whether an identifier is opted out for all tenants: for some of
// them it may be under one key, and for the others under another.
func (w *rowWriter) withheld(h index.Hash) bool {
	l := w.r.live
	if _, ok := l.withheld[h]; ok {
		return true
	}
	list := w.former[h]
	if len(list) == 0 {
		return false
	}
	tenants := slices.Clone(l.partly[h])
	for _, old := range list {
		if _, ok := l.withheld[old]; ok {
			return true
		}
		tenants = append(tenants, l.partly[old]...)
	}
	return joinTenants(tenants, l.tenants).all()
}

// gone reports whether an identifier is in no row: that of an erased customer, or
// opted out for all tenants.
func (w *rowWriter) gone(h index.Hash) bool {
	_, erased := w.erased(h)
	return erased || w.withheld(h)
}
