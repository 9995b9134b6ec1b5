package engine

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/proof"
	"github.com/matchd/matchd/index"
)

// ledger is what is known of opt-outs and erasures in a log: when each was
// accepted, from when on answers obey it, in which snapshots the erased were
// looked for. It is fed with every record, when the log is opened and after.
// Its methods may be called by any number of goroutines.
type ledger struct {
	mu sync.Mutex
	// newest is the number of the last record that arrived.
	newest uint64
	// pending is the time of the oldest change that arrived and is not obeyed
	// yet, stuck that of the oldest which cannot be; zero of none.
	pending, stuck time.Time
	// noted is the number up to which a note says what is obeyed; waiting are the
	// opt-outs and erasures after it, ascending.
	noted   uint64
	waiting []refusal
	// erasures are all in the log, ascending.
	erasures []erasure
	// looked is by the hash of the snapshot's manifest, in hexadecimal.
	looked  map[string]*looked
	latency Latency
	removed uint64        // snapshots, by this process
	overdue time.Duration // that the erased are in snapshots
}

// refusal is an opt-out or an erasure on its way to being obeyed.
type refusal struct {
	seq      uint64
	accepted time.Time
	obeyed   time.Time // zero before
	erases   bool
}

type erasure struct {
	seq      uint64
	accepted int64 // Unix nanoseconds
	at       int64 // likewise, by who sent it
	hash     index.Hash
	tenant   string
}

// looked is what a snapshot was found to hold, of the erasures up to a number.
type looked struct {
	name  string
	upTo  uint64
	held  []uint64 // ascending
	found []uint64 // those of held that must not be there, likewise
}

// arrive takes a record that is on disk.
func (l *ledger) arrive(r *eventlog.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest = r.Seq
	switch {
	case r.Kind == eventlog.Note:
		l.note(r.Body)
	case whole(r):
		if l.pending.IsZero() {
			l.pending = r.Time
		}
		l.change(r)
	}
}

func (l *ledger) change(r *eventlog.Record) {
	kind := event.TypeOf(r.Body)
	if kind != event.OptOut && kind != event.Erase {
		return
	}
	b, err := event.Decode(r.Body)
	if err != nil {
		return // whoever applies it says so
	}
	l.waiting = append(l.waiting, refusal{seq: r.Seq, accepted: r.Time, erases: kind == event.Erase})
	if kind == event.Erase {
		l.erasures = append(l.erasures, erasure{r.Seq, r.Time.UnixNano(), b.At, b.Hash, b.Tenant})
	}
}

// note takes a note, of this process or one before. One that it does not
// understand says nothing to it: then the same is done, and said, again.
func (l *ledger) note(body []byte) {
	n, err := proof.DecodeNote(body)
	if err != nil {
		return
	}
	switch n.Kind {
	case proof.Refused:
		l.noted = max(l.noted, n.UpTo)
		l.waiting = slices.DeleteFunc(l.waiting, func(w refusal) bool { return w.seq <= n.UpTo })
	case proof.Looked:
		s := l.of(n.Snapshot)
		s.upTo = max(s.upTo, n.To)
		s.held = ascending(append(append(s.held, n.Found...), n.Held...))
		s.found = ascending(append(s.found, n.Found...))
	case proof.Removed:
		for _, s := range n.Removed {
			delete(l.looked, s.Manifest.String())
		}
	}
}

// ascending sorts, and leaves out what is there again: a follower has notes of its
// own and the leader's.
func ascending(list []uint64) []uint64 {
	slices.Sort(list)
	return slices.Compact(list)
}

func (l *ledger) of(s *proof.Snapshot) *looked {
	if l.looked == nil {
		l.looked = map[string]*looked{}
	}
	manifest := s.Manifest.String()
	if l.looked[manifest] == nil {
		l.looked[manifest] = &looked{name: s.Name}
	}
	return l.looked[manifest]
}

// obeyed notes that every lookup that begins now obeys the records up to a
// number.
func (l *ledger) obeyed(now time.Time, upTo uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.waiting {
		w := &l.waiting[i]
		if w.seq <= upTo && w.obeyed.IsZero() {
			w.obeyed = now
			l.latency.add(w.erases, now.Sub(w.accepted))
		}
	}
	if upTo >= l.newest {
		l.pending = time.Time{}
	}
}

// stick notes that a change which is on disk cannot be obeyed.
func (l *ledger) stick(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stuck.IsZero() || at.Before(l.stuck) {
		l.stuck = at
	}
}

// unstick notes that all changes can be obeyed after all.
func (l *ledger) unstick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stuck = time.Time{}
}

// unobeyed is the age of the oldest change that is on disk and not obeyed, 0 of
// none.
func (l *ledger) unobeyed(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	age := time.Duration(0)
	for _, t := range [...]time.Time{l.pending, l.stuck} {
		if !t.IsZero() {
			age = max(age, now.Sub(t))
		}
	}
	return age
}

// after returns the erasures after a number. The slice is not to be changed.
func (l *ledger) after(seq uint64) []erasure {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.erasures[l.find(seq+1):len(l.erasures):len(l.erasures)] // which is only appended to
}

// find is the place of the first erasure from a number on.
func (l *ledger) find(seq uint64) int {
	at, _ := slices.BinarySearchFunc(l.erasures, seq, func(e erasure, seq uint64) int { return cmp.Compare(e.seq, seq) })
	return at
}

// lookedUpTo is the last erasure that a snapshot was looked into for, or 0.
func (l *ledger) lookedUpTo(s *proof.Snapshot) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.looked[s.Manifest.String()]; found != nil {
		return found.upTo
	}
	return 0
}

// held returns the erasures whose customers are in a snapshot, ascending.
func (l *ledger) held(s *proof.Snapshot) (list []erasure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.looked[s.Manifest.String()]
	if found == nil {
		return nil
	}
	for _, seq := range found.held {
		if at := l.find(seq); at < len(l.erasures) && l.erasures[at].seq == seq {
			list = append(list, l.erasures[at])
		}
	}
	return list
}

// lookedInto lists the snapshots that were looked into, and are not known to be
// gone.
func (l *ledger) lookedInto() (list []proof.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for manifest, s := range l.looked {
		raw, err := hex.DecodeString(manifest)
		if err == nil {
			list = append(list, proof.Snapshot{Name: s.name, Manifest: raw})
		}
	}
	slices.SortFunc(list, func(a, b proof.Snapshot) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// drop forgets a snapshot.
func (l *ledger) drop(s *proof.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.looked, s.Manifest.String())
}

// forget drops the erasures that the log keeps no longer.
func (l *ledger) forget(span time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var kept []erasure // anew: who asked for a part has it still
	for _, e := range l.erasures {
		if keptFor(span, time.Unix(0, e.accepted), now) {
			kept = append(kept, e)
		}
	}
	l.erasures = kept
}

func (l *ledger) notedUpTo() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.noted
}

func (l *ledger) countRemoved(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removed += uint64(n)
}

func (l *ledger) setOverdue(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.overdue = d
}
