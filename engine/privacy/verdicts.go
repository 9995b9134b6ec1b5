package privacy

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// maxRemembered bounds the strings of one remembered verdict, in bytes.
const maxRemembered = 4 << 10

// Verdicts remembers verdicts, because consent strings repeat. It is bounded,
// and may be used by many goroutines at once; reading takes no lock.
//
// A verdict is a function of policy, signals and time alone, so none goes
// stale: one is used again only for the same policy and the same bytes, from
// the time at which it was made and before its Until. A new configuration is
// another policy.
type Verdicts struct {
	seed  maphash.Seed
	pairs []pair
	shift int // of a hash, to the index of a pair
}

// pair holds the verdicts of a hash: the newer one and the one before it.
type pair [2]atomic.Pointer[remembered]

// remembered is a verdict with all that it depends on. It does not change.
type remembered struct {
	policy Policy
	facts  facts
	tcf    int    // length in text
	text   string // TC string and GPP string
	made   int64
	Verdict
}

// NewVerdicts returns a memory of at least entries verdicts, of up to 4 KiB
// each and usually a few hundred bytes; of none where entries is not positive.
func NewVerdicts(entries int) *Verdicts {
	v := &Verdicts{seed: maphash.MakeSeed()}
	if entries > 0 {
		log := bits.Len(uint(entries-1) / 2)
		v.pairs, v.shift = make([]pair, 1<<log), 64-log
	}
	return v
}

// Decide returns what the function [Decide] does.
func (v *Verdicts) Decide(p Policy, s *Signals, now int64) Verdict {
	if len(s.tcf)+len(s.gpp) == 0 || len(v.pairs) == 0 {
		return Decide(p, s, now)
	}
	if verdict, decided := s.flags(); decided {
		return verdict
	}
	pair := &v.pairs[v.hash(p, s)>>v.shift]
	for i := range pair {
		if r := pair[i].Load(); r != nil && r.answers(p, s, now) {
			return r.Verdict
		}
	}
	verdict := Decide(p, s, now)
	if len(s.tcf)+len(s.gpp) <= maxRemembered {
		pair[1].Store(pair[0].Load())
		pair[0].Store(&remembered{p, s.facts, len(s.tcf), string(s.tcf) + string(s.gpp), now, verdict})
	}
	return verdict
}

func (v *Verdicts) hash(p Policy, s *Signals) uint64 {
	const odd = 0x9e3779b97f4a7c15 // spreads low bits over the high ones
	h := maphash.Bytes(v.seed, s.tcf)
	if len(s.gpp) != 0 {
		h = bits.RotateLeft64(h, 32) ^ maphash.Bytes(v.seed, s.gpp)
	}
	h ^= uint64(p.Vendor)<<32 ^ uint64(p.Purposes)<<16 ^ uint64(p.Jurisdiction) ^ uint64(s.on)<<8
	return h * odd
}

func (r *remembered) answers(p Policy, s *Signals, now int64) bool {
	return r.made <= now && now < r.Until &&
		r.policy == p && r.facts == s.facts &&
		r.text[:r.tcf] == string(s.tcf) && r.text[r.tcf:] == string(s.gpp)
}
