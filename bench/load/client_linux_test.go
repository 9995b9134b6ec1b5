package load

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serve answers each connection by a call until end is called or the test ends,
// and returns a load on it of numbered lines, each answered by a line.
func serve(t *testing.T, network string, one func(net.Conn)) (config Config, end func()) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var open sync.Map
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(c, true)
			all.Go(func() {
				defer func() { _ = c.Close() }()
				one(c)
			})
		}
	})
	end = func() {
		_ = l.Close()
		open.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
		all.Wait()
	}
	t.Cleanup(end)
	config = Config{Network: network, Address: l.Addr().String(), Connections: 1, Next: line, CPU: -1, Grace: time.Minute}
	for i := range 7 {
		config.Requests = append(config.Requests, fmt.Appendf(nil, "request %d\n", i))
	}
	return config, end
}

// line frames a response that ends in a line feed.
func line(b []byte) (int, error) { return bytes.IndexByte(b, '\n') + 1, nil }

// echo answers each line by itself.
func echo(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		l, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if _, err := c.Write(l); err != nil {
			return
		}
	}
}

// run runs a load that must succeed, closed where the rate is 0.
func run(t *testing.T, c Config, rate float64, d time.Duration) Result {
	t.Helper()
	var r Result
	var err error
	if rate == 0 {
		r, err = c.Closed(t.Context(), d)
	} else {
		r, err = c.Open(t.Context(), rate, d)
	}
	if err != nil {
		t.Fatal(err)
	}
	if int(r.Latency.TotalCount()) != r.Requests || r.Requests == 0 || r.Elapsed <= 0 || r.Idle < 0 || r.Rate() <= 0 {
		t.Fatalf("%d latencies of %d requests in %s, %s of them idle", r.Latency.TotalCount(), r.Requests, r.Elapsed, r.Idle)
	}
	return r
}

// A server of net/http gets every request once, in turn, and the client counts
// what it got.
func TestHTTPServer(t *testing.T) {
	var served [3]atomic.Int64
	var connections atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i, _ := strconv.Atoi(r.URL.Path[1:])
		served[i].Add(1)
		_, _ = io.WriteString(w, strings.Repeat("x", i))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c := Config{Network: "tcp", Address: s.Listener.Addr().String(), Connections: 5, Next: HTTP, CPU: -1}
	for i := range served {
		c.Requests = append(c.Requests, fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: test\r\n\r\n", i))
	}
	for _, rate := range []float64{0, 2000} {
		connections.Store(0)
		r := run(t, c, rate, 100*time.Millisecond)
		total := 0
		for i := range served {
			n := int(served[i].Swap(0))
			if total += n; n < r.Requests/3 || n > r.Requests/3+1 {
				t.Errorf("rate %g: %d of %d requests are number %d", rate, n, r.Requests, i)
			}
		}
		if total != r.Requests || connections.Load() != 5 {
			t.Errorf("rate %g: the server had %d requests on %d connections, not %d on 5", rate, total, connections.Load(), r.Requests)
		}
	}
}

// On a connection requests come in turn, whole, a full pipeline of them and no
// more until the last is answered, however the answers are cut.
func TestPipeline(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, pipeline := range []int{0, 1, 4, 16} {
			depth := max(pipeline, 1)
			var got, most, bytesSent int
			c, end := serve(t, network, func(c net.Conn) {
				in := bufio.NewReader(c)
				for {
					var group []string
					for range depth {
						l, err := in.ReadString('\n')
						if err != nil {
							return
						}
						if want := fmt.Sprintf("request %d\n", got%7); l != want {
							t.Errorf("request %d is %q, not %q", got, l, want)
						}
						got++
						group = append(group, l)
					}
					for _, b := range []byte(strings.Join(group, "")) {
						if _, err := c.Write([]byte{b}); err != nil {
							return
						}
						bytesSent++
						if b != '\n' || bytesSent%3 != 0 {
							continue
						}
						runtime.Gosched() // for the client to send more, if it would
						most = max(most, in.Buffered())
					}
				}
			})
			c.Pipeline = pipeline
			r := run(t, c, 0, 50*time.Millisecond)
			end()
			if got != r.Requests || int64(bytesSent) != r.Bytes || r.Requests%depth != 0 || most > 0 {
				t.Errorf("%s, pipeline of %d: %d requests of which %d arrived, %d bytes of %d, %d before their time", network, pipeline, r.Requests, got, r.Bytes, bytesSent, most)
			}
		}
	}
}

