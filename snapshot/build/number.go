package build

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/spill"
)

// numbering gives each identifier a number: its rank among the hashes of all.
// What comes after it works on numbers.
type numbering struct {
	tenants  []config.Tenant
	asOf     int64              // of the build, in Unix seconds
	ranks    []uint32           // of segments, by the number that rows have
	segments []snapshot.Segment // by rank
	oldest   snapshot.Day       // that a profile was seen on

	from *spill.Store // what was read, by partition of the hash
	// nodes are the identifiers of each partition in order of their numbers,
	// with what is said of them; hashes are their hashes and namespaces.
	nodes, hashes *spill.Store
	// half are links whose first end is numbered, by the partition of the
	// second.
	half *spill.Store

	base  []uint32 // by partition: the number of its first identifier; one more
	sizes []int64  // by segment: how many profiles it has
	total Tally

	// withheld are contact identifiers of erased customers, by number, and the
	// tenants that they are withheld from; found is the same before base is.
	withheld map[uint32]tenantSet
	found    []withheldID
	did      LiveReport
	// former is of all identifiers that were read.
	former formerHashes
}

// Tally counts what was numbered.
type Tally struct {
	Identifiers int64 // different ones
	Profiles    int64
	Merged      int64 // rows that repeated a customer
}

// errCollision cannot be made to happen without the store's secret.
var errCollision = errors.New("two identifiers have one 128-bit hash: build into a store with another key")

// run numbers all partitions.
func (n *numbering) run(ctx context.Context, s *stage) error {
	n.base = make([]uint32, partitions+1)
	n.sizes = make([]int64, len(n.ranks))
	err := s.each(ctx, partitions, func() (func(int) error, func() error) {
		w := &numberWorker{
			n: n, nodes: n.nodes.Writer(), hashes: n.hashes.Writer(), half: n.half.Writer(), sizes: make([]int64, len(n.ranks)), oldest: n.oldest,
		}
		return w.partition, func() error { return w.close(s) }
	})
	if err != nil {
		return err
	}
	return n.number()
}

// number turns the sizes of partitions in base into their first numbers.
func (n *numbering) number() error {
	total := uint64(0)
	for i, size := range n.base {
		n.base[i] = uint32(total)
		total += uint64(size)
	}
	if total > math.MaxUint32-1 {
		return fmt.Errorf("%d identifiers: at most %d can be built into one store; split the pool", total, uint32(math.MaxUint32-1))
	}
	n.total.Identifiers = int64(total)
	n.withheld = make(map[uint32]tenantSet, len(n.found))
	for _, f := range n.found {
		n.withheld[n.base[f.partition]+f.number] = f.tenants
	}
	n.found = nil
	return n.from.Drop()
}

// count is the number of identifiers.
func (n *numbering) count() int { return int(n.base[partitions]) }

// largest returns the numbers of the most segments with the most profiles.
func (n *numbering) largest(most int) []uint32 {
	order := make([]uint32, len(n.sizes))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Or(cmp.Compare(n.sizes[b], n.sizes[a]), cmp.Compare(a, b)) })
	return order[:min(most, len(order))]
}

// Flags of what is said of a node.
const (
	nodeProfile  = 1 << iota // a profile follows
	nodeAncestor             // an ancestor follows
)

// node is an identifier as the numbering leaves it. What is said of it is
// still encoded.
type node struct {
	head              // its kind is its flags
	profile, ancestor []byte
}

func (d *decoder) node() (n node) {
	n.head = d.head()
	if n.kind&nodeProfile != 0 {
		n.profile = d.bytes(int(d.u32()))
	}
	if n.kind&nodeAncestor != 0 {
		n.ancestor = d.bytes(ancestorSize)
	}
	return n
}

// halfLink is a link of which one end is numbered within its partition.
type halfLink struct {
	other     index.Hash
	partition uint16
	id        uint32
	ns        index.NamespaceID
	method    snapshot.Method
	source    uint16
	seen      snapshot.Day
}

func appendHalf(dst []byte, l halfLink) []byte {
	dst = appendHash(dst, l.other)
	dst = binary.LittleEndian.AppendUint16(dst, l.partition)
	dst = binary.LittleEndian.AppendUint32(dst, l.id)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(l.ns))
	dst = append(dst, byte(l.method))
	dst = binary.LittleEndian.AppendUint16(dst, l.source)
	return binary.LittleEndian.AppendUint16(dst, uint16(l.seen))
}

func (d *decoder) half() halfLink {
	return halfLink{
		other: d.hash(), partition: d.u16(), id: d.u32(), ns: index.NamespaceID(d.u16()),
		method: snapshot.Method(d.u8()), source: d.u16(), seen: snapshot.Day(d.u16()),
	}
}
