package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/matchd/matchd/engine/swap"
	"github.com/matchd/matchd/snapshot"
)

// RefusedError says why a sound snapshot does not go live: it is beyond bounds.
type RefusedError struct {
	// Snapshot is its name.
	Snapshot string
	Findings []swap.Finding
}

func (e *RefusedError) Error() string {
	texts := make([]string, 0, len(e.Findings))
	for _, f := range e.Findings {
		texts = append(texts, f.Text)
	}
	return fmt.Sprintf("snapshot %s is beyond bounds: %s; if that is meant, run matchd swap --force", e.Snapshot, strings.Join(texts, "; "))
}

// reasons classifies a refusal, each reason once.
func reasons(err error) []swap.Reason {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return []swap.Reason{swap.Unreadable}
	}
	var out []swap.Reason
	for _, f := range refused.Findings {
		if !slices.Contains(out, f.Reason) {
			out = append(out, f.Reason)
		}
	}
	return out
}

// target is the snapshot that the store says is to be served: the pinned one,
// or the current one.
func (e *Engine) target() (c snapshot.Current, pinned bool, err error) {
	if c, pinned, err = e.opts.Store.Pinned(); pinned || err != nil {
		return c, pinned, err
	}
	c, err = e.opts.Store.Current()
	return c, false, err
}

// Swap is [Engine.Reload]; with force, bounds do not hold a snapshot back. One
// that is not sound is refused all the same.
func (e *Engine) Swap(force bool) (changed bool, err error) {
	e.reload.Lock()
	defer e.reload.Unlock()
	if e.closed {
		return false, errClosed
	}
	return e.serveTarget(force)
}

var errClosed = errors.New("the engine is closed")

// serveTarget makes the store's target the open snapshot. The caller holds reload.
func (e *Engine) serveTarget(force bool) (changed bool, err error) {
	c, pinned, err := e.target()
	if errors.Is(err, snapshot.ErrNoSnapshot) {
		return false, err // nothing there to refuse
	}
	if err == nil {
		if !pinned && e.state.Load().gen == nil {
			changed = e.resume(c)
		}
		if g := e.state.Load().gen; g != nil && g.current.Same(c) {
			e.stats.kept()
			return changed, nil
		}
		if err = e.load(c, force || pinned); err != nil && pinned {
			err = fmt.Errorf("%w; it is pinned: matchd unpin, or the removal of the store's file PIN, gives way to the current one", err)
		}
	}
	e.stats.reloaded(err)
	return changed || err == nil, err
}

// resume opens what a daemon served last, so that a snapshot that was refused
// before a restart is judged again after it.
func (e *Engine) resume(current snapshot.Current) (opened bool) {
	if e.opts.Bounds == nil {
		return false
	}
	list, err := e.opts.Store.Served()
	if err == nil && (len(list) == 0 || list[0].Same(current)) {
		return false
	}
	if err == nil {
		err = e.load(list[0], true)
	}
	if err != nil {
		e.opts.Log.Warn("what was served last cannot be opened: the current snapshot has nothing to be compared with", "error", err)
		return false
	}
	return true
}

// judge refuses a snapshot that is beyond bounds, with a [RefusedError].
func (e *Engine) judge(g *generation) error {
	if e.opts.Bounds == nil {
		return nil
	}
	var old *swap.Side
	if o := e.state.Load().gen; o != nil { // it stays open: reload is held
		old = &swap.Side{Snapshot: o.Snapshot, Hasher: o.hasher}
	}
	r, err := swap.Check(old, swap.Side{Snapshot: g.Snapshot, Hasher: g.hasher}, e.recent.All(), *e.opts.Bounds)
	if err != nil {
		return fmt.Errorf("compare snapshot %s with what is served: %w", g.name, err)
	}
	if len(r.Findings) > 0 {
		return &RefusedError{g.name, r.Findings}
	}
	return nil
}

// noteServed remembers over restarts what is served.
func (e *Engine) noteServed(g, old *generation) {
	if e.opts.Bounds == nil {
		return
	}
	if old != nil && old.KeyID != g.KeyID {
		e.recent.Reset()
	}
	if err := e.opts.Store.NoteServed(g.current); err != nil {
		e.opts.Log.Warn("the store cannot remember what is served", "snapshot", g.name, "error", err)
	}
}

