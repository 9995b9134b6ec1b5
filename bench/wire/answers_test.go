package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/bench/load"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/snapshot"
)

// testSegments are the codes that drawn answers have.
func testSegments() map[string]uint32 {
	m := map[string]uint32{}
	for i := range uint32(300) {
		m[fmt.Sprintf("code %d", i)] = i
	}
	return m
}

func drawAnswer(t *rapid.T) answer {
	a := answer{
		Kind:     snapshot.Kind(rapid.IntRange(0, 1).Draw(t, "kind")),
		Customer: rapid.SliceOfN(rapid.ByteRange(' ', '~'), 1, 20).Draw(t, "customer"),
		Segments: rapid.SliceOfNDistinct(rapid.Uint32Range(0, 299), 0, 5, rapid.ID).Draw(t, "segments"),
		Method:   snapshot.Method(rapid.IntRange(0, 3).Draw(t, "method")),
		Seen:     snapshot.Day(rapid.Uint16().Draw(t, "day")),
		Expires:  rapid.Int64Range(0, 4e9).Draw(t, "end"),
	}
	copy(a.Person[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "person"))
	slices.Sort(a.Segments)
	return a
}

// json is how matchd writes the answer.
func (a *answer) json() map[string]any {
	codes := []string{}
	for _, s := range a.Segments {
		codes = append(codes, fmt.Sprintf("code %d", s))
	}
	profile := map[string]any{
		"tenant": "acme", "customer": string(a.Customer), "kind": a.Kind.String(), "segments": codes,
		"method": a.Method.String(), "seen": a.Seen.String(),
	}
	if a.Expires != 0 {
		profile["expires_at"] = time.Unix(a.Expires, 0).UTC().Format(time.RFC3339)
	}
	return map[string]any{"id": "x:y", "status": "matched", "person": hex.EncodeToString(a.Person[:]), "profiles": []any{profile}}
}

// Whatever is answered, JSON and what the stores hold come to the same bytes,
// misses left out.
func TestValues(t *testing.T) {
	segments := testSegments()
	rapid.Check(t, func(t *rapid.T) {
		var want [][]byte
		results := []any{}
		var mget, gets bytes.Buffer
		n := rapid.IntRange(0, 8).Draw(t, "answers")
		fmt.Fprintf(&mget, "*%d\r\n", n)
		for i := range n {
			if rapid.Bool().Draw(t, "miss") {
				results = append(results, map[string]any{"status": "none", "reason": "unknown"})
				mget.WriteString("$-1\r\n")
				continue
			}
			a := drawAnswer(t)
			value := a.append(nil)
			want = append(want, value)
			results = append(results, a.json())
			mget.Write(appendBulk(nil, value))
			fmt.Fprintf(&gets, "VALUE key%d 0 %d\r\n%s\r\n", i, len(value), value)
		}
		gets.WriteString("END\r\n")
		body, err := json.Marshal(map[string]any{"results": results})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			kind  kind
			reply []byte
		}{{httpPost, append([]byte("HTTP/1.1 200 OK\r\n\r\n"), body...)}, {redisMGet, mget.Bytes()}, {memcachedGets, gets.Bytes()}} {
			got, err := x.kind.values(x.reply, segments)
			if err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("%s of %q: %q, %v, want %q", x.kind, x.reply, got, err, want)
			}
		}
	})
}

// Each part of an answer counts.
func TestValuesDiffer(t *testing.T) {
	one := answer{Customer: []byte("C-1"), Segments: []uint32{1, 2}, Seen: 5, Expires: 7}
	values := map[string]bool{string(one.append(nil)): true}
	changes := []func(*answer){
		func(a *answer) { a.Person[15] = 1 },
		func(a *answer) { a.Kind = snapshot.Prospect },
		func(a *answer) { a.Customer = []byte("C-2") },
		func(a *answer) { a.Segments = []uint32{1, 3} },
		func(a *answer) { a.Segments = []uint32{1} },
		func(a *answer) { a.Method = snapshot.Observed },
		func(a *answer) { a.Seen = 6 },
		func(a *answer) { a.Expires = 8 },
	}
	for _, change := range changes {
		other := one
		change(&other)
		values[string(other.append(nil))] = true
	}
	if len(values) != 1+len(changes) {
		t.Errorf("%d different values of %d answers", len(values), 1+len(changes))
	}
}

// What is no answer is refused, and nothing of it is repeated.
func TestValuesRefused(t *testing.T) {
	good := `{"status":"matched","person":"` + strings.Repeat("0", 32) + `","profiles":[{"customer":"C","kind":"customer","segments":["code 1"],"method":"observed","seen":"2026-11-01","expires_at":"2027-11-01T00:00:00Z"}]}`
	if v, err := httpGet.values([]byte("\r\n\r\n"+good), testSegments()); err != nil || len(v) != 1 {
		t.Fatalf("%q, %v", v, err)
	}
	for _, change := range [][2]string{
		{"matched", "secret"},
		{`"person":"0`, `"person":"z`},
		{"observed", "secret"},
		{`:"customer"`, `:"secret"`},
		{"code 1", "code 999"},
		{"2026-11-01", "secret"},
		{"}]", "},{}]"},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%q is not there", change[0])
		}
		if v, err := httpGet.values([]byte("\r\n\r\n"+bad), testSegments()); err == nil {
			t.Errorf("%s: %q", bad, v)
		}
	}
	for kind, replies := range map[kind][]string{
		redisGet:     {"+OK\r\n", "$3\r\nab", "$x\r\n", "$-2\r\n", "$3"},
		memcachedGet: {"", "VALUE k 0 2\r\na", "VALUE k 0\r\nab\r\nEND\r\n", "VALUE k 0 x\r\nab\r\nEND\r\n", "ERROR\r\n"},
	} {
		for _, reply := range replies {
			if v, err := kind.values([]byte(reply), nil); err == nil {
				t.Errorf("%s of %q: %q", kind, reply, v)
			}
		}
	}
}

