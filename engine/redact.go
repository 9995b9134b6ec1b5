package engine

import (
	"context"
	"errors"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/overlay"
)

func (c *Changes) redactSoon() {
	select {
	case c.redact <- struct{}{}:
	default: // it is to be done anyway
	}
}

// redactErased takes out of the log what names customers who are erased, until
// the log is closed.
func (c *Changes) redactErased() {
	for {
		select {
		case <-c.redact:
			c.redactOnce()
		case <-c.closed:
			select {
			case <-c.redact: // what was accepted before
				c.redactOnce()
			default:
			}
			return
		}
	}
}

// redactOnce looks through the whole log.
func (c *Changes) redactOnce() {
	c.mu.Lock()
	o, names := c.overlay, c.names
	c.mu.Unlock()
	var seqs []uint64
	err := c.log.Scan(0, func(r eventlog.Record) error {
		if !whole(&r) {
			return nil
		}
		b, err := event.Decode(r.Body)
		if err != nil {
			return err
		}
		for _, text := range [...]string{b.Subject, b.Left, b.Right} {
			if text != "" && erased(o, names, text, b.At) {
				seqs = append(seqs, r.Seq)
				break
			}
		}
		return nil
	})
	if err == nil && len(seqs) > 0 {
		err = c.log.Redact(context.Background(), seqs)
	}
	if err != nil && !errors.Is(err, eventlog.ErrClosed) {
		c.engine.opts.Log.Error("changes of erased customers are still in the log", "error", err)
	}
}

// erased reports whether a customer was erased at a time or later.
func erased(o *overlay.Overlay, names *event.Names, customer string, at int64) bool {
	hashes, err := names.Hashes(customer)
	if err != nil {
		return false
	}
	for _, h := range hashes {
		e, ok := o.Get(h)
		if !ok {
			continue
		}
		for x := range e.Erasures() {
			if x.At >= at {
				return true
			}
		}
	}
	return false
}