// Pin serves a snapshot that the store holds, by its name, and stays on it
// until [Engine.Unpin], over restarts, whatever is published. Bounds do not
// hold it back. On error nothing has changed.
func (e *Engine) Pin(name string) error {
	c, err := e.opts.Store.Named(name)
	if err != nil {
		return err
	}
	e.reload.Lock()
	defer e.reload.Unlock()
	return e.pinTo(c)
}

func (e *Engine) pinTo(c snapshot.Current) error {
	if e.closed {
		return errClosed
	}
	before, was, err := e.opts.Store.Pinned()
	if err != nil && !errors.Is(err, snapshot.ErrCorrupt) {
		return err // a damaged one is written anew
	}
	if err = e.opts.Store.Pin(c); err == nil {
		_, err = e.serveTarget(false)
	}
	if err == nil {
		e.opts.Log.Info("pinned", "snapshot", c.Name)
		return nil
	}
	if was {
		return errors.Join(err, e.opts.Store.Pin(before))
	}
	return errors.Join(err, e.opts.Store.Unpin())
}

// Unpin makes the engine follow what is published again, at once. The snapshot
// that is current has to be within bounds of the one that was pinned; the error
// is that of [Engine.Reload], and there is no pin any more whatever it is,
// unless PIN could not be removed.
func (e *Engine) Unpin() (changed bool, err error) {
	e.reload.Lock()
	defer e.reload.Unlock()
	if e.closed {
		return false, errClosed
	}
	if err := e.opts.Store.Unpin(); err != nil {
		return false, err
	}
	e.opts.Log.Info("unpinned")
	return e.serveTarget(false)
}

// ErrNothingBefore says that there is nothing to roll back to.
var ErrNothingBefore = errors.New("no snapshot that was served before this one is kept: name one with matchd pin")

// Rollback pins the snapshot that was served before this one, and forgets that
// this one was. It returns the name of the one that it went back to,
// or [ErrNothingBefore].
func (e *Engine) Rollback() (string, error) {
	e.reload.Lock()
	defer e.reload.Unlock()
	g := e.state.Load().gen
	if g == nil {
		return "", ErrNotReady
	}
	list, err := e.opts.Store.Served()
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(list, func(c snapshot.Current) bool { return c.Same(g.current) })
	for i, c := range list[at+1:] {
		switch _, err := e.opts.Store.Named(c.Name); {
		case errors.Is(err, fs.ErrNotExist):
			continue // pruned
		case err != nil:
			return "", err
		}
		if err := e.pinTo(c); err != nil {
			return "", err
		}
		return c.Name, e.opts.Store.SetServed(list[at+1+i:])
	}
	return "", ErrNothingBefore
}

// SwapStatus is what an engine serves, and what the store says to.
type SwapStatus struct {
	// Serving is empty where no snapshot is open.
	Serving string `json:"serving"`
	// Current is what the last build published.
	Current string `json:"current"`
	// Pinned is empty where CURRENT is followed.
	Pinned string `json:"pinned,omitempty"`
	// Refused is why what the store says is not served.
	Refused string `json:"refused,omitempty"`
	// Kept are the snapshots in the store, the oldest first.
	Kept []string `json:"kept"`
	// Served are those that were served, the last one first.
	Served []string `json:"served"`
}

// SwapStatus tells what is served and why. A store without a snapshot is no
// error.
func (e *Engine) SwapStatus() (st SwapStatus, err error) {
	st = SwapStatus{Serving: e.Info().Snapshot, Refused: e.Stats().LastRefusal, Served: []string{}}
	cur, err := e.opts.Store.Current()
	if err != nil && !errors.Is(err, snapshot.ErrNoSnapshot) {
		return st, err
	}
	st.Current = cur.Name
	pin, ok, err := e.opts.Store.Pinned()
	if err != nil {
		return st, err
	}
	if ok {
		st.Pinned = pin.Name
	}
	list, err := e.opts.Store.Served()
	if err != nil {
		return st, err
	}
	for _, c := range list {
		st.Served = append(st.Served, c.Name)
	}
	st.Kept, err = e.opts.Store.Snapshots()
	return st, err
}
