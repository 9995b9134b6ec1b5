package snapshot

import (
	"runtime"
	"time"
)

// pieceSize is how much memory the kernel is asked to change at once: so much
// that a call is worth it, so little that nobody waits long for it.
const pieceSize = 2 << 20

// stride is how long work goes on before others get their turn. A step is at
// most about as long, so that nobody waits for much more than twice as long.
const stride = 25 * time.Microsecond

// pace lets others run between the steps of long work: goroutines that can run
// now, and also those that wait for the network. The scheduler looks at the
// network only where nothing else can run, so that runtime.Gosched in a loop on
// the only core would keep all requests waiting for ten milliseconds. The zero
// value is ready.
type pace struct {
	since time.Time
	bell  *bell // made when it is first needed
	deaf  bool  // there is none
}

// step ends a step.
func (p *pace) step() {
	if p.since.IsZero() {
		p.since = time.Now()
	}
	if time.Since(p.since) < stride {
		return
	}
	p.yield()
	p.since = time.Now()
}

func (p *pace) yield() {
	if p.bell == nil && !p.deaf {
		p.bell = newBell()
		p.deaf = p.bell == nil
	}
	if !p.deaf && p.bell.wait() {
		return
	}
	p.end()
	p.deaf = true // a bell that failed does so again
	runtime.Gosched()
}

// end gives back what pace has made.
func (p *pace) end() {
	if p.bell != nil {
		p.bell.close()
		p.bell = nil
	}
}

// unmapSlowly gives back what mapFile or anonymous returned, piece by piece.
func unmapSlowly(b []byte, p *pace) error {
	for at := int64(0); at < int64(len(b)); at += pieceSize {
		release(b, at, min(at+pieceSize, int64(len(b))))
		p.step()
	}
	return unmap(b)
}
