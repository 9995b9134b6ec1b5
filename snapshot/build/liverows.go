package build

import (
	"errors"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/normalise"
	"github.com/matchd/matchd/snapshot/build/source"
	"github.com/matchd/matchd/snapshot/resolve"
)

// liveRules are what live changes say of each row as it is read. They do not
// change while rows are read.
type liveRules struct {
	erased   map[index.Hash]tenantSet // customers
	withheld map[index.Hash]struct{}  // opted out for all tenants
	unlinked map[pair]int64           // until when, in Unix nanoseconds
	asOf     int64                    // the build's, likewise
	tenants  int

	// former are hashers under the keys that the store had before, if it had any
	// and there are opt-outs or erasures, which may be by hashes under these. Then
	// partly has what they name beside: who opted out for some tenants, and those
	// whom an erasure names for none of the config's, or as a contact.
	former []index.Hasher
	partly map[index.Hash]tenantSet
}

// pair is two identifiers, the smaller first.
type pair struct{ a, b index.Hash }

func pairOf(a, b index.Hash) pair {
	if b.Less(a) {
		a, b = b, a
	}
	return pair{a, b}
}

// liveRules gathers what rows are looked up in; the rest of the live changes is
// written by rowWriter.live.
func (b *builder) liveRules(ids index.Hasher) (*liveRules, error) {
	if b.live == nil {
		return nil, nil
	}
	l := &liveRules{
		erased: map[index.Hash]tenantSet{}, withheld: map[index.Hash]struct{}{}, unlinked: map[pair]int64{},
		asOf: b.cfg.AsOf.UnixNano(), tenants: len(b.cfg.Tenants),
	}
	for o := range b.live.OptOuts {
		if b.tenantSet(o.Tenants).all() {
			l.withheld[o.Identifier] = struct{}{}
		}
	}
	for e := range b.live.Erasures {
		if s := b.tenantSet(e.Tenants); len(s) > 0 {
			l.erased[e.Customer] = s
		}
	}
	if len(b.former) > 0 {
		b.formerRules(l)
	}
	var key []byte
	for k := range b.live.Links {
		if k.Linked {
			continue
		}
		var ends [2]index.Hash
		for i, text := range [...]string{k.Left, k.Right} {
			var err error
			if key, _, err = b.ns.AppendKey(key[:0], []byte(text)); err != nil {
				return nil, errors.New("live changes: an unlink of what is no identifier of the config's namespaces")
			}
			ends[i] = ids.Sum(key)
		}
		l.unlinked[pairOf(ends[0], ends[1])] = k.At
	}
	return l, nil
}

// formerRules has the rules know what is named by hashes under former keys.
func (b *builder) formerRules(l *liveRules) {
	l.partly = map[index.Hash]tenantSet{}
	for o := range b.live.OptOuts {
		if s := b.tenantSet(o.Tenants); !s.all() {
			l.partly[o.Identifier] = s
		}
	}
	for e := range b.live.Erasures {
		for _, h := range append([]index.Hash{e.Customer}, e.Contacts...) {
			if !l.hangs(h) {
				l.partly[h] = nil
			}
		}
	}
	if len(l.erased)+len(l.withheld)+len(l.partly) > 0 {
		l.former = b.former
	}
}

// apart reports whether a link was taken back at the time of a row, in Unix
// nanoseconds, or later. A row of the time of the build itself, as one that states
// none is in a file that states none, may be an old one: it brings nothing back.
func (l *liveRules) apart(a, b index.Hash, at int64) bool {
	until, ok := l.unlinked[pairOf(a, b)]
	return ok && (at <= until || at == l.asOf)
}

// refused reports whether a row of a link is not to be used, and counts it.
func (w *rowWriter) refused(a, b index.Hash, at int64) bool {
	switch l := w.r.live; {
	case w.gone(a) || w.gone(b):
		w.did.DroppedLinkRows++
	case l.apart(a, b, at):
		w.did.UnlinkedRows++
	default:
		return false
	}
	return true
}

// cut reports whether a profile's link to a contact is not to be used, and
// counts it; at is the time of the row in Unix seconds.
func (w *rowWriter) cut(own, contact index.Hash, at int64) bool {
	if w.withheld(contact) {
		w.did.CutContacts++
		return true
	}
	if w.r.live.apart(own, contact, at*int64(time.Second)) {
		w.did.UnlinkedRows++
		return true
	}
	return false
}

// forget reports whether a row is that of a customer who is erased. Then nothing
// is used of it but its contact identifiers, in every spelling: they are withheld
// from the tenants that the customer is erased for.
func (w *rowWriter) forget(norm *normalise.Profiles, row *source.ProfileRow, p *normalise.Profile) (bool, error) {
	if !norm.Customer(row, p) {
		return false, nil
	}
	tenants, ok := w.erased(w.hash(p.Identifiers[0].Key))
	if !ok {
		return false, nil
	}
	norm.Contacts(row, p)
	w.content = append(w.content[:0], 'X')
	for i, id := range p.Identifiers {
		h := w.hash(id.Key)
		w.content = appendHash(w.content, h)
		if i == 0 {
			continue
		}
		if err := w.withhold(h, tenants); err != nil {
			return false, err
		}
	}
	w.did.ErasedRows++
	w.done()
	return true, nil
}

