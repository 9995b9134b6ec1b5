package engine

import (
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// TestPins holds pins against what they are: a set of holds and one owner.
// The last of them to go, and no other, closes what is pinned.
func TestPins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		closed, retired := 0, false
		var held []uint32
		p := newPins(func() { closed++ })
		t.Repeat(map[string]func(*rapid.T){
			"acquire": func(t *rapid.T) {
				shard, ok := p.acquire()
				if ok {
					held = append(held, shard)
				}
				if !ok && !retired {
					t.Fatal("no pin while the owner has his")
				}
				if ok && closed > 0 {
					t.Fatal("a pin on what is closed")
				}
			},
			"release": func(t *rapid.T) {
				if len(held) == 0 {
					t.Skip("nothing is held")
				}
				i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				p.release(held[i])
				held = append(held[:i], held[i+1:]...)
			},
			"retire": func(t *rapid.T) {
				if retired {
					t.Skip("once only")
				}
				retired = true
				p.retire()
			},
			"": func(t *rapid.T) {
				want := 0
				if retired && len(held) == 0 {
					want = 1
				}
				if closed != want {
					t.Fatalf("closed %d times with %d pins held, retired: %t", closed, len(held), retired)
				}
			},
		})
	})
}

// TestPinsAtOnce is the same for goroutines: nobody who holds a pin sees the
// end, and the end comes once.
func TestPinsAtOnce(t *testing.T) {
	for range 2000 {
		var closed atomic.Int32
		p := newPins(func() { closed.Add(1) })
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for range 20 {
					shard, ok := p.acquire()
					if !ok {
						continue
					}
					if closed.Load() != 0 {
						t.Error("closed under a pin")
					}
					p.release(shard)
				}
			})
		}
		wg.Go(p.retire)
		wg.Wait()
		if n := closed.Load(); n != 1 {
			t.Fatalf("closed %d times", n)
		}
	}
}

func TestPinReleasedTwice(t *testing.T) {
	p := newPins(func() {})
	shard, _ := p.acquire()
	p.release(shard)
	p.retire()
	defer func() {
		if recover() == nil {
			t.Error("a second release went unnoticed")
		}
	}()
	p.release(shard)
}
