package privacy

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// maxRemembered bounds the strings of one remembered verdict, in bytes.
const maxRemembered = 2 << 10

// Verdicts remembers verdicts, because consent strings repeat. It is bounded,
// and may be used by many goroutines at once; reading takes no lock.
//
// A verdict is a function of policy, signals and time alone, so none goes
// stale: one is used again only for the same policy and the same bytes, from
// the time at which it was made and before its Until. A new configuration is
// another policy.
type Verdicts struct {
	seed  maphash.Seed
	sets  []set
	shift int // of a hash, to the index of a set
}

// set holds the verdicts of a hash, the newest first.
type set [4]atomic.Pointer[remembered]

// remembered is a verdict with all that it depends on. It does not change.
type remembered struct {
	policy Policy
	facts  facts
	tcf    int    // length in text
	text   string // TC string and GPP string
	made   int64
	Verdict
}

// NewVerdicts returns a memory of at least entries verdicts, of up to 2 KiB
// each and usually a few hundred bytes; of none where entries is not positive.
func NewVerdicts(entries int) *Verdicts {
	v := &Verdicts{seed: maphash.MakeSeed()}
	if entries > 0 {
		log := bits.Len(uint(entries-1) / uint(len(set{})))
		v.sets, v.shift = make([]set, 1<<log), 64-log
	}
	return v
}

// Decide returns what the function [Decide] does.
func (v *Verdicts) Decide(p Policy, s *Signals, now int64) Verdict {
	if len(s.tcf)+len(s.gpp) == 0 || len(v.sets) == 0 {
		return Decide(p, s, now)
	}
	if verdict, decided := s.flags(); decided {
		return verdict
	}
	known := &v.sets[v.hash(p, s)>>v.shift]
	for i := range known {
		if r := known[i].Load(); r != nil && r.answers(p, s, now) {
			return r.Verdict
		}
	}
	verdict := Decide(p, s, now)
	if len(s.tcf)+len(s.gpp) <= maxRemembered {
		known.add(&remembered{p, s.facts, len(s.tcf), string(s.tcf) + string(s.gpp), now, verdict})
	}
	return verdict
}

// add remembers a verdict in place of the oldest. Where two goroutines do so at
// once, one of them may be forgotten.
func (k *set) add(r *remembered) {
	for i := len(k) - 1; i > 0; i-- {
		k[i].Store(k[i-1].Load())
	}
	k[0].Store(r)
}

func (v *Verdicts) hash(p Policy, s *Signals) uint64 {
	const odd = 0x9e3779b97f4a7c15 // spreads low bits over the high ones
	h := maphash.Bytes(v.seed, s.tcf)
	if len(s.gpp) != 0 {
		h = bits.RotateLeft64(h, 32) ^ maphash.Bytes(v.seed, s.gpp)
	}
	// Flags and sections too: one string comes with many of them, and they are
	// not to displace each other.
	h ^= uint64(p.Vendor)<<32 ^ uint64(p.Purposes)<<16 ^ uint64(p.Jurisdiction)
	h = h*odd ^ uint64(s.said)<<48 ^ uint64(s.on)<<32 ^ uint64(s.bad)<<16 ^ uint64(s.sections)
	h = h*odd ^ uint64(binary.LittleEndian.Uint32(s.usPrivacy[:]))
	return h * odd
}

func (r *remembered) answers(p Policy, s *Signals, now int64) bool {
	return r.made <= now && now < r.Until &&
		r.policy == p && r.facts == s.facts &&
		r.text[:r.tcf] == string(s.tcf) && r.text[r.tcf:] == string(s.gpp)
}