// An open loop sends as many as it should, none before its time, each
// connection in its turn.
func TestOpen(t *testing.T) {
	const connections, rate, d = 4, 1000, 200 * time.Millisecond
	var mu sync.Mutex
	var arrived []time.Time
	var used [connections]int
	var next atomic.Int32
	c, end := serve(t, "unix", func(c net.Conn) {
		me := next.Add(1) - 1
		in := bufio.NewReader(c)
		for {
			l, err := in.ReadString('\n')
			if err != nil {
				return
			}
			mu.Lock()
			arrived = append(arrived, time.Now())
			used[me]++
			mu.Unlock()
			if _, err := io.WriteString(c, l); err != nil {
				return
			}
		}
	})
	c.Connections = connections
	r := run(t, c, rate, d)
	end()
	if r.Requests != 200 || len(arrived) != 200 || int(r.Late.TotalCount())+r.Waited != 200 {
		t.Fatalf("%d requests, %d arrived, %d were sent at once and %d waited: not 200", r.Requests, len(arrived), r.Late.TotalCount(), r.Waited)
	}
	for i, at := range arrived { // in any order among those under way, so the i-th is at least as late
		if due := r.Start.Add(dueAt(i, 200, d)); at.Before(due) {
			t.Errorf("request %d arrived %s before its time", i, due.Sub(at))
		}
	}
	for i, n := range used {
		if n == 0 {
			t.Errorf("connection %d was not used: %v", i, used)
		}
	}
	if n := r.Between(r.Start, r.Start.Add(d)).TotalCount(); n != 200 {
		t.Errorf("%d latencies by intended time", n)
	}
	if r.Elapsed < dueAt(199, 200, d) {
		t.Errorf("it was over in %s", r.Elapsed)
	}
}

// An open loop at times of its own sends none before its time, and tells the
// latencies by number.
func TestOpenAt(t *testing.T) {
	const pause = 20 * time.Millisecond
	times := []time.Duration{0, 0, 1e6, 30e6, 31e6, 60e6}
	slow := map[string]bool{"request 3\n": true}
	c, end := serve(t, "tcp", func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			l, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if slow[l] {
				time.Sleep(pause)
			}
			if _, err := io.WriteString(c, l); err != nil {
				return
			}
		}
	})
	c.Connections = 3
	r, err := c.OpenAt(t.Context(), times)
	end()
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != len(times) || r.Elapsed < times[len(times)-1] {
		t.Errorf("%d requests in %s", r.Requests, r.Elapsed)
	}
	if h := r.Of(func(i int) bool { return i == 3 }); h.TotalCount() != 1 || time.Duration(h.Max()) < pause {
		t.Errorf("request 3 took %s", time.Duration(h.Max()))
	}
	if n := r.Between(r.Start.Add(30e6), r.Start.Add(60e6)).TotalCount(); n != 2 {
		t.Errorf("%d requests were due in a window of two", n)
	}
}

// What a server's pause keeps from being sent counts from the time that it
// should have been sent at.
func TestOpenCountsFromIntendedTime(t *testing.T) {
	for range 5 {
		if checkPause(t) > 0 {
			return
		}
	}
	t.Error("in five runs no request was due in the pause")
}

