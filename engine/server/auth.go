package server

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// KeyHash is the SHA-256 of an API key, which is all that is kept of it.
type KeyHash [sha256.Size]byte

// HashKey returns the hash of a key.
func HashKey(key string) KeyHash { return sha256.Sum256([]byte(key)) }

// NewKey makes a key of 256 random bits: "mk_" and 43 characters of base64url.
func NewKey() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return "mk_" + base64.RawURLEncoding.EncodeToString(b[:])
}

// ParseKeyHash reads 64 hexadecimal digits.
func ParseKeyHash(s string) (h KeyHash, err error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(h) {
		return h, errors.New("a key_sha256 is the SHA-256 of a key, 64 hexadecimal digits")
	}
	h = KeyHash(raw)
	if h == (KeyHash{}) || h == HashKey("") {
		return h, errors.New("this is the hash of no key at all")
	}
	return h, nil
}

func (h KeyHash) String() string { return hex.EncodeToString(h[:]) }

// ID is how the hash begins: a name for the key that tells nothing of it.
func (h KeyHash) ID() string { return hex.EncodeToString(h[:4]) }

// caller is what the server knows of a client. It is not changed while it is
// in the keyring; a client that changes gets another.
type caller struct {
	client  Client // as it was configured; without a key for openName
	name    string
	scopes  Scopes
	limiter *limiter // nil where there is no limit
	// identifiers says that it may list identifiers of some tenant.
	identifiers bool

	// replaced is set before the engine is given other grants for name than
	// those of client, and is closed once the keyring has changed too.
	replaced atomic.Pointer[chan struct{}]
}

func newCaller(c Client) *caller {
	full := c.effective()
	return &caller{
		client: c, name: c.Name, scopes: full.Scopes, limiter: newLimiter(full.Rate, full.Burst),
		identifiers: full.Scopes&ScopeIdentifiers != 0,
	}
}

// openName is the engine's client for callers without a key.
const openName = "open"

func openClient(tenant string) engine.Client {
	return engine.Client{Name: openName, Grants: []engine.Grant{{
		Tenant: tenant, Segments: []string{engine.All}, Namespaces: []string{engine.All}, Customers: true, Identifiers: true, Purposes: snapshot.Use,
	}}}
}

// keyring finds callers by their keys.
type keyring struct {
	hashes  [][4]uint64 // as callers
	callers []*caller
	open    *caller // of those without a key; nil where they get nothing
}

// newKeyring makes a keyring of clients that are valid, each for itself.
// Callers and limiters of old, which may be nil, live on where their clients
// have not changed.
func newKeyring(clients []Client, open string, old *keyring) (*keyring, error) {
	k := new(keyring)
	seen := map[KeyHash]string{}
	for _, c := range clients {
		if c.Key == (KeyHash{}) || c.Key == HashKey("") {
			return nil, fmt.Errorf("client %s has no key", c.Name)
		}
		if other, ok := seen[c.Key]; ok {
			return nil, fmt.Errorf("clients %s and %s have the same key", other, c.Name)
		}
		seen[c.Key] = c.Name
		k.hashes = append(k.hashes, words(c.Key))
		k.callers = append(k.callers, old.take(c))
	}
	if open != "" {
		k.open = old.take(Client{Client: openClient(open), Scopes: ScopeMatch | ScopeSegments | ScopeIdentifiers | ScopeEnrich})
	}
	return k, nil
}

// take returns the caller for a client: the one that there is, if it is the
// same.
func (k *keyring) take(c Client) *caller {
	out := newCaller(c)
	for _, o := range k.all() {
		if o.name != c.Name {
			continue
		}
		if reflect.DeepEqual(o.client, c) {
			return o
		}
		if o.limiter.like(out.limiter) {
			out.limiter = o.limiter // no burst for each change of a grant
		}
	}
	return out
}

// all are the callers with and without a key.
func (k *keyring) all() []*caller {
	switch {
	case k == nil:
		return nil
	case k.open == nil:
		return k.callers
	}
	return append(slices.Clone(k.callers), k.open)
}

func words(h KeyHash) (w [4]uint64) {
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(h[8*i:])
	}
	return w
}

// find returns the caller with a key, or nil. Its time depends on the length
// of key and the number of clients, never on how near key is to a real one:
// it hashes whatever comes, no key included, and compares the sum with every
// client's without a branch on the outcome. A map would do the same amount of
// other work, but for a hit and a miss, and for buckets, not the same.
func (k *keyring) find(key []byte) *caller {
	sum := words(sha256.Sum256(key))
	at := uint64(0) // 1 + the place of the match
	for i := range k.hashes {
		h := &k.hashes[i]
		diff := h[0] ^ sum[0] | h[1] ^ sum[1] | h[2] ^ sum[2] | h[3] ^ sum[3]
		equal := (diff|-diff)>>63 - 1 // all ones where diff is 0
		at |= equal & uint64(i+1)
	}
	if at == 0 {
		return nil
	}
	return k.callers[at-1]
}

// authorize returns who is calling, or nil. header is the value of
// Authorization.
func (s *Server) authorize(ctx *fasthttp.RequestCtx, header []byte) *caller {
	keys := s.keys.Load()
	if len(header) == 0 && keys.open != nil && local(ctx) {
		return keys.open
	}
	c := keys.find(bearer(header))
	if c == nil || !c.certified(ctx) {
		return nil
	}
	return c
}

// certified reports whether a request came with the certificate that the
// caller's key is bound to, if it is to one.
func (c *caller) certified(ctx *fasthttp.RequestCtx) bool {
	name := c.client.Certificate
	return name == "" || slices.ContainsFunc(peerNames(ctx), func(n string) bool { return strings.EqualFold(n, name) })
}

// bearer returns the key in an Authorization header; without one, an empty
// key, which is nobody's.
func bearer(header []byte) []byte {
	const scheme = "Bearer "
	if len(header) < len(scheme) || !bytes.EqualFold(header[:len(scheme)], []byte(scheme)) {
		return nil
	}
	return bytes.TrimLeft(header[len(scheme):], " ")
}

// local reports whether a request comes from this machine, and was meant for
// it: a page in a browser can make its own name resolve to 127.0.0.1 and then
// read the answers, but cannot change the Host that the browser sends.
func local(ctx *fasthttp.RequestCtx) bool {
	switch a := ctx.RemoteAddr().(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return a.IP.IsLoopback() && localHost(ctx.Request.Header.Host())
	}
	return false
}

func localHost(host []byte) bool {
	switch name := stripPort(host); {
	case len(name) == 0, string(name) == "localhost", string(name) == "127.0.0.1", string(name) == "[::1]":
		return true
	default:
		return loopbackHost(string(bytes.Trim(name, "[]")))
	}
}

func stripPort(host []byte) []byte {
	if i := bytes.LastIndexByte(host, ':'); i >= 0 && digits(host[i+1:]) {
		return host[:i]
	}
	return host
}
