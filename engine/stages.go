package engine

import (
	"runtime/debug"

	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Match answers each of ids by itself into b, which it resets. ids must not
// change during the call and may be reused after it. The one error is
// [ErrTooLarge], and b is empty then.
func (s *Session) Match(b *Batch, ids [][]byte) error {
	b.without = b.without[:0]
	return s.match(b, ids)
}

// match is Match, where the tenants in b.without are left out.
func (s *Session) match(b *Batch, ids [][]byte) error {
	b.Reset()
	for first := 0; first < len(ids); first += stage {
		part := ids[first:min(first+stage, len(ids))]
		if before := b.mark(); !s.stages(b, part) {
			b.cut(before)
			s.oneByOne(b, part)
		}
		if b.full() {
			b.Reset()
			b.forget()
			return ErrTooLarge
		}
	}
	for i := range b.Answers {
		b.Answers[i].Asked = i
		s.counts[b.Answers[i].result()]++
	}
	b.forget()
	return nil
}

// oneByOne answers a part of a batch in which memory faulted, so that only
// the identifiers whose own reads fault go without an answer.
func (s *Session) oneByOne(b *Batch, ids [][]byte) {
	for i := range ids {
		if before := b.mark(); !s.stages(b, ids[i:i+1]) {
			b.cut(before)
			b.Answers = append(b.Answers, Answer{Reason: Unknown, fault: true})
		}
		if b.full() {
			return // nobody will see these answers
		}
	}
}

// stages takes up to [stage] identifiers through the stages together. It
// reports false where a mapped file was cut short under it, which private
// memory cannot be.
func (s *Session) stages(b *Batch, ids [][]byte) (ok bool) {
	if s.gen.Private() {
		s.run(b, ids)
		return true
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if !snapshot.IsFault(r) {
				panic(r)
			}
			ok = false
		}
	}()
	s.run(b, ids)
	return true
}

// run is the hot path: all identifiers go through one stage before the next
// one begins, and each stage first has all the memory fetched that it is about
// to read. It does so in loops that do nothing else: a processor looks some
// hundred instructions ahead, and only what lies within them overlaps, address
// translations above all.
func (s *Session) run(b *Batch, ids [][]byte) {
	slots := b.slots[:len(ids)]
	if b.aimed != len(ids) {
		s.hashAll(b, ids)
	}
	b.aimed = 0
	s.suppress(slots)
	s.remember(slots)
	s.filter(slots)
	s.find(slots)
	b.ahead.of = nil
	for i := range slots {
		var err error
		if slots[i].state.looked() {
			err = s.read(b, &slots[i])
		}
		if i+1 < len(slots) {
			s.readAhead(b, &slots[i+1])
		}
		if s.answer(b, &slots[i], err); b.full() {
			return // nobody will see these answers
		}
	}
}

// aim does what can be done for all of ids before it is known what signals
// forbid, and has the memory fetched that is read next. [Session.Match] of the
// same ids, at most [stage], has to follow, or b.aimed to become 0.
func (s *Session) aim(b *Batch, ids [][]byte) {
	s.hashAll(b, ids)
	b.aimed = len(ids)
	slots := b.slots[:len(ids)]
	for i := range slots {
		if t := &slots[i]; t.state == slotFound {
			s.gen.Filter(t.shard).Prefetch(t.hash)
		}
	}
	s.prefetchTables(slots)
}

func (s *Session) hashAll(b *Batch, ids [][]byte) {
	if b.key == nil {
		b.key = make([]byte, 0, index.MaxKey) // a text that is no identifier would not leave one
	}
	b.former = b.former[:0]
	for i := range ids {
		b.key = s.hash(&b.slots[i], b.key, ids[i])
		if len(s.gen.former) > 0 {
			s.hashFormer(b, &b.slots[i])
		}
	}
}

// hash parses an identifier and hashes it, if the client may ask by it.
func (s *Session) hash(t *slot, key, id []byte) []byte {
	key, ns, err := s.gen.Namespaces.AppendKey(key[:0], id)
	if err != nil || len(s.access.asks[ns]) == 0 {
		t.state = slotInvalid
		return key
	}
	h := s.gen.hasher.Sum(key)
	*t = slot{hash: h, namespace: ns, shard: s.gen.Shard(h), state: slotFound}
	return key
}