// Every identifier of a world is answered, as the world says, nobody else's is,
// and what is expected is encoded in the order asked.
func TestAnswers(t *testing.T) {
	w := &world.World{IDs: 1000, Seed: 3}
	store, err := w.Publish(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, err := openAnswers(store)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}()
	var ids [][]byte
	for i := range 2 * w.IDs {
		ids = append(ids, w.AppendText(nil, i))
	}
	asked := 0
	err = a.each(ids, func(i int, value []byte) error {
		if i != asked {
			t.Fatalf("answer %d comes as number %d", i, asked)
		}
		asked++
		if i >= w.IDs {
			if value != nil {
				t.Fatalf("there is an answer to %d, which is nobody's", i)
			}
			return nil
		}
		if customer := w.Customer(i / world.PerPerson); !bytes.HasSuffix(value, customer) || len(value) != 29+len(customer) {
			t.Fatalf("the answer to %d is %q, for customer %s", i, value, customer)
		}
		return nil
	})
	if err != nil || asked != len(ids) {
		t.Fatal(asked, err)
	}
}

// A store is told of every identifier that the snapshot holds, each under a key
// of its own that the store takes.
func TestIdentifiers(t *testing.T) {
	w := &world.World{IDs: 1000, Seed: 3}
	store, err := w.Publish(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &run{Config: Config{IDs: w.IDs}, world: w}
	held := 0
	if err := store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error { held = int(s.Counts.Identifiers); return nil }); err != nil {
		t.Fatal(err)
	}
	if r.identifiers() != held || held != w.IDs+w.Persons() {
		t.Fatalf("%d identifiers, and the snapshot holds %d", r.identifiers(), held)
	}
	if r.answers, err = openAnswers(store); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.answers.close() }()
	for name, f := range map[string]struct {
		filling
		size int
	}{Redis: {fillRedis, 16}, Memcached: {fillMemcached, 22}} {
		var sent bytes.Buffer
		if err := r.send(testConn{Writer: &sent}, f.filling); err != nil {
			t.Fatal(name, err)
		}
		keys := map[string]bool{}
		for i := range held {
			_, key := r.identifier(nil, nil, i, f.filling)
			want := f.size
			if i >= w.IDs {
				want = len("C-000000001")
			}
			if len(key) != want || name == Memcached && bytes.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
				t.Fatalf("%s: the key of identifier %d is %q", name, i, key)
			}
			keys[string(key)] = true
			if !bytes.Contains(sent.Bytes(), key) {
				t.Fatalf("%s is not told of %q", name, key)
			}
		}
		if len(keys) != held {
			t.Errorf("%s: %d keys of %d identifiers", name, len(keys), held)
		}
	}
}

// testConn takes what is written.
type testConn struct {
	net.Conn
	io.Writer
}

func (c testConn) Write(b []byte) (int, error) { return c.Writer.Write(b) }

// Requests are whole, ask for the drawn identifiers in turn, and begin where
// they are told to.
func TestRequests(t *testing.T) {
	w := &world.World{IDs: 5000, Seed: 1}
	r := newRequests(w, "the-key", 1000, 2)
	ids := r.ids(hitMix)
	for k := httpGet; k <= memcachedGets; k++ {
		list := r.get(k, hitMix, 0)
		if len(list) != len(ids)/k.ids() {
			t.Fatalf("%s: %d requests", k, len(list))
		}
		for i, request := range list {
			if want := r.append(nil, k, ids[i*k.ids():][:k.ids()]); !bytes.Equal(request, want) {
				t.Fatalf("%s: request %d is %q, not %q", k, i, request, want)
			}
		}
		from := r.get(k, hitMix, 0.25)
		if len(from) != len(list) || !bytes.Equal(from[0], list[len(list)/4]) || !bytes.Equal(from[len(from)-1], list[len(list)/4-1]) {
			t.Errorf("%s: a quarter on, it is another request than the quarter's", k)
		}
	}
	post := string(r.get(httpPost, hitMix, 0)[0])
	head, body, _ := strings.Cut(post, "\r\n\r\n")
	var asked struct{ IDs []string }
	if err := json.Unmarshal([]byte(body), &asked); err != nil || len(asked.IDs) != many || asked.IDs[7] != string(ids[7]) {
		t.Errorf("the body is %s: %v", body, err)
	}
	for _, line := range []string{"POST /v1/match HTTP/1.1\r\n", fmt.Sprintf("\r\nContent-Length: %d", len(body)), "\r\nAuthorization: Bearer the-key\r\n"} {
		if !strings.Contains(head+"\r\n", line) {
			t.Errorf("no %q in %q", line, head)
		}
	}
	// A command is an array of bulk strings, as a reply can be.
	if get := r.get(redisMGet, hitMix, 0)[3]; !bytes.HasPrefix(get, []byte("*101\r\n$4\r\nMGET\r\n$16\r\n")) {
		t.Errorf("%q", get)
	} else if n, err := load.RESP(get); n != len(get) || err != nil {
		t.Errorf("%d of %d bytes: %v", n, len(get), err)
	}
	if get := r.get(memcachedGets, hitMix, 0)[0]; len(get) != len("get\r\n")+many*23 || bytes.ContainsAny(get[:len(get)-2], "\r\n\x00") {
		t.Errorf("%q", get)
	}
}