// withhold writes that a contact identifier is withheld from tenants.
func (w *rowWriter) withhold(h index.Hash, tenants tenantSet) error {
	for _, tenant := range tenants {
		w.record = appendTenant(appendHead(w.record[:0], recordWithheld, 0, h, nil), tenant)
		if err := w.out.Put(partitionOf(h.Hi), w.record); err != nil {
			return err
		}
	}
	return nil
}

// liveWriter writes what live changes say beside the rows.
type liveWriter struct {
	*rowWriter
	values *normalise.Values
	nodes  []resolve.Node
	source uint16
	newest snapshot.Day
}

// writeLive writes live changes as rows would be.
func (b *builder) writeLive(r *reader) (err error) {
	w := liveWriter{
		rowWriter: r.newWriter(),
		values:    normalise.NewValues(b.ns), nodes: b.nodes, newest: dayOf(b.cfg),
	}
	defer func() { err = errors.Join(err, w.out.Close()) }()
	w.source, _ = config.SourceID(b.cfg.Sources(), config.LiveSource())
	for k := range b.live.Links {
		if k.Linked {
			if err := w.link(&k); err != nil {
				return err
			}
		}
	}
	for s := range b.live.Segments {
		if err := w.segment(&s); err != nil {
			return err
		}
	}
	for c := range b.live.Consents {
		if err := w.consent(&c); err != nil {
			return err
		}
	}
	r.former.merge(w.former)
	b.report.Live.add(w.did)
	return b.writeContacts(&w, r.former.today())
}

// writeContacts withholds the contact identifiers that erasures name, after all
// others are read: those that they name by former hashes are known then by
// today's.
func (b *builder) writeContacts(w *liveWriter, today map[index.Hash]index.Hash) error {
	for e := range b.live.Erasures {
		tenants := b.tenantSet(e.Tenants)
		for _, h := range e.Contacts {
			if now, ok := today[h]; ok {
				h = now
			}
			if err := w.withhold(h, tenants); err != nil {
				return err
			}
		}
	}
	return nil
}

// identifier reads a text as a row's is read. ok is false of what no file may
// have.
func (w *liveWriter) identifier(text string) (id normalise.Identifier, h index.Hash, ok bool) {
	key, ns, err := w.r.ns.AppendKey(nil, []byte(text))
	if err != nil || w.values.CheckKey(ns, key) != nil {
		return id, h, false
	}
	return normalise.Identifier{Namespace: ns, Key: key}, w.hash(key), true
}

func (w *liveWriter) link(k *LiveLink) error {
	left, a, ok := w.identifier(k.Left)
	right, b, also := w.identifier(k.Right)
	if !ok || !also || w.gone(a) || w.gone(b) {
		w.did.LinksLeftOut++
		return nil
	}
	seen, ok := snapshot.DayOf(time.Unix(0, k.At))
	if !ok {
		w.did.LinksLeftOut++
		return nil
	}
	w.did.Links++
	return w.connect(left, right, a, b, linkTail{method: k.Method, source: w.source, seen: min(seen, w.newest)})
}

// customer reads the text of a customer, of one of the tenants.
func (w *liveWriter) customer(text string) (id normalise.Identifier, h index.Hash, tenant uint16, ok bool) {
	if id, h, ok = w.identifier(text); !ok || w.nodes[id.Namespace].Kind != resolve.Customer {
		return id, h, 0, false
	}
	return id, h, w.nodes[id.Namespace].Tenant, true
}

func (w *liveWriter) segment(s *LiveSegment) error {
	id, h, tenant, ok := w.customer(s.Customer)
	if !ok || s.Until != 0 && s.Until <= w.r.asOf {
		return nil
	}
	if !s.Added && !w.r.codes.has(tenant, s.Code) {
		return nil
	}
	_, n := w.r.codes.number(tenant, s.Code)
	w.record = appendHead(w.record[:0], recordSegment, id.Namespace, h, w.r.ns.Value(id.Namespace, id.Key))
	w.record = appendSegment(w.record, liveSegment{n, s.At, s.Added})
	return w.out.Put(partitionOf(h.Hi), w.record)
}

func (w *liveWriter) consent(c *LiveConsent) error {
	id, h, _, ok := w.customer(c.Customer)
	if !ok {
		return nil
	}
	w.record = appendHead(w.record[:0], recordConsent, id.Namespace, h, w.r.ns.Value(id.Namespace, id.Key))
	w.record = appendLiveConsent(w.record, liveConsent{at: c.At, until: c.Until, granted: c.Granted, purposes: c.Purposes})
	return w.out.Put(partitionOf(h.Hi), w.record)
}
