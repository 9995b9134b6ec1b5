package swap

import (
	"fmt"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Lookup finds persons by the hashes of their identifiers. The zero value is
// ready; it belongs to one goroutine.
type Lookup struct {
	buf    []byte
	record snapshot.Record
}

// Person returns the id of the person that an identifier is of, confirmed, and
// whether there is one. The error wraps [snapshot.ErrCorrupt].
func (l *Lookup) Person(s *snapshot.Snapshot, h index.Hash) (id snapshot.PersonID, ok bool, err error) {
	at := 0
	if _, at, l.buf, err = s.Find(h, l.buf, &l.record); at < 0 {
		return id, false, err
	}
	return l.record.ID, true, nil
}

// every yields the address of each n-th record, so that there are at most limit,
// and n.
func every(s *snapshot.Snapshot, limit int64, each func(addr uint64) error) (n int64, err error) {
	n = max(1, (s.Counts.Persons+limit-1)/limit)
	at := int64(0)
	for shard := range s.RecordShards {
		for addr := range s.Addrs(shard) {
			if at%n == 0 {
				if err := each(addr); err != nil {
					return n, err
				}
			}
			at++
		}
	}
	return n, nil
}

// Segments returns how many profiles each segment has, by tenant:code. They are
// counted where there are no more than limit persons, and otherwise estimated
// from a sample of that many.
func Segments(s *snapshot.Snapshot, limit int64) (map[string]int64, error) {
	var (
		buf    []byte
		record snapshot.Record
		p      snapshot.Profile
		counts = make([]int64, len(s.Dictionaries.Segments))
	)
	n, err := every(s, limit, func(addr uint64) (err error) {
		if buf, err = s.Record(addr, buf, &record); err != nil {
			return err
		}
		profiles := record.Profiles()
		for profiles.Next(&p) {
			for _, segment := range p.Segments {
				counts[segment]++
			}
		}
		return profiles.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("count the segments of %s: %w", s.Name(), err)
	}
	out := map[string]int64{}
	for i, c := range counts {
		if segment := s.Dictionaries.Segments[i]; c > 0 {
			out[s.Tenants[segment.Tenant].Name+":"+segment.Code] += c * n
		}
	}
	return out, nil
}

// sample calls f for a sample of the persons, always the same one, with the
// hashes of their identifiers, which are valid during the call.
func sample(s Side, limit int64, f func(id snapshot.PersonID, hashes []index.Hash) error) error {
	var (
		buf, key []byte
		record   snapshot.Record
		hashes   []index.Hash
	)
	_, err := every(s.Snapshot, limit, func(addr uint64) (err error) {
		if buf, err = s.Record(addr, buf, &record); err != nil {
			return err
		}
		raw, err := s.ReadCold(s.ColdBlockOf(addr, &record))
		if err != nil {
			return err
		}
		cold, err := s.Cold(raw, &record)
		if err != nil {
			return err
		}
		hashes = hashes[:0]
		for _, id := range cold.Identifiers {
			key = s.Namespaces.AppendKeyOf(key[:0], id.Namespace, id.Value)
			hashes = append(hashes, s.Hasher.Sum(key))
		}
		return f(record.ID, hashes)
	})
	return err
}
