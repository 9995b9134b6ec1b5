package load

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// framer is one of the functions under test.
type framer struct {
	name string
	next func([]byte) (int, error)
	// one draws a response that is whole and good.
	one func(*rapid.T) string
}

var framers = []framer{
	{"HTTP", HTTP, drawHTTP},
	{"RESP", RESP, func(t *rapid.T) string { return drawRESP(t, 3) }},
	{"Memcached", Memcached, drawMemcached},
}

func framerOf(name string) framer {
	return framers[slices.IndexFunc(framers, func(f framer) bool { return f.name == name })]
}

// draw draws any bytes, and often those that mean something to a framer.
var draw = rapid.OneOf(
	rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) }),
	rapid.StringOfN(rapid.SampledFrom([]rune("\r\n$*-+:019END STORED")), 0, 40, -1),
)

func drawHTTP(t *rapid.T) string {
	body := draw.Draw(t, "body")
	header := rapid.SampledFrom([]string{
		"Content-Length: %d\r\n", "content-length:%d\r\n", "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\nCONTENT-LENGTH: \t%d \r\nX: \r\n",
	}).Draw(t, "header")
	status := rapid.SampledFrom([]string{"200 OK", "200", "200 "}).Draw(t, "status")
	return "HTTP/1.1 " + status + "\r\n" + fmt.Sprintf(header, len(body)) + "\r\n" + body
}

func drawRESP(t *rapid.T, depth int) string {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	switch {
	case kind == 0:
		return rapid.SampledFrom([]string{"+OK\r\n", "+\r\n", ":0\r\n", ":-42\r\n", ":+7\r\n", ":9223372036854775807\r\n"}).Draw(t, "simple")
	case kind == 1:
		return rapid.SampledFrom([]string{"$-1\r\n", "*-1\r\n", "*0\r\n", "$0\r\n\r\n"}).Draw(t, "nil or empty")
	case kind == 2 && depth > 0:
		n := rapid.IntRange(0, 4).Draw(t, "values")
		s := fmt.Sprintf("*%d\r\n", n)
		for range n {
			s += drawRESP(t, depth-1)
		}
		return s
	}
	value := draw.Draw(t, "value")
	return fmt.Sprintf("$%d\r\n%s\r\n", len(value), value)
}

func drawMemcached(t *rapid.T) string {
	if rapid.Bool().Draw(t, "stored") {
		return "STORED\r\n"
	}
	s := ""
	for range rapid.IntRange(0, 3).Draw(t, "values") {
		value := draw.Draw(t, "value")
		cas := rapid.SampledFrom([]string{"", " 17"}).Draw(t, "cas")
		s += fmt.Sprintf("VALUE k:1 0 %d%s\r\n%s\r\n", len(value), cas, value)
	}
	return s + "END\r\n"
}

// Of a stream of responses each is found, whatever came of it so far.
func TestFramersFindResponses(t *testing.T) {
	for _, f := range framers {
		t.Run(f.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				first, second := f.one(t), f.one(t)
				stream := []byte(first + second)
				for have := range len(stream) + 1 {
					want := 0
					if have >= len(first) {
						want = len(first)
					}
					if n, err := f.next(stream[:have]); n != want || err != nil {
						t.Fatalf("of the first %d of %d bytes, in which a response has %d: %d, %v", have, len(stream), len(first), n, err)
					}
				}
				if n, err := f.next(stream[len(first):]); n != len(second) || err != nil {
					t.Fatalf("second response: %d, %v, not %d", n, err, len(second))
				}
			})
		})
	}
}

// HTTPOf takes the statuses that it is given, a 204 without a length among them,
// counts each response once, when it is whole, and refuses others.
func TestHTTPOf(t *testing.T) {
	responses := []string{
		"HTTP/1.1 204 No Content\r\nDate: today\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n",
	}
	count := map[int]int{200: 0, 204: 0, 429: 0}
	next := HTTPOf(count)
	for _, r := range responses {
		for cut := range len(r) {
			if n, err := next([]byte(r[:cut])); n != 0 || err != nil {
				t.Fatalf("%q: %d, %v", r[:cut], n, err)
			}
		}
		if n, err := next([]byte(r + responses[0])); n != len(r) || err != nil {
			t.Fatalf("%q: %d, %v", r, n, err)
		}
	}
	if count[200] != 1 || count[204] != 2 || count[429] != 1 {
		t.Errorf("%v", count)
	}
	if n, err := next([]byte("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")); n != 0 || err == nil || count[503] != 0 {
		t.Errorf("a status that is not named: %d, %v, %v", n, err, count)
	}
}

