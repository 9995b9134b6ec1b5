// Package world is the synthetic pool that lookups are measured on: seeded, made
// person by person straight into a snapshot's writer, and the identifiers to ask
// for. All who are measured beside each other ask it for their data.
package world

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// World is a pool of persons with one customer profile, three mobile ids and
// three segments each, nothing shared.
type World struct {
	// IDs is how many mobile ids belong to somebody.
	IDs  int
	Seed uint64
	// Bids makes it one for bid requests: the tenant has declared its segments
	// for the bid stream, each person has a cookie too, and there is a second
	// tenant, [Neighbour], without customers.
	Bids bool
}

// AsOf is the time that the snapshot is of.
func (w *World) AsOf() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }

// lasting is how many years consent and links last after AsOf: daemons answer
// by the machine's clock, and must answer the same for as long as anybody
// measures.
const lasting = 10

// PerPerson is how many mobile ids a person has; the last one may have fewer.
const PerPerson = 3

// segments is how many segments the tenant has.
const segments = 200

// Persons is how many persons there are.
func (w *World) Persons() int { return (w.IDs + PerPerson - 1) / PerPerson }

// mix is the finaliser of splitmix64 (Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// UUID returns mobile id number i; those from IDs on belong to nobody.
func (w *World) UUID(i int) (u [16]byte) {
	binary.BigEndian.PutUint64(u[:], mix(w.Seed^uint64(i)<<1))
	binary.BigEndian.PutUint64(u[8:], mix(w.Seed^uint64(i)<<1|1))
	return u
}

// AppendText appends mobile id number i as callers send it.
func (w *World) AppendText(dst []byte, i int) []byte {
	u := w.UUID(i)
	dst = append(dst, index.MAID...)
	dst = append(dst, ':')
	for k, end := range [...]int{4, 6, 8, 10, 16} {
		if k > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, u[[...]int{0, 4, 6, 8, 10}[k]:end])
	}
	return dst
}

// Customer returns the customer id of a person.
func (w *World) Customer(person int) []byte { return fmt.Appendf(nil, "C-%09d", person) }

// AppendCustomer appends the customer id of a person as callers send it.
func (w *World) AppendCustomer(dst []byte, person int) []byte {
	return fmt.Appendf(dst, "%s%s:%s", index.CRMPrefix, Tenant, w.Customer(person))
}

// Segments returns the segments of a person, ascending.
func (w *World) Segments(person int) []uint32 {
	x := mix(w.Seed ^ uint64(person)<<20)
	a := uint32(x % (segments / 4))
	b := a + 1 + uint32(x>>20%(segments/4))
	return []uint32{a, b, b + 1 + uint32(x>>40%(segments/4))}
}

// Tenant is the one whose customers they are.
const Tenant = "acme"

// Of a world for bid requests.
const (
	Neighbour = "bolt"
	Cookies   = "cookie.publisher-a" // namespace
	Domain    = "acme.example"       // of Tenant
	Segtax    = 501
)

// Cookie returns the cookie of a person in a world for bid requests; those from
// Persons on belong to nobody.
func (w *World) Cookie(person int) []byte {
	return fmt.Appendf(nil, "%016x%016x", mix(^w.Seed^uint64(person)<<1), mix(^w.Seed^uint64(person)<<1|1))
}

// BidSegment is what a segment is called in a bid request.
func BidSegment(segment uint32) string { return fmt.Sprint(7000 + segment) }

func (w *World) dictionaries() (snapshot.Dictionaries, error) {
	spaces := append(index.Builtin(), index.Namespace{Name: index.CRMPrefix + Tenant})
	if w.Bids {
		spaces = append(spaces, index.Namespace{Name: Cookies}, index.Namespace{Name: index.CRMPrefix + Neighbour})
	}
	ns, err := index.NewNamespaces(spaces)
	d := snapshot.Dictionaries{
		Namespaces: ns,
		Sources:    []snapshot.Source{{Name: "bench", Party: snapshot.FirstParty}},
		Tenants:    []snapshot.Tenant{{Name: Tenant, LegalBasis: snapshot.Consent, ConsentMaxAge: 36}},
	}
	for i := range segments {
		d.Segments = append(d.Segments, snapshot.Segment{Code: fmt.Sprintf("segment.%03d", i)})
	}
	if w.Bids {
		d.Tenants[0].Domain = Domain
		d.Tenants[0].BidStream = &snapshot.BidStream{Segtax: Segtax, Segments: map[string]string{}}
		for i, s := range d.Segments {
			d.Tenants[0].BidStream.Segments[s.Code] = BidSegment(uint32(i))
		}
		d.Tenants = append(d.Tenants, snapshot.Tenant{Name: Neighbour, LegalBasis: snapshot.Consent, ConsentMaxAge: 36})
	}
	return d, err
}

