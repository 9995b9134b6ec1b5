package server

import (
	"slices"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
)

// SetClients replaces all clients. When it has returned, a key that is no
// longer there is nobody's, and no answer that is still to be made is by a
// key's old grants. On error nothing changes. It keeps clients, which nobody may
// write to any more.
func (s *Server) SetClients(clients []Client) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	for _, c := range clients {
		if err := c.Validate(); err != nil {
			return err
		}
	}
	old := s.keys.Load()
	keys, err := newKeyring(clients, s.open, old)
	if err != nil {
		return err
	}
	// A request is served by the caller that its key is found to be, and by the
	// grants that the engine has for the caller's name. The two are swapped one
	// after the other: callers that are about to lose their grants are marked
	// first, and serve begins anew where one was marked.
	changed := make(chan struct{})
	defer close(changed)
	kept := keys.all()
	mark := func(c *chan struct{}) {
		for _, o := range old.all() {
			if !slices.Contains(kept, o) {
				o.replaced.Store(c)
			}
		}
	}
	mark(&changed)
	if err := s.pools.SetClients(keys.engineClients()); err != nil {
		mark(nil)
		return err
	}
	s.keys.Store(keys)
	return nil
}

func (k *keyring) engineClients() (out []engine.Client) {
	for _, c := range k.all() {
		out = append(out, c.client.Client)
	}
	return out
}

// serve writes the answer to a lookup into q.out, if the caller has the scope.
// An answer that was made while the clients were changed might be by one
// client's scopes and another's grants: it is made again, as the clients are
// now. So what it does must do no harm twice.
func (s *Server) serve(ctx *fasthttp.RequestCtx, q *request) *problem {
	for {
		p := q.admit(ctx)
		if p == nil {
			p = q.caller.may(q.route)
		}
		if p == nil {
			p = s.serveV1(ctx, q)
		}
		changed := q.caller.replaced.Load()
		if changed == nil {
			return p
		}
		<-*changed
		if q.caller = s.keys.Load().again(q.caller); q.caller == nil || !q.caller.certified(ctx) {
			q.origin = ""
			return problemKey
		}
	}
}

// again is who has the key of a caller now, or nil.
func (k *keyring) again(old *caller) *caller {
	if old.client.Key == (KeyHash{}) {
		return k.open
	}
	for _, c := range k.callers {
		if c.client.Key == old.client.Key {
			return c
		}
	}
	return nil
}
