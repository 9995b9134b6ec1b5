package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/matchd/matchd/index"
)

// Addrs yields the address of every record of a record shard, in order.
func (s *Snapshot) Addrs(shard int) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		hot := s.hot[shard]
		for at := uint64(0); at+recordHead <= uint64(len(hot)); {
			if !yield(at/recordAlign<<s.recordBits | uint64(shard)) {
				return
			}
			at = afterRecord(at, binary.LittleEndian.Uint32(hot[at+4:]))
		}
	}
}

// afterRecord is where the record after one with such a body begins.
func afterRecord(at uint64, body uint32) uint64 {
	return uint64(alignUp(int64(at+recordHead+uint64(body)), recordAlign))
}

// Persons yields the persons of a record shard in the order of their ids, as a
// writer takes them, with the hashes of their identifiers under hasher. It
// yields one and the same person again and again, and uses its memory anew;
// who keeps one copies it, with its values and customer ids. An error, which
// wraps [ErrCorrupt], is the last that it yields. From a snapshot that is open
// as [Once] it lets go of the pages that it has read.
func (s *Snapshot) Persons(shard int, hasher index.Hasher) iter.Seq2[*Person, error] {
	return func(yield func(*Person, error) bool) {
		c := s.scan(shard, hasher)
		more := true
		for more {
			err := Guard(func() (err error) {
				more, err = c.next()
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			if more && !yield(&c.person, nil) {
				return
			}
		}
	}
}

// scan reads the persons of one record shard in order.
type scan struct {
	s        *Snapshot
	shard    int
	hasher   index.Hasher
	prefixes [][]byte // of the keys of each namespace

	// What was read last.
	person Person
	addr   uint64
	record Record

	at        uint64 // where the next record begins
	buf, key  []byte
	block     ColdBlock // that raw holds
	raw       []byte
	buffers   coldBuffers
	cold      ColdPerson
	hot       walk
	hotStart  int64
	cool      walk
	coolStart int64
}

// scan begins before the first person of a shard.
func (s *Snapshot) scan(shard int, hasher index.Hasher) *scan {
	c := &scan{s: s, shard: shard, hasher: hasher, block: ColdBlock{uint32(shard), 1<<32 - 1}}
	for _, n := range s.Namespaces.All() {
		c.prefixes = append(c.prefixes, []byte(n.Name+":"))
	}
	f := s.files[s.IndexShards+shard]
	for _, e := range f.toc {
		switch e.tag {
		case sectionHot:
			c.hotStart = e.offset
		case sectionCold:
			c.coolStart = e.offset
		}
	}
	c.hot, c.cool = f.walk(c.hotStart), f.walk(c.coolStart)
	return c
}

// next reads a person. It returns false at the end.
func (c *scan) next() (bool, error) {
	hot := c.s.hot[c.shard]
	if c.at >= uint64(len(hot)) {
		c.hot.end(c.hotStart + int64(len(hot)))
		c.cool.end(c.coolStart + int64(len(c.s.cold[c.shard].blocks)))
		return false, nil
	}
	c.addr = c.at/recordAlign<<c.s.recordBits | uint64(c.shard)
	if err := c.read(); err != nil {
		return false, corrupt(recordName(c.shard), sectionHot, -1, "record at %d: %v", c.at, err)
	}
	c.at = afterRecord(c.at, binary.LittleEndian.Uint32(c.buf))
	c.hot.reached(c.hotStart + int64(min(c.at, uint64(len(hot)))))
	return true, nil
}

func (c *scan) read() (err error) {
	r := &c.record
	if c.buf, err = c.s.checkedRecord(c.addr, c.buf, r); err != nil {
		return err
	}
	if b := c.s.ColdBlockOf(c.addr, r); b != c.block {
		if err := c.readBlock(b); err != nil {
			return err
		}
	}
	if err := c.cold.parse(c.raw, r.cold.offset, r.ID, r.nodes, &c.s.layout); err != nil {
		return fmt.Errorf("its cold part: %w", err)
	}
	p := &c.person
	p.ID, p.Born, p.Links = r.ID, r.Born, c.cold.Links
	if err := c.readNodes(); err != nil {
		return err
	}
	p.Spares = p.Spares[:0]
	for i := range r.Spares() {
		p.Spares = append(p.Spares, r.Spare(i))
	}
	if err := c.readProfiles(); err != nil {
		return err
	}
	return c.s.layout.validate(p, c.s.Oldest)
}

// readBlock reads a cold block. Those before it are done with: persons and
// their cold parts are in one order.
func (c *scan) readBlock(b ColdBlock) (err error) {
	if c.raw, err = c.s.readCold(b, &c.buffers); err != nil {
		return err
	}
	c.block = b
	from, _, _, _, err := c.s.cold[c.shard].bounds(uint64(b.Block))
	c.cool.reached(c.coolStart + int64(from))
	return err
}

func (c *scan) readNodes() error {
	p, r := &c.person, &c.record
	p.Nodes = p.Nodes[:0]
	for i, id := range c.cold.Identifiers {
		n := r.Node(i)
		if n.Namespace != id.Namespace {
			return fmt.Errorf("identifier %d: hot and cold parts have different namespaces", i)
		}
		c.key = append(append(c.key[:0], c.prefixes[id.Namespace]...), id.Value...)
		p.Nodes = append(p.Nodes, Node{
			Hash: c.hasher.Sum(c.key), Namespace: id.Namespace, Value: id.Value,
			Parent: uint32(n.Parent), Method: n.Method, Source: n.Source, Seen: n.Seen,
		})
	}
	return nil
}

func (c *scan) readProfiles() error {
	p := &c.person
	all := p.Profiles[:cap(p.Profiles)] // their Segments are used again
	n, ps := 0, c.record.Profiles()
	for {
		if n == len(all) {
			all = append(all, Profile{})
		}
		if !ps.Next(&all[n]) {
			break
		}
		n++
	}
	p.Profiles = all[:n]
	if ps.Err() == nil && ps.at < len(ps.b) {
		return errors.New("bytes after its last profile")
	}
	return ps.Err()
}