// checkPause runs an open loop on a server that pauses once, and returns how
// many requests were due meanwhile.
func checkPause(t *testing.T) (paused int) {
	t.Helper()
	const rate, d, pause = 2000, 200 * time.Millisecond, 60 * time.Millisecond
	var from, to time.Time
	n := 0
	c, end := serve(t, "tcp", func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			l, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if n++; n == 100 {
				from = time.Now()
				time.Sleep(pause)
				to = time.Now()
			}
			if _, err := io.WriteString(c, l); err != nil {
				return
			}
		}
	})
	r := run(t, c, rate, d)
	end()
	var longest time.Duration
	for i, latency := range r.latencies {
		due := r.Start.Add(dueAt(i, r.Requests, d))
		if due.Before(from) || due.After(to) {
			continue
		}
		paused++
		longest = max(longest, latency)
		if least := to.Sub(due); latency < least {
			t.Errorf("request %d was due %s before the pause ended, and has a latency of %s", i, least, latency)
		}
	}
	if r.Waited < paused {
		t.Errorf("%d requests were due in the pause, and %d waited", paused, r.Waited)
	}
	h := r.Between(from, to)
	if int(h.TotalCount()) != paused || time.Duration(h.Max()) < longest {
		t.Errorf("between its start and end are %d requests of at most %s, not %d of %s", h.TotalCount(), time.Duration(h.Max()), paused, longest)
	}
	return paused
}

// Requests and responses larger than any socket's buffer arrive whole.
func TestLarge(t *testing.T) {
	request := make([]byte, 6<<20)
	for i := range request {
		request[i] = byte(i * i >> 7)
	}
	want := sha256.Sum256(request)
	for _, network := range []string{"tcp", "unix"} {
		wrong := 0
		c, end := serve(t, network, func(c net.Conn) {
			b := make([]byte, len(request))
			for {
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				if sha256.Sum256(b) != want {
					wrong++
				}
				if _, err := c.Write(bytes.Repeat([]byte("y"), 3<<20)); err != nil {
					return
				}
				if _, err := c.Write([]byte("\n")); err != nil {
					return
				}
			}
		})
		c.Requests = [][]byte{request}
		r := run(t, c, 0, 50*time.Millisecond)
		end()
		if wrong > 0 || r.Bytes != int64(r.Requests)*(3<<20+1) {
			t.Errorf("%s: %d of %d requests came wrong, and %d bytes back", network, wrong, r.Requests, r.Bytes)
		}
	}
}

// Ten thousand requests more allocate nothing more: all that is allocated is
// so before the first.
func TestRequestsAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c, _ := serve(t, "unix", func(c net.Conn) {
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if _, err := c.Write(b[:n]); err != nil {
				return
			}
		}
	})
	c.Connections = 4
	allocated := func(n int) int64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if r := run(t, c, float64(n)*5, 200*time.Millisecond); r.Requests != n {
			t.Fatalf("%d requests, not %d", r.Requests, n)
		}
		runtime.ReadMemStats(&after)
		return int64(after.Mallocs - before.Mallocs)
	}
	few := allocated(100)
	if more := allocated(10_100) - few; more > 100 {
		t.Errorf("%d allocations for 10000 requests more; a run takes %d", more, few)
	}
}

// The client runs on its core, and leaves no thread that is kept there.
func TestClientPinned(t *testing.T) {
	cores := cores(t)
	c, _ := serve(t, "unix", echo)
	c.CPU = cores[len(cores)-1]
	c.Next = func(b []byte) (int, error) { // which the client calls
		var now unix.CPUSet
		if err := unix.SchedGetaffinity(0, &now); err != nil {
			return 0, err
		}
		if now.Count() != 1 || !now.IsSet(c.CPU) {
			return 0, fmt.Errorf("%d cores are allowed", now.Count())
		}
		return line(b)
	}
	run(t, c, 0, 20*time.Millisecond)
	if n := pinnedThreads(t); n > 0 && len(cores) > 1 {
		t.Errorf("%d threads are still pinned", n)
	}
}

// pinnedThreads is how many threads of this process have one core alone.
func pinnedThreads(t *testing.T) (n int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil || len(tasks) == 0 {
		t.Fatalf("%d threads, %v", len(tasks), err)
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		var allowed unix.CPUSet
		if unix.SchedGetaffinity(tid, &allowed) == nil && allowed.Count() == 1 {
			n++
		}
	}
	return n
}