// Open opens the store in path or, where that is empty, one in dir, into which it
// publishes the world first, and says so.
func (w *World) Open(ctx context.Context, path, dir string, log func(string, ...any)) (*snapshot.Store, error) {
	if path != "" {
		return snapshot.OpenStore(path)
	}
	log("building a snapshot of %d ids", w.IDs)
	return w.Publish(ctx, filepath.Join(dir, "store"))
}

// Publish writes the world's snapshot into a new store in dir.
func (w *World) Publish(ctx context.Context, dir string) (_ *snapshot.Store, err error) {
	store, err := snapshot.CreateStore(snapshot.OS{}, dir, nil)
	if err != nil {
		return nil, err
	}
	secret, err := store.Secret()
	if err != nil {
		return nil, err
	}
	dicts, err := w.dictionaries()
	if err != nil {
		return nil, err
	}
	shards := 4
	for shards<<20 < w.IDs {
		shards *= 2
	}
	day, _ := snapshot.DayOf(w.AsOf())
	meta := snapshot.Meta{
		KeyID: secret.ID(), AsOf: w.AsOf(), Oldest: day - 30, LinkMaxAge: 12 * lasting, IndexShards: shards, RecordShards: shards,
	}
	binary.BigEndian.PutUint64(meta.ID[:], mix(w.Seed))
	draft, err := store.Begin()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, draft.Close()) }()
	out, err := snapshot.NewWriter(snapshot.OS{}, draft.Dir(), meta, dicts)
	if err != nil {
		return nil, err
	}
	hasher := snapshot.IdentifierHasher(secret)
	manifest, hash, err := out.WriteAll(ctx, func(shard int) iter.Seq[*snapshot.Person] {
		return w.shard(dicts.Namespaces, hasher, shard, shards)
	})
	if err != nil {
		return nil, err
	}
	_, err = draft.Publish(manifest, hash)
	return store, err
}

// personID spreads persons evenly over all ids, in order.
func (w *World) personID(person int) (id snapshot.PersonID) {
	step := ^uint64(0) / uint64(w.Persons())
	binary.BigEndian.PutUint64(id[:], uint64(person)*step)
	return id
}

// shard yields the persons of one record shard.
func (w *World) shard(ns *index.Namespaces, hasher index.Hasher, shard, shards int) iter.Seq[*snapshot.Person] {
	return func(yield func(*snapshot.Person) bool) {
		n := w.Persons()
		first := max(0, int(uint64(shard)*uint64(n)/uint64(shards))-1)
		for person := first; person < n; person++ {
			id := w.personID(person)
			if at := snapshot.RecordShard(id, shards); at < shard {
				continue
			} else if at > shard || !yield(w.person(ns, hasher, person, id)) {
				return
			}
		}
	}
}

func (w *World) person(ns *index.Namespaces, hasher index.Hasher, person int, id snapshot.PersonID) *snapshot.Person {
	day, _ := snapshot.DayOf(w.AsOf())
	crm, _ := ns.ByName(index.CRMPrefix + Tenant)
	maid, _ := ns.ByName(index.MAID)
	p := &snapshot.Person{ID: id, Born: w.AsOf().Unix()}
	add := func(space index.NamespaceID, value []byte) {
		key := append(append([]byte(ns.At(space).Name), ':'), value...)
		p.Nodes = append(p.Nodes, snapshot.Node{
			Hash: hasher.Sum(key), Namespace: space, Value: value,
			Method: snapshot.Observed, Seen: day - snapshot.Day(mix(uint64(person))%30),
		})
	}
	link := func() {
		k := uint32(len(p.Nodes) - 1)
		p.Links = append(p.Links, snapshot.Link{A: 0, B: k, Method: snapshot.Observed, First: p.Nodes[k].Seen, Last: p.Nodes[k].Seen})
	}
	add(crm, w.Customer(person))
	for i := range PerPerson {
		if at := person*PerPerson + i; at < w.IDs {
			u := w.UUID(at)
			add(maid, u[:])
			link()
		}
	}
	if w.Bids {
		cookie, _ := ns.ByName(Cookies)
		add(cookie, w.Cookie(person))
		link()
	}
	p.Profiles = []snapshot.Profile{{
		Customer: w.Customer(person), Segments: w.Segments(person),
		Consent: snapshot.ConsentState{At: w.AsOf().Unix() - 86400, Expires: w.AsOf().AddDate(lasting, 0, 0).Unix(), Purposes: snapshot.Use},
	}}
	return p
}
