package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/matchd/matchd/engine/privacy"
)

// Pool is an engine and the name of its store, which grants may name.
type Pool struct {
	Name string
	*Engine
}

// Pools answers clients out of several stores, from each that they have a grant
// in. No link crosses from one to another: a person of one is nobody in the
// others. It is safe for use by any number of goroutines.
type Pools struct {
	list     []Pool
	verdicts *privacy.Verdicts
}

// RememberedVerdicts is how many verdicts about signals are remembered: a bidder
// sees the same consent string of a visitor for months. They take some hundred
// bytes each, and at most 64 MiB together.
const RememberedVerdicts = 1 << 15

// NewPools makes one of engines whose names are different.
func NewPools(list ...Pool) (*Pools, error) {
	if len(list) == 0 {
		return nil, errors.New("engine: no store to answer from")
	}
	for i, p := range list {
		if slices.ContainsFunc(list[:i], func(o Pool) bool { return o.Name == p.Name }) {
			return nil, fmt.Errorf("engine: two stores are named %q", p.Name)
		}
	}
	return &Pools{list: slices.Clone(list), verdicts: privacy.NewVerdicts(RememberedVerdicts)}, nil
}

// All returns the engines, in order. The slice is not to be changed.
func (p *Pools) All() []Pool { return p.list }

// Ready reports whether every store has a snapshot open.
func (p *Pools) Ready() bool {
	return !slices.ContainsFunc(p.list, func(o Pool) bool { return !o.Ready() })
}

// Close closes all engines.
func (p *Pools) Close() error {
	var err error
	for _, o := range p.list {
		err = errors.Join(err, o.Close())
	}
	return err
}

// SetClients replaces all clients, at once for views that begin later; see
// [Engine.SetClients]. On error nothing has changed.
func (p *Pools) SetClients(clients []Client) error {
	if err := p.validate(clients); err != nil {
		return err
	}
	for i, o := range p.list {
		var here []Client
		for _, c := range clients {
			if c, ok := c.in(o.Name, i == 0 && len(c.Grants) == 0); ok {
				here = append(here, c)
			}
		}
		o.setClients(here)
	}
	return nil
}

func (p *Pools) validate(clients []Client) error {
	if err := validateClients(clients); err != nil {
		return err
	}
	for _, c := range clients {
		for _, g := range c.Grants {
			if g.Store != "" && !slices.ContainsFunc(p.list, func(o Pool) bool { return o.Name == g.Store }) {
				return fmt.Errorf("client %s: there is no store %q", c.Name, g.Store)
			}
		}
	}
	return nil
}

// in returns the client with the grants that hold in a store, and whether there
// are any, or are not needed. What all its grants decide together stays.
func (c Client) in(store string, bare bool) (Client, bool) {
	c = c.resolved()
	c.Grants = slices.DeleteFunc(c.Grants, func(g Grant) bool { return g.Store != "" && g.Store != store })
	return c, bare || len(c.Grants) > 0
}

// Part is what one store has for a caller: a session, and its answers.
type Part struct {
	Session
	Batch
	// Store is the store's name.
	Store string

	resolved Answer // of several identifiers as one
}

// View is one caller's view of the stores that it has grants in, at one moment.
// The zero value is ready. It belongs to one goroutine at a time; used again,
// it allocates nothing.
type View struct {
	parts []Part
	bid   bid
}

// Begin opens a view for a client: it pins the open generation of each store.
// It returns [ErrNotReady], where a store of the client's has none, or
// [ErrUnknownClient]; without an error, End must follow.
func (p *Pools) Begin(v *View, client string) error {
	v.parts = v.parts[:0]
	now := p.list[0].opts.Now()
	for i := range p.list {
		s, err := p.list[i].begin(client, now)
		if err == ErrUnknownClient || err == ErrNotReady && !p.list[i].knows(client) {
			continue
		}
		if err != nil {
			v.End()
			return err
		}
		part := v.next()
		part.Session, part.Store, part.aimed = s, p.list[i].Name, 0
	}
	if len(v.parts) == 0 {
		return ErrUnknownClient
	}
	v.drop()
	return nil
}

// knows reports whether a client has grants in the engine, whatever is open.
func (e *Engine) knows(client string) bool {
	_, ok := e.state.Load().access[client]
	return ok
}

