package main

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// post sends a body until it is answered by more than that it cannot be taken now,
// or the patience is over, which what is on its way then is cut by. Without any,
// it is sent once. Ids make all that safe.
func (s *eventSender) post(ctx context.Context, body []byte) (status int, answer []byte, err error) {
	begun := s.now()
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		var after time.Duration
		status, answer, after, err = s.postOnce(ctx, body, s.patience-s.now().Sub(begun))
		if ctx.Err() != nil {
			return 0, nil, ctx.Err()
		}
		if err == nil && status != http.StatusTooManyRequests && (status < 502 || status > 504) {
			return status, answer, nil
		}
		wait := max(pause/2+rand.N(pause/2), min(after, mostPause))
		if s.now().Sub(begun)+wait >= s.patience {
			if err == nil {
				err = refusal(status, answer, keyForEvents)
			}
			return 0, nil, err
		}
		if err := s.sleep(ctx, wait); err != nil {
			return 0, nil, err
		}
	}
}

// postOnce also returns how long the daemon asks to wait.
func (s *eventSender) postOnce(ctx context.Context, body []byte, left time.Duration) (status int, answer []byte, after time.Duration, err error) {
	if s.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+"/v1/events", bytes.NewReader(body))
	if err != nil {
		return 0, nil, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	res, err := s.client.Do(req)
	if err != nil {
		return 0, nil, 0, err
	}
	answer, err = io.ReadAll(io.LimitReader(res.Body, 64<<20))
	err = cmp.Or(err, res.Body.Close())
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // a date is none
	return res.StatusCode, answer, time.Duration(seconds) * time.Second, err
}

// sleepFor waits, or until ctx is done.
func sleepFor(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
