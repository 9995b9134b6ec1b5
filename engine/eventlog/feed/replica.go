package feed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/matchd/matchd/engine/eventlog"
)

// Errors of a replica that callers tell apart, beside those of its log.
var (
	// ErrKey is of a leader whose store has another key than the replica's.
	ErrKey = errors.New("the leader's store has another key")
	// ErrRefused is of a record that ReplicaOptions.Check refuses.
	ErrRefused = errors.New("the leader has a record that is refused here")
)

// ReplicaOptions are how a replica is kept. All may be zero.
type ReplicaOptions struct {
	// Key is the id that the key of the leader's store has to have; empty takes
	// any.
	Key string
	// Check, if not nil, is asked of each record before it is taken. Its error
	// refuses it and all after it.
	Check func(eventlog.Record) error
	// Now is the clock, time.Now if nil.
	Now func() time.Time
}

// Replica makes a log the same as that of a daemon, its leader, and keeps it so.
type Replica struct {
	client *Client
	log    *eventlog.Log
	o      ReplicaOptions

	mu    sync.Mutex
	state ReplicaState
}

// ReplicaState is how a replica stands.
type ReplicaState struct {
	// Synced is the newest moment at which the replica is known to have had all
	// that the leader had; zero of none.
	Synced time.Time
	// Err is what went wrong since, or nil.
	Err error
}

// NewReplica makes one of a log that was opened with eventlog.Options.Replica.
func NewReplica(c *Client, l *eventlog.Log, o ReplicaOptions) *Replica {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Check == nil {
		o.Check = func(eventlog.Record) error { return nil }
	}
	return &Replica{client: c, log: l, o: o}
}

// State says how the replica stands. It may be called by any goroutine.
func (r *Replica) State() ReplicaState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Run keeps the log the same until ctx is done or the log takes nothing more, and
// returns why. Whatever else goes wrong is tried again: a leader that cannot be
// reached may come back, and one that has another log may be replaced. Nothing is
// taken of an answer from where it is not sound.
func (r *Replica) Run(ctx context.Context) error {
	wait := time.Duration(0)
	for failed := 0; ; {
		was, _, _ := r.log.Last()
		err := r.step(ctx, wait)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := r.log.Err(); err != nil {
			return err
		}
		now, _, _ := r.log.Last()
		if err == nil {
			failed, wait = 0, r.client.o.Wait
			continue
		}
		r.failed(err)
		wait = 0
		if r.client.o.Retry(err); now > was {
			failed = 0
			continue
		}
		if err := r.client.pause(ctx, failed); err != nil {
			return err
		}
		failed++
	}
}

func (r *Replica) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Err = err
}

func (r *Replica) synced(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = ReplicaState{Synced: at}
}

// step asks the leader once and takes what it gives.
func (r *Replica) step(ctx context.Context, wait time.Duration) error {
	seq, _, hash := r.log.Last()
	asked := r.o.Now()
	a, err := r.client.get(ctx, seq, wait)
	if err != nil {
		return err
	}
	base, err := r.log.Base()
	if err != nil {
		return err
	}
	if err := r.is(&a.Header); err != nil {
		return err
	}
	if b := a.Base; b != base && (seq < b.Seq || seq >= b.Trim) {
		return r.rebase(ctx, &a.Header)
	}
	var list []eventlog.Sealed
	err = a.read(eventlog.NewChecker(seq, hash), func(s *eventlog.Sealed) error {
		if err := r.check(s); err != nil {
			return err
		}
		list = append(list, *s)
		return nil
	})
	if len(list) > 0 {
		if err := r.log.Import(ctx, list); err != nil {
			return err
		}
	}
	if err == nil {
		err = a.cut
	}
	if now, _, _ := r.log.Last(); err == nil && now >= a.Last {
		r.synced(asked)
	}
	return err
}

func (r *Replica) check(s *eventlog.Sealed) error {
	if err := r.o.Check(s.Record); err != nil {
		return fmt.Errorf("%w: record %d: %w", ErrRefused, s.Seq, err)
	}
	return nil
}

// is checks that an answer is of the log that this one is a replica of.
func (r *Replica) is(h *Header) error {
	if h.Log != r.log.ID() {
		return fmt.Errorf("%w: the leader's is %s, and this one is a replica of %s", eventlog.ErrDiffers, h.Log, r.log.ID())
	}
	if r.o.Key != "" && h.Key != r.o.Key {
		return fmt.Errorf("%w: %s, and this one's is %s", ErrKey, h.Key, r.o.Key)
	}
	return nil
}

// rebase makes the log have, of what the leader trimmed, what that has kept. All
// of it is looked at before anything is dropped.
func (r *Replica) rebase(ctx context.Context, h *Header) error {
	if err := r.kept(ctx, h, r.check); err != nil {
		return err
	}
	b, err := r.log.Rebase(h.Base)
	if err != nil {
		return err
	}
	if err := r.kept(ctx, h, func(s *eventlog.Sealed) error { return b.Keep(ctx, s) }); err != nil {
		return err
	}
	return b.Done(ctx)
}

// errBeyond is of a record after those that were trimmed.
var errBeyond = errors.New("beyond what was trimmed")

// kept calls f with the records that the leader has kept of those that it trimmed,
// and checks that they are what it says.
func (r *Replica) kept(ctx context.Context, h *Header, f func(*eventlog.Sealed) error) error {
	check, at := eventlog.NewChecker(0, eventlog.Hash{}), uint64(0)
	for try := 0; ; try++ {
		a, err := r.client.get(ctx, at, 0)
		if err == nil {
			if a.Log != h.Log || a.Base != h.Base {
				return eventlog.ErrTrimmed
			}
			was := at
			err = a.read(check, func(s *eventlog.Sealed) error {
				if !s.Kept {
					return errBeyond
				}
				if err := f(s); err != nil {
					return err
				}
				at = s.Seq
				return nil
			})
			switch {
			case errors.Is(err, errBeyond):
				return nil
			case err == nil && a.cut == nil && at == was: // there is nothing beyond
				return check.End()
			case at > was:
				try = -1
			}
			if err == nil {
				err = a.cut
			}
		}
		if err != nil {
			if err := r.client.tryAgain(ctx, max(try, 0), err); err != nil {
				return err
			}
		}
	}
}
