package engine

import (
	"errors"
	"unsafe"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// stage is how many identifiers go through the stages together: enough for
// their memory reads to overlap, few enough for the first-level cache.
const stage = 128

// Batch holds answers and all that making them needs. The zero value is
// ready; reuse keeps its memory.
type Batch struct {
	// Answers has one answer an identifier, in the order asked.
	Answers []Answer

	profiles  []Profile
	customers []byte
	segments  []uint32

	slots   [stage]slot
	aimed   int // slots that are hashed already
	former  []formerHash
	key     []byte
	record  []byte          // the bytes of current
	current snapshot.Record // the record that is being answered from
	ahead   reading         // the one after it
	profile snapshot.Profile
	paths   pathFinder
	live    liveRecord
	without bitset // tenants that are left out
	records int    // read since it was emptied, decoys too
}

// reading is a record that is read before it is the current one.
type reading struct {
	of     *slot // nil where there is none
	record snapshot.Record
	buf    []byte // its bytes
	err    error
}

// slot is one identifier on its way through the stages.
type slot struct {
	hash      index.Hash
	addr      uint64
	cursor    index.Cursor
	shard     int
	namespace index.NamespaceID
	state     slotState
	changed   bool // there may be live changes of it
}

type slotState uint8

const (
	slotInvalid    slotState = iota // no identifier that the client may ask by
	slotSuppressed                  // a privacy signal forbids its use
	slotAbsent                      // certainly not in the snapshot
	slotFound                       // addr is the record to look into
	slotDecoy                       // absent; addr is somebody's record, to be read in vain
)

// absent reports whether an identifier is not in the snapshot.
func (s slotState) absent() bool { return s == slotAbsent || s == slotDecoy }

// looked reports whether the table and a record are read for a slot.
func (s slotState) looked() bool { return s >= slotFound }

// MaxBatchBytes bounds the memory that the answers of one call take together.
// An identifier that thousands of customers share makes a large answer, and a
// caller may send it thousands of times.
const MaxBatchBytes = 16 << 20

// maxWork bounds the profiles looked at and the links walked for one call, all
// together: denied profiles take no memory, and time all the same. It is a
// fraction of a second.
const maxWork = 1 << 23

// ErrTooLarge says that answers would take more than [MaxBatchBytes], or more
// time than any call may.
var ErrTooLarge = errors.New("the answers are too large together: ask for fewer identifiers")

// profileSize is about the size of a Profile, in bytes.
const profileSize = int(unsafe.Sizeof(Profile{}))

// full reports whether the answers have outgrown their bounds.
func (b *Batch) full() bool {
	return b.paths.work > maxWork || len(b.profiles)*profileSize+len(b.customers)+4*len(b.segments) > MaxBatchBytes
}

// Bytes is how much memory the batch holds for its next use. Whoever pools
// batches drops large ones.
func (b *Batch) Bytes() int {
	return cap(b.profiles)*profileSize + cap(b.customers) + 4*cap(b.segments) + cap(b.record) + cap(b.ahead.buf)
}

// Reset empties the batch.
func (b *Batch) Reset() {
	b.Answers = b.Answers[:0]
	b.profiles = b.profiles[:0]
	b.customers = b.customers[:0]
	b.segments = b.segments[:0]
	b.paths.work, b.records = 0, 0
}

// Profiles returns the profiles of an answer, in order. They are valid until
// the batch is used again.
func (b *Batch) Profiles(a *Answer) []Profile { return b.profiles[a.from:a.to] }

// Customer returns the customer id of a profile, which is empty where the
// client is not shown it.
func (b *Batch) Customer(p *Profile) []byte { return b.customers[p.customer.from:p.customer.to] }

// Segments returns the numbers of the segments of a profile that the client
// may see, ascending; [Session.Segment] names them.
func (b *Batch) Segments(p *Profile) []uint32 { return b.segments[p.segments.from:p.segments.to] }

// forget drops what points into the snapshot. A batch outlives its session, and
// the collector must not find addresses in it that belong to nobody any more.
func (b *Batch) forget() {
	b.current, b.profile.Customer = snapshot.Record{}, nil
	b.ahead.of, b.ahead.record = nil, snapshot.Record{}
}

// mark is a place that a batch can be cut back to.
type mark struct{ answers, profiles, customers, segments int }

func (b *Batch) mark() mark {
	return mark{len(b.Answers), len(b.profiles), len(b.customers), len(b.segments)}
}

func (b *Batch) cut(m mark) {
	b.Answers = b.Answers[:m.answers]
	b.profiles = b.profiles[:m.profiles]
	b.customers = b.customers[:m.customers]
	b.segments = b.segments[:m.segments]
}
