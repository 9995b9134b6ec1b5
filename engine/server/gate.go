package server

import (
	"sync"
	"time"
)

// gate lets one through a second, so that callers cannot flood the log.
type gate struct {
	mu   sync.Mutex
	last time.Time
}

func (g *gate) pass(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.last.IsZero() && now.Sub(g.last) < time.Second {
		return false
	}
	g.last = now
	return true
}
