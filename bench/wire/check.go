package wire

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"time"
)

var usedMemory = regexp.MustCompile(`(?m)^used_memory:(\d+)\r$`)

// checkSample is how many identifiers all are asked for before they are timed.
const checkSample = 500

// check asks every server in every way, and compares the answers with those of
// an engine in this process.
func (r *run) check(ctx context.Context) error {
	done := map[place]map[requestKind]bool{}
	for _, c := range Cases() {
		for _, w := range c.ways() {
			at, kind := placeOf(w, c), requestKind{w.kind, c.Hits}
			e, ok := r.ends[at]
			if !ok || w.server == Bare || done[at][kind] {
				continue
			}
			if done[at] == nil {
				done[at] = map[requestKind]bool{}
			}
			done[at][kind] = true
			if err := r.checkEnd(ctx, e, kind); err != nil {
				return fmt.Errorf("%s, %s over %s: %w", w.server, w.how(), c.Network, err)
			}
		}
	}
	return nil
}

func (r *run) checkEnd(ctx context.Context, e end, k requestKind) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, e.network, e.address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	ids, size := r.requests.ids(k.hits)[:checkSample], k.ids()
	for i, request := range r.requests.get(k.kind, k.hits, 0)[:checkSample/size] {
		reply, err := exchange(conn, request, k.next)
		if err != nil {
			return err
		}
		got, err := k.values(reply, r.segments)
		if err != nil {
			return err
		}
		var want [][]byte
		err = r.answers.each(ids[i*size:][:size], func(_ int, value []byte) error {
			if value != nil {
				want = append(want, slices.Clone(value))
			}
			return nil
		})
		if err != nil {
			return err
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			return fmt.Errorf("the answer to request %d is another one than the engine's", i)
		}
	}
	return nil
}
