package wire

import (
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/load"
	"github.com/matchd/matchd/bench/world"
)

// kind is a kind of request.
type kind int

const (
	httpGet kind = iota
	httpPost
	redisGet
	redisMGet
	memcachedGet
	memcachedGets
)

func (k kind) String() string {
	return [...]string{"GET", "POST", "GET", "MGET", "get", "get"}[k]
}

// ids is how many identifiers a request asks for.
func (k kind) ids() int {
	switch k {
	case httpPost, redisMGet, memcachedGets:
		return many
	}
	return 1
}

// next frames the answers.
func (k kind) next(b []byte) (int, error) {
	switch k {
	case httpGet, httpPost:
		return load.HTTP(b)
	case redisGet, redisMGet:
		return load.RESP(b)
	default:
		return load.Memcached(b)
	}
}

// requests makes requests, once each kind and draw.
type requests struct {
	world *world.World
	key   string // for matchd
	draws int
	seed  uint64
	drawn map[float64][][]byte
	made  map[requestKind][][]byte
}

type requestKind struct {
	kind
	hits float64
}

func newRequests(w *world.World, key string, draws int, seed uint64) *requests {
	return &requests{w, key, draws, seed, map[float64][][]byte{}, map[requestKind][][]byte{}}
}

// ids are the identifiers drawn, as text.
func (r *requests) ids(hits float64) [][]byte {
	if r.drawn[hits] == nil {
		r.drawn[hits] = r.world.Draw(world.Draw{Hits: hits}, r.draws, r.seed)
	}
	return r.drawn[hits]
}

// get returns all requests of a kind, from the given share of them on and round
// again.
func (r *requests) get(k kind, hits, from float64) [][]byte {
	at := requestKind{k, hits}
	if r.made[at] == nil {
		list := r.make(k, r.ids(hits))
		r.made[at] = append(list, list...)
	}
	twice := r.made[at]
	n := len(twice) / 2
	first := int(from*float64(n)) % n
	return twice[first : first+n]
}

func (r *requests) make(k kind, ids [][]byte) (list [][]byte) {
	size := k.ids()
	var all []byte
	ends := make([]int, 0, len(ids)/size)
	for ; len(ids) >= size; ids = ids[size:] {
		all = r.append(all, k, ids[:size])
		ends = append(ends, len(all))
	}
	from := 0
	for _, end := range ends {
		list = append(list, all[from:end:end])
		from = end
	}
	return list
}

// append appends a request for ids.
func (r *requests) append(dst []byte, k kind, ids [][]byte) []byte {
	switch k {
	case httpGet:
		dst = append(dst, "GET /v1/match?id="...)
		dst = append(dst, ids[0]...)
		return append(r.appendHeader(dst), "\r\n"...)
	case httpPost:
		dst = r.appendHeader(append(dst, "POST /v1/match"...))
		body := appendIDs(nil, ids)
		dst = fmt.Appendf(dst, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
		return append(dst, body...)
	case redisGet:
		return appendCommand(dst, []byte("GET"), keys(ids)...)
	case redisMGet:
		return appendCommand(dst, []byte("MGET"), keys(ids)...)
	default:
		dst = append(dst, "get"...)
		for _, key := range keys(ids) {
			dst = appendKey(append(dst, ' '), key)
		}
		return append(dst, "\r\n"...)
	}
}

func (r *requests) appendHeader(dst []byte) []byte {
	dst = append(dst, " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "...)
	return append(append(dst, r.key...), "\r\n"...)
}

func appendIDs(dst []byte, ids [][]byte) []byte {
	dst = append(dst, `{"ids":[`...)
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), id...), '"')
	}
	return append(dst, "]}"...)
}

// keys are what the stores hold mobile ids under: their 16 bytes.
func keys(ids [][]byte) [][]byte {
	list := make([][]byte, len(ids))
	for i, id := range ids {
		u, ok := ask.ParseMAID(id)
		if !ok {
			panic("wire: the world has drawn what is no mobile id")
		}
		list[i] = u[:]
	}
	return list
}

// appendCommand appends a command for Redis.
func appendCommand(dst []byte, name []byte, args ...[]byte) []byte {
	dst = append(strconv.AppendInt(append(dst, '*'), int64(1+len(args)), 10), "\r\n"...)
	dst = appendBulk(dst, name)
	for _, a := range args {
		dst = appendBulk(dst, a)
	}
	return dst
}

func appendBulk(dst, b []byte) []byte {
	dst = append(strconv.AppendInt(append(dst, '$'), int64(len(b)), 10), "\r\n"...)
	return append(append(dst, b...), "\r\n"...)
}

// appendKey appends a key for memcached, where neither spaces nor control bytes
// may be: 22 characters.
func appendKey(dst, key []byte) []byte { return base64.RawURLEncoding.AppendEncode(dst, key) }
