package engine

import (
	"cmp"
	"context"
	"errors"
	"math"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Reload opens the snapshot that the store says to serve, the pinned or else the
// current one, if it is not the open one, and swaps it in. One that is not sound,
// or beyond the bounds, is refused: the engine goes on with what it has, and the
// refusal is counted. changed reports whether there was a swap, which the first
// time may be to what was served last, before the refusal of what is current.
func (e *Engine) Reload() (changed bool, err error) { return e.Swap(false) }

// load opens a snapshot and judges it, unless forced, which takes time, and swaps
// it in, which takes none.
func (e *Engine) load(cur snapshot.Current, forced bool) error {
	if err := e.heeds(); err != nil {
		return err
	}
	keys, err := e.opts.Store.Keys()
	if err != nil {
		return err
	}
	snap, err := e.opts.Store.Open(cur, e.opts.Memory)
	if err != nil {
		return err
	}
	e.numbers++
	g := &generation{
		Snapshot: snap, number: e.numbers, name: snap.Name(), current: cur,
		secret: keys.Secret, hasher: snapshot.IdentifierHasher(keys.Secret), former: keys.IdentifierHashers(), opened: e.opts.Now(),
		maxAge: min(snap.LinkMaxAge, cmp.Or(e.opts.LinkMaxAge, math.MaxInt)),
	}
	// A profile asked for by its own customer id is as good as authenticated on
	// the day that the snapshot speaks of.
	g.self.Seen, _ = snapshot.DayOf(snap.AsOf)
	for id, n := range snap.Namespaces.All() {
		if n.Compare == index.UUID {
			g.devices.add(id)
		}
	}
	g.bids, g.codes = bidSegments(snap), segmentCodes(snap)
	if !forced {
		if err := e.judge(g); err != nil {
			return errors.Join(err, snap.Close())
		}
	}
	e.open.Add(1)
	g.pins = newPins(func() {
		// Unmapping takes its time, and the last reader is somebody's request.
		go func() {
			defer e.open.Done()
			if err := snap.Close(); err != nil {
				e.opts.Log.Error("close snapshot", "snapshot", g.name, "error", err)
			}
		}()
	})
	live, err := e.adopt(g)
	if err != nil {
		g.pins.retire()
		return err
	}
	e.swap.Lock()
	old := e.state.Load()
	e.state.Store(newState(g, old.clients, live))
	e.warnOfGrants(g, old.clients)
	e.swap.Unlock()
	if e.changes != nil {
		e.changes.adopted()
	}
	e.noteServed(g, old.gen)
	if old.gen != nil {
		old.gen.pins.retire()
	}
	e.opts.Log.Info("serving snapshot", "snapshot", g.name, "identifiers", snap.Counts.Identifiers, "persons", snap.Counts.Persons)
	if snap.Outdated() {
		e.opts.Log.Info("the format has a newer revision: building the snapshot anew would gain something", "snapshot", g.name)
	}
	return nil
}

// retryTicks is after how many looks a snapshot is tried again that could not
// be opened for a reason that may pass.
const retryTicks = 30

// behindTicks is the same for one that contains changes which a follower has not
// come to.
const behindTicks = 2

// Watch reloads whenever the store names another snapshot, looking every
// interval, until ctx ends. A snapshot that was refused as damaged or beyond
// bounds is not tried again until CURRENT or PIN changes; one that could not be
// opened for another reason, such as too many open files, is tried again every 30
// intervals, and one that a follower has not come to every 2. A store that was
// given a log of live changes which is not open is not served any more.
func (e *Engine) Watch(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	refused, behind, retry := "", "", 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if e.withdraw() != nil {
			refused = ""
			continue
		}
		cur, _, err := e.target()
		if errors.Is(err, snapshot.ErrNoSnapshot) {
			continue
		}
		tried := cur.Name + " " + cur.Manifest.String()
		if err != nil {
			tried = err.Error() // CURRENT or PIN itself cannot be read
		}
		if retry--; tried == refused && retry != 0 {
			continue
		}
		refused, retry = "", 0
		if _, err := e.Reload(); err != nil {
			refused = tried
			var beyond *RefusedError
			if !errors.As(err, &beyond) && !errors.Is(err, snapshot.ErrCorrupt) && !errors.Is(err, snapshot.ErrVersion) {
				retry = retryTicks
			}
			if errors.Is(err, ErrBehind) { // said once: it is to be expected
				if retry = behindTicks; tried == behind {
					continue
				}
				behind = tried
			}
			e.opts.Log.Error("refused snapshot", "snapshot", cur.Name, "error", err)
		}
	}
}
