package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// MaxEvents is how many live changes one POST may have.
const MaxEvents = 5000

var (
	problemNoEvents   = &problem{status: 400, detail: "there is no change in the body: send one a line, or a JSON array of them"}
	problemManyEvents = &problem{status: 413, detail: "a request has at most 5000 changes; split it"}
	problemNoLog      = &problem{status: 501, detail: "this daemon takes no live changes: its store has no events in the config"}
	problemTaker      = &problem{status: 503, detail: "a store that takes live changes has no snapshot open yet: whether these are for it is not known, so none is taken; send them again", header: retryLater}
	problemLog        = &problem{status: 503, detail: "the log of live changes has failed, and takes none until the daemon is restarted on a sound disk with space; lookups go on", header: retryLater}
)

// Those for who asks whether the daemon is ready.
var (
	problemLate    = &problem{status: 503, detail: "live changes are on disk that lookups here do not obey, for longer than the config allows", header: retryLater}
	problemOverdue = &problem{status: 503, detail: "an erased customer is in a snapshot that is served, current or pinned, for longer than the config allows: build anew, serve that, and unpin", header: retryLater}
)

// change is one line of a request, on its way.
type change struct {
	line   int
	event  event.Event
	refuse string // why it is refused, or empty
	engine.Delivered
}

// events serves POST /v1/events: live changes, a line each or in one JSON array.
// The answer comes once those that are right are on disk and obeyed, and says of
// each line what became of it.
func (s *Server) events(ctx *fasthttp.RequestCtx, q *request) *problem {
	if q.encoded {
		return problemEncoding
	}
	if len(ctx.URI().QueryString()) > 0 {
		return badRequest("this path takes no query")
	}
	lines, err := event.Split(ctx.Request.Body())
	switch {
	case err != nil:
		return badRequest("the body: %v", err)
	case len(lines) == 0:
		return problemNoEvents
	case len(lines) > MaxEvents:
		return problemManyEvents
	}
	if !q.paid { // it may be answered anew, see serve
		if p := q.caller.spend(len(lines), ctx.Time()); p != nil {
			return p
		}
		q.paid = true
	}
	list := make([]change, len(lines))
	for i, l := range lines {
		c := &list[i]
		c.line = l.Number
		if c.event, err = event.Parse(l.Text); err != nil {
			c.refuse, c.event.ID = err.Error(), event.ID(l.Text)
		} else {
			c.refuse = q.caller.mayChange(&c.event)
		}
	}
	if p := s.take(q.caller, list, ctx.Time()); p != nil {
		return p
	}
	var accepted int
	q.out, accepted = appendChanges(q.out[:0], list)
	status := fasthttp.StatusOK
	if accepted == 0 {
		status = fasthttp.StatusUnprocessableEntity
	}
	ctx.Response.SetStatusCode(status)
	return nil
}

// mayChange says why a client may not make a change, or nothing.
func (c *caller) mayChange(e *event.Event) string {
	scope, name := ScopeEvents, "events"
	switch e.Type {
	case event.OptOut, event.OptIn, event.Erase:
		scope, name = ScopePrivacy, "privacy"
	}
	if c.scopes&scope == 0 {
		return "type: " + e.Type.String() + " takes the scope " + name
	}
	for _, tenant := range e.Concerns() {
		if tenant == event.All && c.scopes&ScopeAdmin == 0 {
			return "tenant: * takes the scope admin"
		}
	}
	return ""
}

// take has each change taken by the stores that have the tenants which it is about,
// as the client's own there. It takes nothing where one of them follows another
// daemon.
func (s *Server) take(client *caller, list []change, now time.Time) *problem {
	var events []event.Event
	var of []int // their places in the request
	for i := range list {
		if list[i].refuse == "" {
			events, of = append(events, list[i].event), append(of, i)
		}
	}
	d, err := s.pools.Deliver(events, func(p engine.Pool, e *event.Event) bool { return client.client.changes(p, e, now) })
	switch {
	case errors.Is(err, engine.ErrNoChanges):
		return problemNoLog
	case err != nil:
		return problemTaker
	}
	if p := s.following(d); p != nil {
		return p
	}
	delivered, err := d.Take(client.name)
	switch {
	case errors.Is(err, engine.ErrNotReady):
		return problemTaker
	case err != nil:
		return problemLog
	}
	for k := range delivered {
		list[of[k]].Delivered = delivered[k]
	}
	return nil
}