// next adds a part, with the memory of an earlier one.
func (v *View) next() *Part {
	if n := len(v.parts); n < cap(v.parts) {
		v.parts = v.parts[:n+1]
	} else {
		v.parts = append(v.parts, Part{})
	}
	return &v.parts[len(v.parts)-1]
}

// drop ends the sessions in which the client is granted nothing, but for one:
// there every identifier is invalid.
func (v *View) drop() {
	if len(v.parts) == 1 {
		return
	}
	keep := 0
	for i := range v.parts {
		if !v.parts[i].access.granted {
			continue
		}
		if keep != i {
			v.parts[keep], v.parts[i] = v.parts[i], v.parts[keep]
		}
		keep++
	}
	for i := max(keep, 1); i < len(v.parts); i++ {
		v.parts[i].Session.End()
	}
	v.parts = v.parts[:max(keep, 1)]
}

// End gives all generations back.
func (v *View) End() {
	for i := range v.parts {
		v.parts[i].Session.End()
		v.parts[i].Session = Session{}
	}
	v.parts = v.parts[:0]
	v.bid.request.Forget()
	v.bid.signals.Reset()
}

// Parts are what the stores have, in the order in which they are configured.
func (v *View) Parts() []Part { return v.parts }

// Bytes is how much memory the view holds for its next use; see [Batch.Bytes].
func (v *View) Bytes() (n int) {
	for i := range v.parts[:cap(v.parts)] {
		n += v.parts[:cap(v.parts)][i].Batch.Bytes()
	}
	return n + v.bid.bytes()
}

// Verdict is that on the signals of the request, by [Pools.Heed].
func (v *View) Verdict() privacy.Verdict { return v.parts[0].verdict }

// Heed makes the view's answers obey what a request says about privacy, under
// the policy of the client. It comes before any question; without it, the
// request is taken to say nothing.
func (p *Pools) Heed(v *View, signals *privacy.Signals) privacy.Verdict {
	first := &v.parts[0]
	verdict := p.verdicts.Decide(first.access.policy, signals, first.now)
	for i := range v.parts {
		v.parts[i].verdict = verdict
	}
	return verdict
}

// aim has the memory fetched that asking for ids reads first; see
// [Session.aim]. Of no ids or too many it forgets what was aimed at.
func (v *View) aim(ids [][]byte) {
	for i := range v.parts {
		p := &v.parts[i]
		if p.aimed = 0; len(ids) > 0 && len(ids) <= stage {
			p.aim(&p.Batch, ids)
		}
	}
}

// Match answers each of ids by itself, in each part; see [Session.Match].
func (v *View) Match(ids [][]byte) error {
	for i := range v.parts {
		if err := v.parts[i].Session.Match(&v.parts[i].Batch, ids); err != nil {
			return err
		}
	}
	return nil
}

// Resolve answers ids as one, in each part; see [Session.Resolve].
func (v *View) Resolve(ids [][]byte) error {
	for i := range v.parts {
		p := &v.parts[i]
		var err error
		if p.resolved, err = p.Session.Resolve(&p.Batch, ids); err != nil {
			return err
		}
	}
	return nil
}

// Resolved is the part's answer to what [View.Resolve] was asked last.
func (p *Part) Resolved() *Answer { return &p.resolved }

// Deciding returns the part whose answer to identifier i stands for all: the
// first that matched; where none did, the one whose reason says most.
func (v *View) Deciding(i int) *Part {
	return v.deciding(func(p *Part) Reason { return p.Answers[i].Reason })
}

// Decided is Deciding for what [View.Resolve] was asked.
func (v *View) Decided() *Part {
	return v.deciding(func(p *Part) Reason { return p.resolved.Reason })
}

func (v *View) deciding(reason func(*Part) Reason) *Part {
	best := &v.parts[0]
	for i := range v.parts[1:] {
		p := &v.parts[1+i]
		if reason(p).Outweighs(reason(best)) {
			best = p
		}
	}
	return best
}

// Outweighs reports whether a reason says more than another: of several stores
// the one whose reason does speaks.
func (r Reason) Outweighs(o Reason) bool { return r.says() > o.says() }

// says orders reasons by how much they say.
func (r Reason) says() int {
	switch r {
	case OptedOut: // whatever another store knows of him
		return 7
	case Matched:
		return 6
	case ConsentExpired:
		return 5
	case NoConsent:
		return 4
	case Ambiguous:
		return 3
	case Suppressed:
		return 2
	case Invalid:
		return 0
	}
	return 1
}
