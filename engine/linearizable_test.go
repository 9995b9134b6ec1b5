package engine_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
)

// call is what was asked of one identifier: to opt it out or in, or whether it
// is opted out.
type call struct {
	id   string
	kind event.Type // zero of a lookup
}

// register is what an identifier is without regard to others: opted out, or not.
func register() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			var out [][]porcupine.Operation
			at := map[string]int{}
			for _, o := range history {
				id := o.Input.(call).id
				i, have := at[id]
				if !have {
					i = len(out)
					at[id], out = i, append(out, nil)
				}
				out[i] = append(out[i], o)
			}
			return out
		},
		Init: func() any { return false },
		Step: func(state, input, output any) (bool, any) {
			switch input.(call).kind {
			case event.OptOut:
				return true, true
			case event.OptIn:
				return true, false
			}
			return output == state, state
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprint(input, " ", output) },
	}
}

// TestRegister knows a history that is linearizable from some that are not.
func TestRegister(t *testing.T) {
	op := func(kind event.Type, from, to int64, out bool) porcupine.Operation {
		return porcupine.Operation{Input: call{"x", kind}, Call: from, Return: to, Output: out}
	}
	for i, c := range []struct {
		want    bool
		history []porcupine.Operation
	}{
		{true, []porcupine.Operation{op(event.OptOut, 1, 9, false), op(0, 2, 3, false), op(0, 4, 5, true)}},
		{false, []porcupine.Operation{op(event.OptOut, 1, 9, false), op(0, 2, 3, true), op(0, 4, 5, false)}}, // seen, and forgotten
		{false, []porcupine.Operation{op(event.OptOut, 1, 2, false), op(0, 3, 4, false)}},                    // acknowledged, and not seen
		{false, []porcupine.Operation{op(0, 1, 2, true), op(event.OptOut, 3, 4, false)}},                     // seen before it was sent
		{false, []porcupine.Operation{op(event.OptOut, 1, 2, false), op(event.OptIn, 3, 4, false), op(0, 5, 6, true)}},
	} {
		if got := porcupine.CheckOperations(register(), c.history); got != c.want {
			t.Errorf("history %d: %t", i, got)
		}
	}
}

// historian keeps one history. Each of its times is another one.
type historian struct {
	now  atomic.Int64
	mu   sync.Mutex
	list []porcupine.Operation
}

func (h *historian) did(worker int, c call, f func() bool) {
	o := porcupine.Operation{ClientId: worker, Input: c, Call: h.now.Add(1)}
	o.Output = f()
	o.Return = h.now.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, o)
}

// TestTakeIsLinearizable opts identifiers out and in from several goroutines
// while others look them up, alone and among others, in some histories during
// swaps: what they see is what they could see if each call were a moment.
func TestTakeIsLinearizable(t *testing.T) {
	histories := 1000
	if testing.Short() || raceEnabled {
		histories = 100
	}
	const each = 50 // histories of one log, which every swap reads
	h := newInhabited(t, 2*each)
	var nanoseconds atomic.Int64
	h.now = func() time.Time { return storyTime.Add(time.Duration(nanoseconds.Add(1))) } // no two changes tie
	seen, swaps := map[bool]int{}, uint64(0)
	for from := 0; from < histories; from += each {
		h.rebind(t, "")
		l := must(h.serve(t, vfs.NewMem(), "log"))(t)
		pools := must(engine.NewPools(engine.Pool{Name: "pool", Engine: l.Engine}))(t)
		ticks := &historian{}
		for n := from; n < from+each; n++ {
			// One that the snapshot has, and one that nobody has.
			ids := []string{h.world.Of("acme")[n-from].Cookie, fmt.Sprintf("cookie.a:nobody-%d", n)}
			history := l.history(t, pools, ticks, ids, uint64(n))
			result, _ := porcupine.CheckOperationsVerbose(register(), history, time.Minute)
			if result != porcupine.Ok {
				t.Fatalf("history %d is %v:\n%s", n, result, inOrder(history))
			}
			for _, o := range history {
				if o.Input.(call).kind == 0 {
					seen[o.Output.(bool)]++
				}
			}
		}
		swaps += l.Stats().Swaps
		ok(t, l.Close())
	}
	if swaps < uint64(histories/4) {
		t.Errorf("only %d swaps", swaps)
	}
	if seen[true] < histories || seen[false] < histories {
		t.Errorf("opted out or not were seen %v times", seen)
	}
}

// history is one of a few goroutines and a few calls each.
func (l *lived) history(t *testing.T, pools *engine.Pools, h *historian, ids []string, seed uint64) []porcupine.Operation {
	var calling, swapping sync.WaitGroup
	stop := make(chan struct{})
	if seed%4 == 0 {
		swapping.Go(func() { l.swapUntil(t, stop) })
	}
	h.list = nil
	for worker := range 5 {
		calling.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(worker)))
			for i := range 6 {
				if seed%4 == 0 { // so that calls meet each part of a swap
					time.Sleep(time.Duration(r.IntN(3000)) * time.Microsecond)
				}
				c := call{id: ids[r.IntN(len(ids))]}
				if worker < 3 && r.IntN(4) > 0 {
					c.kind = [...]event.Type{event.OptOut, event.OptOut, event.OptIn}[r.IntN(3)]
				}
				h.did(worker, c, func() bool {
					if c.kind == 0 {
						return optedOut(t, pools, ids, c.id)
					}
					e := event.Event{ID: fmt.Sprintf("%d-%d-%d", seed, worker, i), Type: c.kind, Tenant: "acme", Identifier: c.id}
					out, err := l.Changes().Take("shop", []event.Event{e})
					if err != nil || out[0].Err != nil {
						t.Error(err, out)
					}
					return false
				})
			}
		})
	}
	calling.Wait()
	close(stop)
	swapping.Wait()
	return h.list
}

// swapUntil goes back and forth between two snapshots.
func (l *lived) swapUntil(t *testing.T, stop <-chan struct{}) {
	for {
		for _, name := range l.names(t) {
			select {
			case <-stop:
				return
			default:
			}
			if err := l.Pin(name); err != nil {
				t.Error(err)
			}
		}
	}
}

// names are the snapshots that the store has.
func (h *inhabited) names(t *testing.T) (names []string) {
	t.Helper()
	for _, dir := range must(filepath.Glob(filepath.Join(h.store.Dir(), "snapshots", "*")))(t) {
		names = append(names, filepath.Base(dir))
	}
	return names
}

// optedOut asks for an identifier, alone or with another.
func optedOut(t *testing.T, pools *engine.Pools, ids []string, id string) bool {
	var v engine.View
	if err := pools.Begin(&v, "acme"); err != nil {
		t.Error(err)
		return false
	}
	defer v.End()
	asked := [][]byte{[]byte(id)}
	for _, other := range ids {
		asked = append(asked, []byte(other))
	}
	if err := v.Match(asked); err != nil {
		t.Error(err)
	}
	out := v.Parts()[0].Answers[0].Reason == engine.OptedOut
	for i, other := range ids { // one view is one moment
		if other == id && (v.Parts()[0].Answers[i+1].Reason == engine.OptedOut) != out {
			t.Error("one view has two answers")
		}
	}
	return out
}

// inOrder is a history as text, a call a line.
func inOrder(history []porcupine.Operation) (text string) {
	for _, o := range history {
		text += fmt.Sprintf("%d to %d, worker %d: %v %v\n", o.Call, o.Return, o.ClientId, o.Input, o.Output)
	}
	return text
}
