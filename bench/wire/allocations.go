package wire

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// Allocations is what matchd allocates in a request once it is warm.
type Allocations struct {
	Case Case   `json:"case"`
	How  string `json:"how"`
	// Requests is of how many.
	Requests int `json:"requests"`
	// ARequest is how many objects, all that the process did meanwhile
	// included: near 0, and below it, is noise.
	ARequest float64 `json:"allocations_a_request"`
}

// FindAllocations returns those in a case, or nil.
func (r *Result) FindAllocations(c Case) *Allocations {
	for i := range r.Allocations {
		if r.Allocations[i].Case == c {
			return &r.Allocations[i]
		}
	}
	return nil
}

// How many times as long as the shorter run the longer one is, and how often
// both may be doubled where a busy machine let the longer one answer no more.
// Connecting, and asking how much was allocated, allocate too, but as much in
// both.
const (
	longAllocations     = 8
	doublingAllocations = 6
)

// measureAllocations asks matchd alone, which has served the same for rounds.
func (r *run) measureAllocations(ctx context.Context) error {
	r.Log("allocations")
	for _, c := range []Case{Single, Batch} {
		if _, _, err := r.allocate(ctx, c, r.Duration); err != nil { // warms up
			return err
		}
		requests, allocated, err := 0, 0.0, error(nil)
		for i := 0; i <= doublingAllocations && requests <= 0; i++ {
			if requests, allocated, err = r.allocateMore(ctx, c, r.Duration<<i); err != nil {
				return err
			}
		}
		if requests <= 0 {
			return errors.New("wire: matchd answered no more in a long run than in a short one: give a longer duration")
		}
		r.result.Allocations = append(r.result.Allocations, Allocations{c, c.ways()[0].how(), requests, allocated / float64(requests)})
	}
	return nil
}

// allocateMore returns how many more requests matchd answered, and how many
// more objects it allocated, in a longer run than in a shorter one of d.
func (r *run) allocateMore(ctx context.Context, c Case, d time.Duration) (requests int, objects float64, err error) {
	n, short, err := r.allocate(ctx, c, d)
	if err != nil {
		return 0, 0, err
	}
	m, long, err := r.allocate(ctx, c, longAllocations*d)
	return m - n, long - short, err
}

// allocate returns how many requests matchd answered in a run, and how many
// objects it allocated from just before to just after.
func (r *run) allocate(ctx context.Context, c Case, d time.Duration) (requests int, objects float64, err error) {
	before, err := r.mallocs(ctx)
	if err != nil {
		return 0, 0, err
	}
	w := c.ways()[0]
	res, err := r.load(r.ends[placeOf(w, c)], c, w, 0).Closed(ctx, d)
	if err != nil {
		return 0, 0, err
	}
	time.Sleep(settle)
	after, err := r.mallocs(ctx)
	return res.Requests, after - before, err
}

var mallocs = regexp.MustCompile(`(?m)^# Mallocs = (\d+)$`)

// mallocs asks matchd how many objects it has allocated. A heap profile says it
// exactly; the metrics leave out what a core has not yet told of.
func (r *run) mallocs(ctx context.Context) (float64, error) {
	body, err := r.askAdmin(ctx, http.MethodGet, "/debug/pprof/heap?debug=1")
	if err != nil {
		return 0, err
	}
	m := mallocs.FindSubmatch(body)
	if m == nil {
		return 0, errors.New("wire: matchd's heap profile does not tell what it has allocated")
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
