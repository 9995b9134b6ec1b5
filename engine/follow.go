package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/eventlog/feed"
	"github.com/matchd/matchd/snapshot"
)

// Errors of followers.
var (
	// ErrFollower says that a store's changes are taken by another daemon alone.
	ErrFollower = errors.New("another daemon takes the changes, which this one follows")
	// ErrBehind is of a snapshot that contains changes which a follower has not come
	// to yet. It is tried again.
	ErrBehind = errors.New("the follower has not come so far")
)

// Bounds of how far a follower may be behind.
const (
	DefaultLag = 30 * time.Second
	MinLag     = 2 * time.Second
	MaxLag     = 24 * time.Hour
)

// Leader is the daemon whose changes a store follows.
type Leader struct {
	// URL is where it is, as [feed.Options] has it; Key an API key there, with
	// the scope admin; Store its name of the store, empty where it has one.
	URL, Key, Store string
	// Lag is how far behind the follower may be and still be ready; DefaultLag.
	Lag time.Duration
}

// Following is how a follower stands.
type Following struct {
	// Leader is the URL of the daemon that it follows.
	Leader string
	// Seq is the newest record that it has.
	Seq uint64
	// Lag is the time since it is known to have had all that its leader had: what
	// it has not is no older. It is math.MaxInt64 where it never was. Bound is how
	// much it may be.
	Lag, Bound time.Duration
	// Err is what went wrong since, or nil. It may name addresses.
	Err error
}

// Unready says why a follower should get no requests, or nothing. It names no
// address.
func (f *Following) Unready() string {
	switch {
	case errors.Is(f.Err, eventlog.ErrDiffers):
		return "the log of live changes that it follows is not its own any more"
	case errors.Is(f.Err, feed.ErrKey):
		return "the store whose live changes it follows has another key"
	case errors.Is(f.Err, feed.ErrRefused):
		return "a live change that it follows cannot be applied"
	case errors.Is(f.Err, eventlog.ErrCorrupt):
		return "the live changes that it follows come damaged"
	case f.Lag <= f.Bound:
		return ""
	}
	why := "it has not come so far"
	if f.Err != nil {
		why = "the daemon that it follows cannot be reached, or refuses it"
	}
	if f.Lag == math.MaxInt64 {
		return "it has never had all live changes that it follows: " + why
	}
	return fmt.Sprintf("it has not all live changes that it follows since %v: %s", f.Lag.Round(time.Second), why)
}

// follower keeps a store's log the same as the leader's.
type follower struct {
	leader  Leader
	client  *feed.Client
	replica *feed.Replica
	changes *Changes

	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex // guards the rest, of what was logged
	said   string
	saidAt time.Time
}

// Follow is [Engine.OpenChanges] of a store whose changes another daemon takes: the
// folder has a replica of that one's log, which is brought up to it and kept so
// until the engine is closed, and answers obey it. Where there is no log in the
// folder yet, the leader has to be there.
func (e *Engine) Follow(dir string, leader Leader) error {
	if leader.Lag == 0 {
		leader.Lag = DefaultLag
	}
	if leader.Lag < MinLag || leader.Lag > MaxLag {
		return fmt.Errorf("a follower's lag is from %v to %v", MinLag, MaxLag)
	}
	f := &follower{leader: leader}
	var err error
	f.client, err = feed.New(feed.Options{
		URL: leader.URL, Key: leader.Key, Store: leader.Store, Retry: f.failed,
		// The leader is heard of some times within the lag.
		Wait:       min(max((leader.Lag/4).Truncate(time.Second), time.Second), feed.MaxWait),
		MaxBackoff: min(leader.Lag/4, 5*time.Second),
	})
	if err != nil {
		return err
	}
	return e.openChanges(dir, f)
}

// begin asks the leader whose log a new one is to be a replica of.
func (f *follower) begin() (eventlog.ID, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	l, err := f.client.Open(ctx)
	if err != nil {
		return eventlog.ID{}, fmt.Errorf("begin to follow: %w", err)
	}
	if l.Key() != f.changes.key {
		return eventlog.ID{}, fmt.Errorf("begin to follow: %w: %s, and this one's is %s", feed.ErrKey, l.Key(), f.changes.key)
	}
	// Else a log would be made that the store does not take, and be in the way.
	store := f.changes.engine.opts.Store
	if has, err := store.Log(); err != nil || has != "" && has != l.ID().String() {
		return eventlog.ID{}, fmt.Errorf("begin to follow: %w", cmp.Or[error](err, &snapshot.OtherLogError{Store: store.Dir(), Has: has, Given: l.ID().String()}))
	}
	return l.ID(), nil
}

// options add to those of a log what makes it a replica.
func (f *follower) options(o *eventlog.Options) {
	if f != nil {
		o.Replica, o.Applied = f.begin, f.changes.followed
	}
}

// start begins to follow.
func (f *follower) start(log *eventlog.Log) {
	if f == nil {
		return
	}
	c := f.changes
	f.replica = feed.NewReplica(f.client, log, feed.ReplicaOptions{Key: c.key, Check: c.fits, Now: c.engine.opts.Now})
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.done.Go(func() {
		if err := f.replica.Run(ctx); ctx.Err() == nil {
			c.engine.opts.Log.Error("live changes are not followed any more", "error", err)
		}
	})
}

// end ends it.
func (f *follower) end() {
	if f == nil {
		return
	}
	if f.stop != nil {
		f.stop()
		f.done.Wait()
	}
	f.client.Close()
}

// sayAgain is how often one thing is logged.
const sayAgain = time.Minute

// failed logs what goes wrong, once and then every minute.
func (f *follower) failed(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if text := err.Error(); text != f.said || now.Sub(f.saidAt) >= sayAgain {
		f.said, f.saidAt = text, now
		f.changes.engine.opts.Log.Error("live changes cannot be followed; it is tried again", "leader", f.leader.URL, "error", err)
	}
}

// followed is applied for what the leader has taken. What it erases goes from this
// log too. Notes come after what they tell of: since when that is obeyed here, is
// known before one says since when it is there.
func (c *Changes) followed(records []eventlog.Record) {
	for from, i := 0, 0; i < len(records); i++ {
		if i+1 == len(records) || records[i+1].Kind == eventlog.Note {
			c.applied(records[from : i+1])
			from = i + 1
		}
	}
	erases := false
	for i := range records {
		if whole(&records[i]) {
			b, err := event.Decode(records[i].Body)
			erases = erases || err == nil && b.Type == event.Erase
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if erases && c.names != nil { // else it is done when a snapshot is opened
		c.redactSoon()
	}
}

// Following is how the store stands that follows another daemon's; ok is false of
// one that takes its changes itself.
func (c *Changes) Following() (f Following, ok bool) {
	if c.follower == nil {
		return f, false
	}
	f = Following{Leader: c.follower.leader.URL, Lag: math.MaxInt64, Bound: c.follower.leader.Lag}
	f.Seq, _, _ = c.log.Last()
	st := c.follower.replica.State()
	if f.Err = st.Err; !st.Synced.IsZero() {
		f.Lag = max(c.engine.opts.Now().Sub(st.Synced), 0)
	}
	return f, true
}
