package snapshot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/matchd/matchd/index"
)

// Verify checks what the checksums of [Open] cannot show: that the parts were
// written right and agree. It reads every line of the tables, every record and
// every cold block, looks every identifier up again under hasher, and compares
// the counts with the manifest's. hasher must be that of the store's secret.
func (s *Snapshot) Verify(hasher index.Hasher) error {
	return Guard(func() error {
		if err := s.verifyTables(); err != nil {
			return err
		}
		return s.verifyRecords(hasher)
	})
}

func (s *Snapshot) verifyTables() error {
	total := int64(0)
	for i, t := range s.tables {
		stats, err := t.Check()
		if err != nil {
			return corrupt(indexName(i), sectionTable, -1, "%v", err)
		}
		b, err := s.files[i].section(sectionParams)
		if err != nil {
			return err
		}
		if _, n, err := parseParams(b); err != nil || n != uint64(stats.Entries) {
			return corrupt(indexName(i), sectionTable, -1, "%d entries where %d are due", stats.Entries, n)
		}
		total += int64(stats.Entries)
	}
	if total != s.Counts.Identifiers {
		return corrupt(manifestName, sectionMeta, -1, "%d identifiers, and %d in the tables", s.Counts.Identifiers, total)
	}
	return nil
}

func (s *Snapshot) verifyRecords(hasher index.Hasher) error {
	var mu sync.Mutex
	sum := Counts{ByNamespace: map[string]int64{}, ByTenant: map[string]int64{}}
	g := errgroup.Group{}
	g.SetLimit(runtime.GOMAXPROCS(0))
	for shard := range s.hot {
		g.Go(func() error {
			return Guard(func() error {
				counts, err := s.verifyShard(shard, hasher)
				mu.Lock()
				defer mu.Unlock()
				sum.add(&counts)
				return err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	want := s.Counts
	if sum.Persons != want.Persons || sum.Identifiers != want.Identifiers || sum.Profiles != want.Profiles ||
		sum.Links != want.Links || sum.Spares != want.Spares || sum.Largest != want.Largest ||
		!maps.Equal(sum.ByNamespace, want.ByNamespace) || !maps.Equal(sum.ByTenant, want.ByTenant) {
		return corrupt(manifestName, sectionMeta, -1, "its counts %+v are not those of the records, %+v", want, sum)
	}
	return nil
}

// Addrs yields the address of every record of a record shard, in order.
func (s *Snapshot) Addrs(shard int) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		hot := s.hot[shard]
		for at := uint64(0); at+recordHead <= uint64(len(hot)); {
			if !yield(at/recordAlign<<s.recordBits | uint64(shard)) {
				return
			}
			at += recordHead + uint64(binary.LittleEndian.Uint32(hot[at+4:]))
			at = uint64(alignUp(int64(at), recordAlign))
		}
	}
}

func (s *Snapshot) verifyShard(shard int, hasher index.Hasher) (Counts, error) {
	v := recordVerifier{
		s: s, shard: shard, hasher: hasher,
		counts: Counts{ByNamespace: map[string]int64{}, ByTenant: map[string]int64{}},
		block:  ColdBlock{Shard: uint32(shard), Block: 1<<32 - 1},
	}
	for addr := range s.Addrs(shard) {
		if err := v.verify(addr); err != nil {
			_, at := s.Place(addr)
			return v.counts, corrupt(recordName(shard), sectionHot, -1, "record at %d: %v", at, err)
		}
	}
	return v.counts, nil
}

// recordVerifier checks the records of one shard in order.
type recordVerifier struct {
	s      *Snapshot
	shard  int
	hasher index.Hasher
	counts Counts
	last   PersonID
	buf    []byte
	key    []byte
	block  ColdBlock
	// profile is decoded into again and again.
	profile Profile
	raw     []byte
}

func (v *recordVerifier) verify(addr uint64) (err error) {
	s, r := v.s, Record{}
	if v.buf, err = s.Record(addr, v.buf, &r); err != nil {
		return err
	}
	if err := r.Valid(); err != nil {
		return err
	}
	if v.counts.Persons > 0 && bytes.Compare(v.last[:], r.ID[:]) >= 0 || RecordShard(r.ID, s.RecordShards) != v.shard {
		return fmt.Errorf("its person is out of order")
	}
	v.last = r.ID
	if b := s.ColdBlockOf(addr, &r); b != v.block {
		if v.raw, err = s.ReadCold(b); err != nil {
			return err
		}
		v.block = b
	}
	cold, err := s.Cold(v.raw, &r)
	if err != nil {
		return err
	}
	if err := v.profiles(&r, cold); err != nil {
		return err
	}
	for i, id := range cold.Identifiers {
		if err := v.identifier(addr, &r, i, id); err != nil {
			return fmt.Errorf("identifier %d: %w", i, err)
		}
	}
	v.counts.Persons++
	v.counts.Identifiers += int64(r.nodes)
	v.counts.Profiles += int64(r.profiles)
	v.counts.Spares += int64(r.spares)
	v.counts.Links += int64(len(cold.Links))
	v.counts.Largest = max(v.counts.Largest, int64(r.nodes))
	return nil
}

// profiles checks that each profile's customer is the identifier that it says
// it is, of its own tenant.
func (v *recordVerifier) profiles(r *Record, cold *ColdPerson) error {
	p := &v.profile
	for ps := r.Profiles(); ps.Next(p); {
		tenant, own := v.s.Tenants[p.Tenant].Name, cold.Identifiers[p.Node]
		if v.s.Namespaces.At(own.Namespace).Name != index.CRMPrefix+tenant || !bytes.Equal(own.Value, p.Customer) {
			return fmt.Errorf("a profile is not of the customer that its identifier names")
		}
		v.counts.ByTenant[tenant]++
	}
	return nil
}

// identifier checks that the cold identifier hashes to what the hot record
// confirms, and that filter and table lead from it to this record.
func (v *recordVerifier) identifier(addr uint64, r *Record, i int, id coldIdentifier) error {
	if r.Node(i).Namespace != id.Namespace {
		return fmt.Errorf("hot and cold parts have different namespaces")
	}
	name := v.s.Namespaces.At(id.Namespace).Name
	v.counts.ByNamespace[name]++
	v.key = append(append(append(v.key[:0], name...), ':'), id.Value...)
	h := v.hasher.Sum(v.key)
	if r.Find(h) != i {
		return fmt.Errorf("it is not what the record confirms")
	}
	shard := v.s.Shard(h)
	if !v.s.filters[shard].MayContain(h) {
		return fmt.Errorf("the filter of index shard %d misses it", shard)
	}
	t := v.s.tables[shard]
	for c := t.Seek(h); ; {
		found, ok := t.Next(h, &c)
		if !ok {
			return fmt.Errorf("the table of index shard %d does not lead to it", shard)
		}
		if found == addr {
			return nil
		}
	}
}
