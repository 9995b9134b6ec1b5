package server

import (
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/time/rate"
)

// limiter bounds the questions a second of one client, over all its
// connections.
type limiter struct {
	rate  float64
	burst int

	mu     sync.Mutex
	bucket *rate.Limiter
	last   time.Time // that the bucket was asked at

	slow     []*problem // by seconds to wait, less one
	tooLarge *problem
}

// newLimiter returns nil, which bounds nothing, for a rate of 0.
func newLimiter(perSecond float64, burst int) *limiter {
	if perSecond == 0 {
		return nil
	}
	l := &limiter{
		rate: perSecond, burst: burst, bucket: rate.NewLimiter(rate.Limit(perSecond), burst),
		tooLarge: &problem{status: 413, detail: fmt.Sprintf("this client may ask %d questions at once: split the batch", burst)},
	}
	for wait := 1; wait <= min(l.seconds(float64(burst)), maxPrebuilt); wait++ {
		l.slow = append(l.slow, l.refusal(wait))
	}
	return l
}

// maxPrebuilt is how many seconds to wait have a refusal from the start.
const maxPrebuilt = 60

// maxWait is the longest time to wait that is told, in seconds.
const maxWait = 86400

// seconds is how long the tokens take to come, from 1.
func (l *limiter) seconds(tokens float64) int {
	return int(min(max(math.Ceil(tokens/l.rate), 1), maxWait))
}

func (l *limiter) refusal(wait int) *problem {
	return &problem{
		status: 429, detail: fmt.Sprintf("this client may ask %v questions a second", l.rate),
		header: [2]string{fasthttp.HeaderRetryAfter, strconv.Itoa(wait)},
	}
}

// like reports whether both bound alike.
func (l *limiter) like(o *limiter) bool {
	return l != nil && o != nil && l.rate == o.rate && l.burst == o.burst
}

// spend takes n questions at once, or none and says why.
func (l *limiter) spend(n int, now time.Time) *problem {
	if n > l.burst {
		return l.tooLarge
	}
	l.mu.Lock()
	// Whoever looked at the clock first need not be here first. A bucket that
	// is asked at an earlier time fills for the same moments twice.
	if now.Before(l.last) {
		now = l.last
	}
	l.last = now
	missing := 0.0
	if !l.bucket.AllowN(now, n) {
		missing = float64(n) - l.bucket.TokensAt(now)
	}
	l.mu.Unlock()
	if missing <= 0 {
		return nil
	}
	wait := l.seconds(missing)
	if wait > len(l.slow) {
		return l.refusal(wait)
	}
	return l.slow[wait-1]
}

// spend takes n questions from what the caller may ask now; if there are not as
// many, it takes none and says why.
func (c *caller) spend(n int, now time.Time) *problem {
	if c.limiter == nil {
		return nil
	}
	return c.limiter.spend(n, now)
}