// suppress drops what signals forbid.
func (s *Session) suppress(slots []slot) {
	if s.verdict.All == privacy.None && s.verdict.Device == privacy.None {
		return
	}
	for i := range slots {
		if t := &slots[i]; t.state == slotFound && s.suppressed(t.namespace) {
			t.state = slotSuppressed
		}
	}
}

// remember keeps some of what is asked for, to ask the next snapshot for it too.
func (s *Session) remember(slots []slot) {
	recent := s.engine.recent
	if recent == nil {
		return
	}
	for i := range slots {
		if t := &slots[i]; t.state == slotFound {
			recent.See(t.hash, s.salt)
		}
	}
}

// absent is the state of an identifier of which the filter or the table says
// that it is not there.
func (s *Session) absent(ns index.NamespaceID) slotState {
	if s.access.padded.has(int(ns)) {
		return slotDecoy
	}
	return slotAbsent
}

// filter drops what is certainly absent.
func (s *Session) filter(slots []slot) {
	for i := range slots {
		if t := &slots[i]; t.state == slotFound {
			s.gen.Filter(t.shard).Prefetch(t.hash)
		}
	}
	if s.live != nil {
		for i := range slots {
			s.live.Touch(slots[i].hash.Lo)
		}
	}
	if len(slots) == 1 {
		// Alone it has nothing to overlap with but itself: its line of the table
		// is fetched beside that of the filter, though most are not needed.
		s.prefetchTables(slots)
	}
	for i := range slots {
		if t := &slots[i]; t.state == slotFound && !s.gen.Filter(t.shard).MayContain(t.hash) {
			t.state = s.absent(t.namespace)
		}
	}
	s.probe(slots)
}

// probe finds out which identifiers may have live changes, and has those fetched.
func (s *Session) probe(slots []slot) {
	if s.live == nil {
		return
	}
	for i := range slots {
		slots[i].changed = s.live.May(slots[i].hash.Lo)
	}
	for i := range slots {
		if slots[i].changed {
			s.live.Prefetch(slots[i].hash)
		}
	}
}

func (s *Session) prefetchTables(slots []slot) {
	for i := range slots {
		if t := &slots[i]; t.state.looked() {
			s.gen.Table(t.shard).Prefetch(t.hash)
		}
	}
}

// find looks up the records of what is left, and has them fetched.
func (s *Session) find(slots []slot) {
	if len(slots) > 1 {
		s.prefetchTables(slots)
	}
	for i := range slots {
		t := &slots[i]
		if !t.state.looked() {
			continue
		}
		table := s.gen.Table(t.shard)
		t.cursor = table.Seek(t.hash)
		if addr, ok := table.Next(t.hash, &t.cursor); ok && t.state == slotFound {
			t.addr = addr
		} else if t.state = s.absent(t.namespace); t.state == slotDecoy {
			t.addr, _ = table.Near(t.hash)
		}
	}
	for i := range slots {
		if t := &slots[i]; t.state.looked() {
			s.gen.Prefetch(t.addr)
		}
	}
}

// read makes the record of a slot the current one.
func (s *Session) read(b *Batch, t *slot) (err error) {
	if b.ahead.of != t {
		b.record, err = s.gen.Record(t.addr, b.record, &b.current)
		return err
	}
	b.ahead.of = nil
	b.record, b.ahead.buf = b.ahead.buf, b.record
	b.current = b.ahead.record
	return b.ahead.err
}

// readAhead reads the record of the slot that is answered next, so that what
// tells whether its identifiers have live changes is fetched meanwhile.
func (s *Session) readAhead(b *Batch, t *slot) {
	if s.live == nil || !t.state.looked() {
		return
	}
	n := &b.ahead
	n.of = t
	if n.buf, n.err = s.gen.Record(t.addr, n.buf, &n.record); n.err == nil {
		s.live.TouchAny(n.record.Confirms())
	}
}

// next goes on to the next record that may hold the identifier, and reads it.
func (s *Session) next(b *Batch, t *slot) error {
	var ok bool
	if t.addr, ok = s.gen.Table(t.shard).Next(t.hash, &t.cursor); !ok {
		t.state = slotAbsent
		return nil
	}
	return s.read(b, t)
}