// following says who takes changes that are for a store which follows another daemon.
func (s *Server) following(d *engine.Delivery) *problem {
	for _, p := range s.pools.All() {
		if !d.Reaches(p.Name) {
			continue
		}
		if f, ok := p.Changes().Following(); ok {
			return &problem{status: 421, detail: s.named(p, "this daemon follows another one, which takes the changes: send them to "+f.Leader)}
		}
	}
	return nil
}

// changes reports whether a change is one for a store: all tenants that it is
// about are there, and the client's own. Of links, which are about none, it says
// so of those stores that have one of the client's; their namespaces have to be
// the client's to ask by.
func (c *Client) changes(p engine.Pool, e *event.Event, now time.Time) bool {
	here := p.Tenants()
	own := func(t snapshot.Tenant) bool { return c.Owns(t.Name, p.Name, now) }
	concerns := e.Concerns()
	for _, tenant := range concerns {
		if tenant != event.All && !slices.ContainsFunc(here, func(t snapshot.Tenant) bool { return t.Name == tenant && own(t) }) {
			return false
		}
	}
	if e.Type == event.Link || e.Type == event.Unlink {
		for _, id := range [...]string{e.Left, e.Right} {
			namespace, _, _ := strings.Cut(id, ":")
			if !strings.HasPrefix(namespace, index.CRMPrefix) && !c.Links(namespace, p.Name, now) {
				return false
			}
		}
	}
	return len(concerns) > 0 || slices.ContainsFunc(here, own)
}

// appendChanges appends what became of each line, and returns how many changes
// were accepted, known ones too.
func appendChanges(dst []byte, list []change) (_ []byte, accepted int) {
	dst = append(dst, `{"results":[`...)
	for i := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		c := &list[i]
		dst = appendInt(append(dst, `{"line":`...), c.line)
		if c.event.ID != "" {
			dst = appendString(append(dst, `,"id":`...), c.event.ID)
		}
		why := c.why()
		if why != "" {
			dst = append(appendString(append(dst, `,"status":"refused","detail":`...), why), '}')
			continue
		}
		accepted++
		dst = append(dst, `,"status":"accepted","receipts":[`...)
		for k := range c.Taken {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = appendReceipt(dst, &c.Taken[k])
		}
		dst = append(dst, `]}`...)
	}
	dst = appendInt(append(dst, `],"accepted":`...), accepted)
	return append(dst, '}'), accepted
}

// why says why the change is refused, or nothing.
func (c *change) why() string {
	switch {
	case c.refuse != "":
		return c.refuse
	case c.Err != nil:
		why := c.Err.Error()
		if errors.Is(c.Err, eventlog.ErrTokenReused) {
			why = "id: another change was sent under it"
		}
		if c.Store != "" {
			why = "store " + c.Store + ": " + why
		}
		return why
	case len(c.Taken) > 0:
		return ""
	case c.event.Type == event.Link || c.event.Type == event.Unlink:
		return "left, right: they are not of tenants and namespaces that are this client's to link, in any store that takes live changes"
	}
	return "the tenant is not this client's to change, in any store that takes live changes"
}

func appendReceipt(dst []byte, t *engine.Taken) []byte {
	dst = appendString(append(dst, `{"store":`...), t.Store)
	dst = fmt.Appendf(dst, `,"log":"%s","seq":%d,"time":"%s","hash":"%s"`, t.Log, t.Seq, t.Time.UTC().Format(time.RFC3339Nano), t.Hash)
	if t.Known {
		dst = append(dst, `,"known":true`...)
	}
	return append(dst, '}')
}