// What is no good response is refused by what it is, and the refusal repeats
// nothing that might be somebody's.
func TestFramersRefuse(t *testing.T) {
	const private = "jane@example.com"
	long := strings.Repeat("x", longestLine)
	for _, c := range []struct{ framer, response, want string }{
		{"HTTP", "HTTP/1.1 404 " + private + "\r\n", "the status is 404"},
		{"HTTP", "HTTP/1.1 204 No Content\r\n", "the status is 204"},
		{"HTTP", "HTTP/1.1 20 OK\r\n", "no number"},
		{"HTTP", "HTTP/1.1 2000 OK\r\n", "no number"},
		{"HTTP", "HTTP/1.0 200 OK\r\n", "a status of HTTP/1.1"},
		{"HTTP", private + "\r\n", "a status of HTTP/1.1"},
		{"HTTP", "HTTP/1.1 200 OK\n", "CR LF"},
		{"HTTP", "\n", "CR LF"},
		{"HTTP", "HTTP/1.1 200 OK\r\nX: " + private + "\r\n\r\n", "no Content-Length"},
		{"HTTP", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", "framing"},
		{"HTTP", "HTTP/1.1 200 OK\r\nContent-Length:\r\n", "framing"},
		{"HTTP", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n", "framing"},
		{"HTTP", "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n", "framing"},
		{"HTTP", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "framing"},
		{"HTTP", "HTTP/1.1 200 OK\r\nX: " + long, "too long"},
		{"RESP", "-ERR unknown command '" + private + "'\r\n", "an error: ERR"},
		{"RESP", "-" + private + "\r\n", "an error: of no known kind"},
		{"RESP", "*2\r\n$1\r\na\r\n-WRONGTYPE " + private + "\r\n", "an error: WRONGTYPE"},
		{"RESP", "\r\n", "no type"},
		{"RESP", "!" + private + "\r\n", "unknown type"},
		{"RESP", "$-2\r\n", "no number"},
		{"RESP", "$\r\n", "no number"},
		{"RESP", "*x\r\n", "no number"},
		{"RESP", ":-\r\n", "no number"},
		{"RESP", ":1x\r\n", "no number"},
		{"RESP", "$3\r\n" + private[:3] + "\n\r", "CR LF"},
		{"RESP", "+" + long, "too long"},
		{"Memcached", "ERROR\r\n", "is ERROR"},
		{"Memcached", "SERVER_ERROR out of memory storing " + private + "\r\n", "is SERVER_ERROR"},
		{"Memcached", private + "\r\n", "of no known kind"},
		{"Memcached", "VALUE " + private + " 0\r\n", "no number"},
		{"Memcached", "VALUE " + private + " 0 x\r\n", "no number"},
		{"Memcached", "VALUE k 0 1\r\nabc", "CR LF"},
		{"Memcached", "VALUE k 0 1\r\na\r\nSTORED\r\n", "is STORED"},
		{"Memcached", "VALUE k 0 1\r\na\r\nEND \r\n", "is END"},
	} {
		n, err := framerOf(c.framer).next([]byte(c.response))
		if n != 0 || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %.60q: %d, %v, which does not say %q", c.framer, c.response, n, err, c.want)
		} else if strings.Contains(err.Error(), "jan") {
			t.Errorf("%s of %.60q: the error %q repeats it", c.framer, c.response, err)
		}
	}
}

func TestFramersAllocateNothing(t *testing.T) {
	for _, c := range []struct{ framer, response string }{
		{"HTTP", "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\n{}"},
		{"RESP", "*3\r\n$1\r\na\r\n$-1\r\n:7\r\n"},
		{"Memcached", "VALUE k 0 1\r\na\r\nEND\r\n"},
	} {
		b, next := []byte(c.response), framerOf(c.framer).next
		if got := testing.AllocsPerRun(100, func() { _, _ = next(b) }); got != 0 {
			t.Errorf("%s: %v allocations a response", c.framer, got)
		}
	}
}

// checkSplits fails where a part of the bytes is judged otherwise than all of
// them, but for being too short.
func checkSplits(t *testing.T, next func([]byte) (int, error), b []byte) {
	t.Helper()
	all, allErr := next(b)
	if all < 0 || all > len(b) || all > 0 && allErr != nil {
		t.Fatalf("%q: %d of %d bytes, %v", b, all, len(b), allErr)
	}
	for have := len(b) - 1; have >= 0; have-- {
		n, err := next(slices.Clip(bytes.Clone(b[:have])))
		switch {
		case n == 0 && err == nil && (all == 0 || have < all): // too short
			allErr = nil // what is too short does not become an error by being shorter
		case err == nil && n == all && have >= all && all > 0:
		case err != nil && allErr != nil && err.Error() == allErr.Error():
		default:
			t.Fatalf("%q: %d, %v of the first %d bytes, but %d, %v of all", b, n, err, have, all, allErr)
		}
	}
}

func fuzz(f *testing.F, next func([]byte) (int, error), seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkSplits(t, next, b[:min(len(b), 2048)]) })
}

func FuzzHTTP(f *testing.F) {
	fuzz(f, HTTP, "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n",
		"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
}

func FuzzRESP(f *testing.F) {
	fuzz(f, RESP, "$3\r\nabc\r\n", "*2\r\n*1\r\n:1\r\n$-1\r\n+OK\r\n", "*-1\r\n", "-ERR no\r\n", "*1\r\n-OOM no\r\n")
}

func FuzzMemcached(f *testing.F) {
	fuzz(f, Memcached, "VALUE k 0 3\r\nabc\r\nVALUE l 0 0 9\r\n\r\nEND\r\nSTORED\r\n", "STORED\r\n", "ERROR\r\n")
}
