package bench

import (
	"runtime"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/snapshot"
)

const goMapName = "Go map"

// goMap is what one would write first: a Go map from the 16 bytes of a mobile
// id to the place of its person's packed record. It checks nothing, knows no
// consent, and takes only mobile ids.
type goMap struct {
	at      map[[16]byte]uint32 // in units of goMapAlign
	records []byte              // length (4 bytes) and packed record, one after the other
	snap    *snapshot.Snapshot  // tells how to read them
	heap    int
}

const goMapAlign = 8

func newGoMap(w *world.World, store *snapshot.Store) (*goMap, error) {
	cur, err := store.Current()
	if err != nil {
		return nil, err
	}
	m := &goMap{}
	if m.snap, err = store.Open(cur, snapshot.Map); err != nil {
		return nil, err
	}
	before := heap()
	size, last := 0, -1
	for id, record := range w.Packed(m.snap) {
		if person := id / world.PerPerson; person != last {
			size, last = size+stride(record), person
		}
	}
	m.records, m.at = make([]byte, 0, size), make(map[[16]byte]uint32, w.IDs)
	last = -1
	at := 0
	for id, record := range w.Packed(m.snap) {
		if person := id / world.PerPerson; person != last {
			at, last = len(m.records), person
			n := len(record)
			m.records = append(m.records, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
			m.records = append(m.records, record...)
			m.records = m.records[:at+stride(record)]
		}
		m.at[w.UUID(id)] = uint32(at / goMapAlign)
	}
	m.heap = heap() - before
	return m, nil
}

// stride is the room that a record takes.
func stride(record []byte) int { return (4 + len(record) + goMapAlign - 1) &^ (goMapAlign - 1) }

// heap is how many bytes are in use.
func heap() int {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int(s.HeapAlloc)
}

// bytes is the size of map and records.
func (m *goMap) bytes() int { return m.heap }

func (m *goMap) close() { _ = m.snap.Close() } // only read from

// goMapReader looks up for one goroutine.
type goMapReader struct {
	*goMap
	read ask.Reader
}

func (m *goMap) reader() *goMapReader { return &goMapReader{m, ask.Reader{Snapshot: m.snap}} }

// Ask implements [ask.Answerer].
func (m *goMapReader) Ask(ids [][]byte) (sum uint64) {
	for _, text := range ids {
		u, ok := ask.ParseMAID(text)
		if !ok {
			continue
		}
		if at, ok := m.at[u]; ok {
			r := m.records[int(at)*goMapAlign:]
			n := int(r[0]) | int(r[1])<<8 | int(r[2])<<16 | int(r[3])<<24
			sum += m.read.Sum(r[4 : 4+n])
		}
	}
	return sum
}
