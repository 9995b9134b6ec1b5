package snapshot

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/matchd/matchd/index"
)

// typical yields persons as onboarding makes them, in order, reusing one: a
// customer with an email, mostly a phone, and a device or cookie or two.
func typical(t testing.TB, d Dictionaries, hasher index.Hasher, n int) iter.Seq[*Person] {
	t.Helper()
	newest, _ := DayOf(sampleMeta(0, 1, 1).AsOf)
	number := func(name string) index.NamespaceID {
		id, ok := d.Namespaces.ByName(name)
		if !ok {
			t.Fatalf("no namespace %s", name)
		}
		return id
	}
	crm, email, phone, maid := number("crm.acme"), number(index.EmailSHA256), number(index.PhoneSHA256), number(index.MAID)
	return func(yield func(*Person) bool) {
		r := rand.New(rand.NewPCG(11, 12))
		p, key := &Person{}, []byte(nil)
		add := func(ns index.NamespaceID, parent uint32, method Method, value []byte) {
			key = d.Namespaces.AppendKeyOf(key[:0], ns, value)
			p.Nodes = append(p.Nodes, Node{
				Hash: hasher.Sum(key), Namespace: ns, Value: value, Parent: parent,
				Method: method, Source: uint16(r.IntN(3)), Seen: newest - Day(r.IntN(300)),
			})
		}
		for i := range n {
			*p = Person{Born: 1_760_000_000, Nodes: p.Nodes[:0], Links: p.Links[:0], Profiles: p.Profiles[:0], Spares: p.Spares[:0]}
			binary.BigEndian.PutUint64(p.ID[:], ^uint64(0)/uint64(n)*uint64(i))
			binary.BigEndian.PutUint64(p.ID[8:], r.Uint64())
			random := make([]byte, 0, 32+32+3*16)
			for range cap(random) / 8 {
				random = binary.LittleEndian.AppendUint64(random, r.Uint64())
			}
			add(crm, 0, Authenticated, fmt.Appendf(nil, "C%07d", i))
			add(email, 0, Authenticated, random[:32])
			if r.IntN(10) < 7 {
				add(phone, 0, Authenticated, random[32:64])
			}
			for k := range [...]int{0, 0, 0, 0, 1, 1, 1, 1, 2, 3}[r.IntN(10)] {
				add(maid, 1, Observed, random[64+16*k:][:16])
			}
			for k := 1; k < len(p.Nodes); k++ {
				nd := &p.Nodes[k]
				p.Links = append(p.Links, Link{A: nd.Parent, B: uint32(k), Method: nd.Method, Source: nd.Source, First: nd.Seen - Day(r.IntN(100)), Last: nd.Seen})
			}
			for k := 2; k < len(p.Nodes); k++ {
				p.Links = append(p.Links, Link{A: uint32(k - 1), B: uint32(k), Method: Inferred, First: newest - 90, Last: newest - Day(r.IntN(60))})
			}
			p.Profiles = append(p.Profiles, Profile{
				Customer: p.Nodes[0].Value, Segments: []uint32{uint32(i % 2)},
				Consent: ConsentState{At: 1_700_000_000 + int64(i), Purposes: Use},
			})
			if !yield(p) {
				return
			}
		}
	}
}

// clonePersons keeps what a sequence that reuses its person yields.
func clonePersons(persons iter.Seq[*Person]) (out []*Person) {
	for p := range persons {
		c := *p
		c.Nodes, c.Links, c.Profiles = slices.Clone(p.Nodes), slices.Clone(p.Links), slices.Clone(p.Profiles)
		out = append(out, &c)
	}
	return out
}
