package feed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/matchd/matchd/engine/eventlog"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openLog(t testing.TB, o eventlog.Options) *eventlog.Log {
	t.Helper()
	if o.FS == nil {
		o.FS = vfs.NewMem()
	}
	l, err := eventlog.Open("log", o)
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// fill appends events with bodies of that many bytes, each by itself.
func fill(t testing.TB, l *eventlog.Log, from, to, size int) {
	t.Helper()
	for i := from; i < to; i++ {
		body := fmt.Appendf(make([]byte, 0, size+8), "%08d", i)
		_, err := l.Append(context.Background(), []eventlog.Entry{{Token: [16]byte{1, byte(i), byte(i >> 8)}, Digest: [16]byte{2, byte(i)}, Body: body[:8+size]}})
		must(t, err)
	}
}

// leader serves the stream of a log, in answers of few records. It may spoil
// them.
type leader struct {
	*httptest.Server
	log    atomic.Pointer[eventlog.Log]
	key    string
	most   int // of records in an answer
	status atomic.Int32

	mu sync.Mutex // guards the next two, and is held while they run
	// spoil, if not nil, changes an answer.
	spoil func(h *Header, list []eventlog.Sealed) []eventlog.Sealed
	// cut, if not nil, says after how many bytes of an answer to end the connection.
	cut func(size int) int
	// quit ends answers that are held.
	quit context.Context
}

func lead(t testing.TB, l *eventlog.Log) *leader {
	t.Helper()
	quit, stop := context.WithCancel(context.Background())
	s := &leader{key: "k", most: 7, quit: quit}
	s.log.Store(l)
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() { stop(); s.Close() })
	return s
}

// answer is an answer, and how much of it to send.
func (s *leader) answer(h *Header, list []eventlog.Sealed) (out []byte, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spoil != nil {
		list = s.spoil(h, list)
	}
	out = h.Append(nil)
	for i := range list {
		out = AppendRecord(out, &list[i])
	}
	if s.cut != nil {
		return out, s.cut(len(out))
	}
	return out, len(out)
}

// bad makes answers bad, from now on.
func (s *leader) bad(cut func(size int) int, spoil func(*Header, []eventlog.Sealed) []eventlog.Sealed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut, s.spoil = cut, spoil
}

var errEnough = errors.New("enough")

func (s *leader) serve(w http.ResponseWriter, r *http.Request) {
	if code := s.status.Load(); code != 0 {
		w.WriteHeader(int(code))
		_, _ = w.Write([]byte(`{"detail":"so it is"}`))
		return
	}
	after, err := strconv.ParseUint(r.FormValue("after"), 10, 64)
	if err != nil || r.Header.Get("Authorization") != "Bearer secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	log := s.log.Load()
	if wait, _ := strconv.Atoi(r.FormValue("wait")); wait > 0 {
		held, cancel := context.WithTimeout(s.quit, time.Duration(wait)*time.Second)
		_ = log.Wait(held, after)
		cancel()
	}
	h := Header{Store: "pool", Key: s.key, Log: log.ID()}
	var list []eventlog.Sealed
	err = log.Export(after, func(e eventlog.Extent) error { h.Extent = e; return nil }, func(x *eventlog.Sealed) error {
		c := *x
		c.Body, c.Salt = append([]byte(nil), x.Body...), append([]byte(nil), x.Salt...)
		if list = append(list, c); len(list) == s.most {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	out, n := s.answer(&h, list)
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	if n < len(out) {
		_, _ = w.Write(out[:n])
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(out)
}

func (s *leader) client(t testing.TB, o Options) *Client {
	t.Helper()
	o.URL, o.Key, o.Wait = s.URL, "secret", time.Second
	if o.Backoff == 0 {
		o.Backoff, o.MaxBackoff = time.Microsecond, time.Millisecond
	}
	c, err := New(o)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}
