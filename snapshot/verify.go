package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/matchd/matchd/index"
)

// Verify checks what the checksums of [Open] cannot show: that the parts were
// written right and agree. It reads every line of the tables, every record and
// every cold block, looks that filters and tables lead from every identifier
// under hasher to its record, and compares the counts with the manifest's.
// hasher must be that of the store's secret. It goes through the files in
// order, so that a snapshot that is open as [Once] may be larger than memory.
func (s *Snapshot) Verify(hasher index.Hasher) error {
	v := verifier{s: s, hasher: hasher, tally: newTally(&s.layout), tables: make([]uint64, s.IndexShards), records: make([]uint64, s.IndexShards)}
	if err := eachShard(context.Background(), s.IndexShards, v.table); err != nil {
		return err
	}
	if v.entries != s.Counts.Identifiers {
		return corrupt(manifestName, sectionMeta, -1, "%d identifiers, and %d in the tables", s.Counts.Identifiers, v.entries)
	}
	if err := eachShard(context.Background(), s.RecordShards, v.shard); err != nil {
		return err
	}
	for i := range s.IndexShards {
		s.releaseIndex(i) // of which the filters were read
		if v.tables[i] != v.records[i] {
			return corrupt(indexName(i), sectionTable, -1, "it does not lead from the identifiers of the records to them")
		}
	}
	if err := v.renamed(); err != nil {
		return err
	}
	return v.counts()
}

// renamed checks that the identifiers with other hashes are there.
func (v *verifier) renamed() error {
	for i, r := range v.s.Renamed {
		there, err := v.s.Contains(r.New)
		if err != nil {
			return err
		}
		if !there {
			return corrupt(manifestName, sectionRenamed, -1, "entry %d is of no identifier of the snapshot", i)
		}
	}
	return nil
}

// verifier gathers what a snapshot holds. For each index shard it adds up a
// mix of the identifiers and addresses that the table tells of, and one of
// those that the records have: what is in its place in the table, and in both
// sums, is found.
type verifier struct {
	s      *Snapshot
	hasher index.Hasher

	mu              sync.Mutex // of what follows
	tally           tally
	entries         int64
	tables, records []uint64 // by index shard
}

// entrySum is what an entry adds; Hi is all that a table tells of a hash.
func entrySum(hi, addr uint64) uint64 { return mix(hi&^0xff ^ mix(addr)) }

// table checks the table of an index shard.
func (v *verifier) table(shard int) error {
	return Guard(func() error {
		sum := uint64(0)
		stats, err := v.s.tables[shard].Check(shard, func(hi, addr uint64) { sum += entrySum(hi, addr) })
		if err != nil {
			return corrupt(indexName(shard), sectionTable, -1, "%v", err)
		}
		b, err := v.s.files[shard].section(sectionParams)
		if err != nil {
			return err
		}
		if _, n, err := parseParams(b); err != nil || n != uint64(stats.Entries) {
			return corrupt(indexName(shard), sectionTable, -1, "%d entries where %d are due", stats.Entries, n)
		}
		v.s.releaseIndex(shard)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.tables[shard] = sum
		v.entries += int64(stats.Entries)
		return nil
	})
}

// releaseIndex gives the pages of an index shard back, if that was asked for.
func (s *Snapshot) releaseIndex(shard int) {
	f := s.files[shard]
	w := f.walk(0)
	w.end(f.end)
}

// shard checks the persons of a record shard.
func (v *verifier) shard(shard int) error {
	return Guard(func() error {
		c := shardVerifier{
			s: v.s, scan: v.s.scan(shard, v.hasher), tally: newTally(&v.s.layout), sums: make([]uint64, v.s.IndexShards),
		}
		for {
			more, err := c.scan.next()
			if err != nil {
				return err
			}
			if !more {
				break
			}
			if err := c.person(&c.scan.person); err != nil {
				_, at := v.s.Place(c.scan.addr)
				return corrupt(recordName(shard), sectionHot, -1, "record at %d: %v", at, err)
			}
			if len(c.asked) >= askAtOnce {
				if err := c.filters(); err != nil {
					return err
				}
			}
		}
		if err := c.filters(); err != nil {
			return err
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.tally.add(&c.tally)
		for i, sum := range c.sums {
			v.records[i] += sum
		}
		return nil
	})
}

// counts compares what was counted with the manifest.
func (v *verifier) counts() error {
	got, want := v.tally.counts(&v.s.Dictionaries), v.s.Counts
	if got.Persons != want.Persons || got.Identifiers != want.Identifiers || got.Profiles != want.Profiles ||
		got.Links != want.Links || got.Spares != want.Spares || got.Largest != want.Largest ||
		!maps.Equal(got.ByNamespace, want.ByNamespace) || !maps.Equal(got.ByTenant, want.ByTenant) {
		return corrupt(manifestName, sectionMeta, -1, "its counts %+v are not those of the records, %+v", want, got)
	}
	if err := v.s.checkLineage(); err != nil {
		return corrupt(manifestName, sectionMeta, -1, "%v", err)
	}
	return nil
}

// shardVerifier checks the persons of one shard in order.
type shardVerifier struct {
	s     *Snapshot
	scan  *scan
	tally tally
	last  PersonID
	sums  []uint64 // by index shard
	asked []index.Hash
}

// askAtOnce is how many identifiers the filters are asked for together, so
// that their lines are fetched from memory at once.
const askAtOnce = 512

func (v *shardVerifier) person(p *Person) error {
	if v.tally.Persons > 0 && bytes.Compare(v.last[:], p.ID[:]) >= 0 || RecordShard(p.ID, v.s.RecordShards) != v.scan.shard {
		return errors.New("its person is out of order")
	}
	v.last = p.ID
	v.tally.count(p)
	for i := range p.Nodes {
		h := p.Nodes[i].Hash
		if v.scan.record.Find(h) != i {
			return fmt.Errorf("identifier %d: it is not what the record confirms", i)
		}
		v.sums[v.s.Shard(h)] += entrySum(h.Hi, v.scan.addr)
		v.asked = append(v.asked, h)
	}
	// Each profile's customer is the identifier that it says, of its tenant.
	for i := range p.Profiles {
		q := &p.Profiles[i]
		own := &p.Nodes[q.Node]
		tenant, ok := strings.CutPrefix(v.s.Namespaces.At(own.Namespace).Name, index.CRMPrefix)
		if !ok || tenant != v.s.Tenants[q.Tenant].Name || !bytes.Equal(own.Value, q.Customer) {
			return errors.New("a profile is not of the customer that its identifier names")
		}
	}
	return nil
}

// filters checks that the filters let pass what was gathered.
func (v *shardVerifier) filters() error {
	for _, h := range v.asked {
		v.s.filters[v.s.Shard(h)].Prefetch(h)
	}
	for _, h := range v.asked {
		if shard := v.s.Shard(h); !v.s.filters[shard].MayContain(h) {
			return corrupt(indexName(shard), sectionFilter, -1, "it misses an identifier of a record")
		}
	}
	v.asked = v.asked[:0]
	return nil
}
