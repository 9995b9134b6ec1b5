package build

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
)

// liveSegment says that a customer is in a segment, by its number, or is not.
type liveSegment struct {
	segment uint32
	at      int64 // Unix nanoseconds
	added   bool
}

const liveSegmentSize = 4 + 8 + 1

func appendSegment(dst []byte, s liveSegment) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, s.segment)
	return appendFlag(binary.LittleEndian.AppendUint64(dst, uint64(s.at)), s.added)
}

func (d *decoder) liveSegment() liveSegment {
	return liveSegment{segment: d.u32(), at: int64(d.u64()), added: d.u8() == 1}
}

// liveConsent is the consent that a customer gave or withdrew.
type liveConsent struct {
	at, until int64 // Unix nanoseconds, and Unix seconds
	granted   bool
	purposes  snapshot.Purposes
}

const liveConsentSize = 8 + 8 + 1 + 1

func appendLiveConsent(dst []byte, c liveConsent) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.at))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.until))
	return append(appendFlag(dst, c.granted), byte(c.purposes))
}

func (d *decoder) liveConsent() liveConsent {
	return liveConsent{at: int64(d.u64()), until: int64(d.u64()), granted: d.u8() == 1, purposes: snapshot.Purposes(d.u8())}
}

func appendFlag(dst []byte, on bool) []byte {
	if on {
		return append(dst, 1)
	}
	return append(dst, 0)
}

const tenantSize = 2

func appendTenant(dst []byte, tenant uint16) []byte {
	return binary.LittleEndian.AppendUint16(dst, tenant)
}

// liveProfile is what live changes say of one customer.
type liveProfile struct {
	segments []liveSegment
	consent  liveConsent // at is 0 where they say nothing
}

// alter makes a profile, which rows of files of a time in Unix seconds came to,
// what the live changes say, and reports how many segments and consents are
// others than before. The files' segments are of the time of the files; files of the
// time of the build itself, as those are that state none, may be old ones, and
// bring no segment back that was taken away.
func (l *liveProfile) alter(p *profile, asOf, build int64, t *config.Tenant) (segments, consents int64) {
	files := asOf * int64(time.Second)
	for _, s := range l.segments {
		if s.added && s.at <= files || !s.added && s.at < files && asOf != build {
			continue
		}
		switch at, has := slices.BinarySearch(p.segments, s.segment); {
		case has && !s.added:
			p.segments = slices.Delete(p.segments, at, at+1)
			segments++
		case !has && s.added:
			p.segments = slices.Insert(p.segments, at, s.segment)
			segments++
		}
	}
	if l.consent.at != 0 && l.consent.later(p.consent.At, asOf) {
		before := p.consent
		p.consent = l.consent.state(p.consent.At, asOf, t)
		if p.consent != before {
			consents++
		}
	}
	return segments, consents
}

// later reports whether a customer's own word holds against that of the files:
// it is later, or as late and denies. What files say without a time, they say as
// of their own; but a file that says no time has not heard that consent was
// given anew, and does not outdate a withdrawal.
func (c *liveConsent) later(consentAt, asOf int64) bool {
	files := consentAt
	if consentAt == 0 {
		files = asOf
	}
	files *= int64(time.Second)
	return c.at > files || !c.granted && (c.at == files || consentAt == 0)
}

// state is what the profile says of consent then. A withdrawal from what files say
// without a time is as late as they are, so that a grant which is earlier than
// they are and comes later does not outdate it.
func (c *liveConsent) state(consentAt, asOf int64, t *config.Tenant) snapshot.ConsentState {
	out := snapshot.ConsentState{At: max(c.at/int64(time.Second), 1)}
	switch {
	case c.granted:
		out.Purposes, out.Expires = c.purposes, c.until
		out = limitConsent(out, t)
	case consentAt == 0:
		out.At = max(out.At, asOf)
	}
	return out
}
