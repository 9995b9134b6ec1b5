package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/engine/persons"
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/engine/swap"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Session is one caller's view of one generation, at one moment.
type Session struct {
	engine *Engine
	gen    *generation
	access *access
	live   *overlay.Overlay
	beside *persons.Persons // whom live links make
	pin    uint32
	now    int64        // Unix seconds
	oldest snapshot.Day // of fresh links
	salt   uint64       // of the sample of recent lookups

	verdict privacy.Verdict // on the signals of the request
	counts  [results]uint32
}

// Heed makes the session's answers obey a verdict on what the request says
// about privacy. It comes before any question; see [Pools.Heed]. Without it, the
// request is taken to say nothing.
func (s *Session) Heed(v privacy.Verdict) { s.verdict = v }

// suppressed reports whether identifiers of a namespace may not be used.
func (s *Session) suppressed(ns index.NamespaceID) bool {
	return s.verdict.All != privacy.None || s.verdict.Device != privacy.None && s.gen.devices.has(int(ns))
}

// forbids is the signal that suppresses.
func (s *Session) forbids() privacy.Kind { return cmp.Or(s.verdict.All, s.verdict.Device) }

// Begin pins the open generation for a client. It returns [ErrNotReady] or
// [ErrUnknownClient]; without an error, End must follow. It allocates nothing.
func (e *Engine) Begin(client string) (Session, error) { return e.begin(client, e.opts.Now()) }

func (e *Engine) begin(client string, now time.Time) (Session, error) {
	for {
		st := e.state.Load()
		if st.gen == nil {
			return Session{}, ErrNotReady
		}
		a, ok := st.access[client]
		if !ok {
			return Session{}, ErrUnknownClient
		}
		if pin, ok := st.gen.pins.acquire(); ok {
			a = a.at(now.Unix())
			live := st.overlay
			if live != nil && live.Len() == 0 {
				live = nil // it has nothing to say
			}
			return Session{
				engine: e, gen: st.gen, access: a, live: live, beside: st.persons, pin: pin,
				now: now.Unix(), oldest: st.gen.oldestFresh(now), salt: swap.Salt(now.Unix()), verdict: a.silent,
			}, nil
		}
	}
}

// End gives the generation back.
func (s *Session) End() {
	s.engine.stats.add(&s.counts)
	s.gen.pins.release(s.pin)
	s.gen = nil
}

// Snapshot is the name of the snapshot that the session sees.
func (s *Session) Snapshot() string { return s.gen.name }

// Tenant returns a tenant by its number in a [Profile].
func (s *Session) Tenant(i uint16) snapshot.Tenant { return s.gen.Tenants[i] }

// Person returns the id of the person that an answer of the session is about,
// as the client sees it: zero where it is no match. It takes one keyed hash.
func (s *Session) Person(a *Answer) (id PersonID) {
	if a.Matched() {
		id = shownID(s.access.persons, a.person)
	}
	return id
}

// Segment returns the code of a segment by its number.
func (s *Session) Segment(i uint32) string { return s.gen.Segments[i].Code }

// Now is the moment of the session.
func (s *Session) Now() time.Time { return time.Unix(s.now, 0).UTC() }

// Pseudonym is what a text about a person is called in the audit log; see
// [audit.Pseudonym].
func (s *Session) Pseudonym(text string) string {
	return audit.Pseudonym(audit.Hasher(s.gen.secret), text)
}

// Namespace returns a namespace by its number.
func (s *Session) Namespace(id index.NamespaceID) index.Namespace { return s.gen.Namespaces.At(id) }

// Tenants lists the tenants of the open snapshot.
func (e *Engine) Tenants() []snapshot.Tenant {
	g, pin := e.pin()
	if g == nil {
		return nil
	}
	defer g.pins.release(pin)
	return slices.Clone(g.Tenants)
}
