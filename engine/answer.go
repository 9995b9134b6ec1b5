package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Reason says why there is no match, or that there is one. The zero value is
// no match.
type Reason string

// Reasons, as they stand in answers.
const (
	Matched        Reason = "matched"
	Unknown        Reason = "unknown"
	NoConsent      Reason = "no_consent"
	ConsentExpired Reason = "consent_expired"
	Ambiguous      Reason = "ambiguous"
	Invalid        Reason = "invalid"
	Suppressed     Reason = "suppressed" // by a privacy signal
	OptedOut       Reason = "opted_out"  // it is not to be used for a tenant that was asked for
)

// PersonID is a person's id as a client sees it: the keyed hash of the
// internal id under the key of the client's id space. Two id spaces cannot be
// joined without the store's secret.
type PersonID [16]byte

// AppendText appends the id as 32 hexadecimal digits.
func (id PersonID) AppendText(dst []byte) ([]byte, error) { return hex.AppendEncode(dst, id[:]), nil }

func (id PersonID) String() string { return hex.EncodeToString(id[:]) }

func shownID(h index.Hasher, id snapshot.PersonID) (out PersonID) {
	sum := h.Sum(id[:])
	binary.BigEndian.PutUint64(out[:], sum.Hi)
	binary.BigEndian.PutUint64(out[8:], sum.Lo)
	return out
}

// MaxBuckets is the largest number of buckets of an experiment.
const MaxBuckets = 1000

// maxExperiment is the longest name of an experiment, in bytes.
const maxExperiment = 128

// Bucket returns the bucket of a person in an experiment, from 0 to buckets-1:
// the first 64 bits, big-endian, of the SHA-256 of the id's 32 hexadecimal
// digits, a colon and the experiment's name, times buckets, over 2^64. So
// whoever knows the person's id can compute it.
func Bucket(id PersonID, experiment string, buckets int) (int, error) {
	if buckets < 1 || buckets > MaxBuckets {
		return 0, fmt.Errorf("buckets must be 1 to %d", MaxBuckets)
	}
	if experiment == "" || len(experiment) > maxExperiment {
		return 0, errors.New("an experiment has a name of 1 to 128 bytes")
	}
	var buf [32 + 1 + maxExperiment]byte
	text := append(append(hex.AppendEncode(buf[:0], id[:]), ':'), experiment...)
	sum := sha256.Sum256(text)
	x := binary.BigEndian.Uint64(sum[:])
	// The upper half of a 64 by 10 bit product, without losing the carry.
	hi := x >> 32 * uint64(buckets)
	lo := x & (1<<32 - 1) * uint64(buckets)
	return int((hi + lo>>32) >> 32), nil
}

// Answer is the answer to one identifier, or to several asked as one.
type Answer struct {
	// Asked is the place, among the identifiers asked, of the one that decided.
	Asked int
	// Reason is Matched, or why not.
	Reason Reason
	// Signal is the one that forbids, where the reason is Suppressed.
	Signal privacy.Kind
	// Live says of a match that live links made the person what it is.
	Live bool

	fault    bool
	known    bool // a granted profile can be reached, whatever its consent
	person   snapshot.PersonID
	best     snapshot.Strength // of the paths to granted profiles
	from, to int               // in Batch.profiles
}

// Matched reports whether the answer is a match.
func (a *Answer) Matched() bool { return a.Reason == Matched }

func (a *Answer) result() Result {
	if a.fault {
		return ResultFault
	}
	return a.Reason.result()
}

func (r Reason) result() Result {
	switch r {
	case Matched:
		return ResultMatched
	case NoConsent:
		return ResultNoConsent
	case ConsentExpired:
		return ResultConsentExpired
	case Ambiguous:
		return ResultAmbiguous
	case Invalid:
		return ResultInvalid
	case Suppressed:
		return ResultSuppressed
	case OptedOut:
		return ResultOptedOut
	}
	return ResultUnknown
}

// Profile is one profile in an answer.
type Profile struct {
	// Tenant is its number among the snapshot's tenants.
	Tenant uint16
	Kind   snapshot.Kind
	// Strength is that of the weakest link on the strongest path from the
	// identifier asked.
	Strength snapshot.Strength
	// Expires is when its consent ends, in Unix seconds; 0 is never.
	Expires int64

	ordinal            int // among the profiles of the record
	customer, segments span
}

// span is a part of one of a batch's buffers.
type span struct{ from, to int }
