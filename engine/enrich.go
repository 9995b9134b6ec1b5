package engine

import (
	"encoding/hex"
	"slices"

	"github.com/matchd/matchd/engine/openrtb"
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Enrich says what a bid request is to be given, and from where it comes.
type Enrich struct {
	// Exchange is the name of the one that the request came from, for the
	// client's BidRequests; empty is none.
	Exchange []byte
	// Person offers the person id as an eid, where the client has a source for
	// it.
	Person bool
	// Patch makes the additions alone, not the whole request.
	Patch bool
	// Signals are what the caller knows beside the request, such as a header
	// Sec-GPC; what the request says is added to them. Nil is nothing.
	Signals *privacy.Signals
}

// bid is the memory that enriching a bid request needs.
type bid struct {
	request   openrtb.Request
	signals   privacy.Signals
	text      []byte   // of ids
	ids       [][]byte // identifiers to ask for
	from      []int    // for each its place among those of the request
	person    [2 * len(PersonID{})]byte
	additions openrtb.Additions
}

func (b *bid) bytes() int { return cap(b.text) + b.request.Bytes() }

// Enrich appends to dst the bid request in body with the segments of its
// visitor that the client may see and their tenants have declared for the bid
// stream, or, with Patch, these additions alone; see package openrtb. Where
// there is nothing to add, it appends nothing, and the reason says why: Matched
// is a person of whom nothing is declared, or all of it there already. The
// identifiers of the request are one question. The error is an
// [openrtb.SyntaxError] or [ErrTooLarge].
func (p *Pools) Enrich(v *View, dst, body []byte, o *Enrich) (out []byte, added bool, why Reason, err error) {
	b := &v.bid
	if err := b.request.Scan(body); err != nil {
		return dst, false, Invalid, err
	}
	b.identify(v.parts[0].access.bids, o)
	v.aim(b.ids) // while memory comes, signals are decided
	verdict := p.Heed(v, b.heard(o.Signals))
	if verdict.Device != privacy.None && b.dropDevice() {
		v.aim(nil)
	}
	if len(b.ids) == 0 {
		if verdict.All != privacy.None || verdict.Device != privacy.None {
			return dst, false, Suppressed, nil
		}
		return dst, false, Invalid, nil
	}
	if err := v.Resolve(b.ids); err != nil {
		return dst, false, Unknown, err
	}
	why = v.Decided().resolved.Reason
	if why != Matched {
		return dst, false, why, nil
	}
	b.collect(v, o.Person)
	if o.Patch {
		out, added = b.request.AppendPatch(dst, &b.additions)
	} else {
		out, added = b.request.Append(dst, &b.additions)
	}
	if !added {
		out = dst // all of it is there already
	}
	return out, added, why, nil
}

// heard adds what the request says about privacy to what was heard elsewhere.
func (b *bid) heard(elsewhere *privacy.Signals) *privacy.Signals {
	s := &b.signals
	s.Reset()
	if elsewhere != nil {
		*s = *elsewhere // which is the caller's, and about other requests too
	}
	for _, said := range b.request.Signals() {
		kind := signalKinds[said.Signal]
		if said.Bad {
			s.Malformed(kind)
		} else {
			s.Set(kind, said.Value)
		}
	}
	return s
}

var signalKinds = [...]privacy.Kind{
	openrtb.GDPR: privacy.GDPR, openrtb.Consent: privacy.TCF, openrtb.GPP: privacy.GPP, openrtb.GPPSID: privacy.GPPSID,
	openrtb.USPrivacy: privacy.USPrivacy, openrtb.GPC: privacy.GPC, openrtb.LMT: privacy.LMT, openrtb.COPPA: privacy.COPPA,
}

// identify makes identifiers of the ids whose namespaces the client has named.
func (b *bid) identify(known *BidRequests, o *Enrich) {
	b.ids, b.from, b.text = b.ids[:0], b.from[:0], b.text[:0]
	exchange, ok := known.Exchanges[string(o.Exchange)]
	if !ok {
		exchange = known.Exchanges[All]
	}
	size := 0
	list := b.request.IDs()
	for i := range list {
		size += index.MaxName + 1 + len(list[i].Value)
	}
	b.text = slices.Grow(b.text, size) // it must not move
	for i := range list {
		id := &list[i]
		if space := known.namespace(id, &exchange); space != "" {
			start := len(b.text)
			b.text = append(append(append(b.text, space...), ':'), id.Value...)
			b.ids = append(b.ids, b.text[start:])
			b.from = append(b.from, i)
		}
	}
}

// dropDevice takes the device's own ids out, whatever their namespace, and
// reports whether there were any.
func (b *bid) dropDevice() (some bool) {
	kept := 0
	for i, from := range b.from {
		if b.request.IDs()[from].Place == openrtb.IFA {
			some = true
			continue
		}
		b.ids[kept], b.from[kept] = b.ids[i], from
		kept++
	}
	b.ids, b.from = b.ids[:kept], b.from[:kept]
	return some
}

// namespace is that of an id of a request, or empty.
func (known *BidRequests) namespace(id *openrtb.ID, exchange *Exchange) string {
	switch id.Place {
	case openrtb.IFA:
		if space, ok := known.Devices[string(id.Source)]; ok {
			return space
		}
		return index.MAID
	case openrtb.BuyerUID:
		return exchange.BuyerUID
	case openrtb.UserID:
		return exchange.UserID
	case openrtb.UserEID:
		return known.EIDs[string(id.Source)]
	}
	return ""
}

// collect gathers what may be added about the persons that were found.
func (b *bid) collect(v *View, person bool) {
	a := &b.additions
	a.Data, a.EIDs = a.Data[:0], a.EIDs[:0]
	for i := range v.parts {
		p := &v.parts[i]
		if !p.resolved.Matched() {
			continue
		}
		profiles := p.Profiles(&p.resolved)
		for k := range profiles {
			b.declared(p, &profiles[k])
		}
	}
	kept := 0
	for i := range a.Data { // swapped, so that none loses its memory
		if len(a.Data[i].Segments) > 0 {
			a.Data[kept], a.Data[i] = a.Data[i], a.Data[kept]
			kept++
		}
	}
	a.Data = a.Data[:kept]
	if p := v.Decided(); person && p.access.bids.Person.Source != "" {
		b.offer(p)
	}
}

// declared adds the segments of a profile that its tenant has declared.
func (b *bid) declared(p *Part, profile *Profile) {
	t := p.Tenant(profile.Tenant)
	if t.BidStream == nil {
		return
	}
	d := b.data(t.Domain, t.BidStream.Segtax)
	for _, segment := range p.Segments(profile) {
		if id := p.gen.bids[segment]; id != "" && !slices.Contains(d.Segments, id) {
			d.Segments = append(d.Segments, id)
		}
	}
}

// data is the entry of a tenant, by its domain: it may stand in two stores.
func (b *bid) data(domain string, segtax int) *openrtb.Data {
	list := &b.additions.Data
	for i := range *list {
		if d := &(*list)[i]; d.Name == domain && d.Segtax == segtax {
			return d
		}
	}
	n := len(*list)
	if n < cap(*list) {
		*list = (*list)[:n+1] // with the memory of an earlier one
	} else {
		*list = append(*list, openrtb.Data{})
	}
	d := &(*list)[n]
	*d = openrtb.Data{Name: domain, Segtax: segtax, Segments: d.Segments[:0]}
	return d
}

// personType is OpenRTB's agent type of an id that follows a person.
const personType = 3

// offer adds the person id as an eid. An id that is derived from another
// inherits how that was matched, where that is known to be by login,
// observation or inference; otherwise the links say how.
func (b *bid) offer(p *Part) {
	id := p.Person(&p.resolved)
	hex.Encode(b.person[:], id[:])
	method := b.request.IDs()[b.from[p.resolved.Asked]].Method
	if method < snapshot.Authenticated.OpenRTB() || method > snapshot.Inferred.OpenRTB() {
		method = p.resolved.best.Method.OpenRTB()
	}
	as := &p.access.bids.Person
	b.additions.EIDs = append(b.additions.EIDs, openrtb.EID{
		Source: as.Source, Inserter: as.Inserter, Matcher: as.Matcher,
		ID: b.person[:], Method: method, AType: personType,
	})
}

// bidSegments returns for each segment the id that its tenant has declared for
// the bid stream, or nothing: then it never enters a bid request.
func bidSegments(s *snapshot.Snapshot) []string {
	out := make([]string, len(s.Segments))
	for i, seg := range s.Segments {
		if b := s.Tenants[seg.Tenant].BidStream; b != nil {
			out[i] = b.Segments[seg.Code]
		}
	}
	return out
}
