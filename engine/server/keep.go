package server

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/matchd/matchd/engine/audit"
)

// Keep has each store's log of live changes tended until ctx ends, at once and
// every so often; see [engine.Changes.Keep]. What it removes is audited.
func (s *Server) Keep(ctx context.Context, every time.Duration) {
	var all sync.WaitGroup
	for _, p := range s.pools.All() {
		changes := p.Changes()
		if changes == nil {
			continue
		}
		all.Go(func() {
			changes.Keep(ctx, every, func(names []string) { s.auditRemoved(p.Name, names) })
		})
	}
	all.Wait()
}

// auditRemoved notes that snapshots are gone, some in each entry.
func (s *Server) auditRemoved(store string, names []string) {
	const some = 500 // of 29 bytes each
	for len(names) > 0 {
		part := names[:min(len(names), some)]
		names = names[len(part):]
		s.owe(audit.Entry{
			Actor: "daemon", Action: audit.SnapshotsErase, Subject: store,
			Detail: map[string]string{"snapshots": strings.Join(part, " ")},
		})
	}
}
