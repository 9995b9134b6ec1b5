package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/matchd/matchd/engine/eventlog"
)

// ErrFalse says that a certificate does not prove what it says.
var ErrFalse = errors.New("the certificate does not prove what it says")

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFalse, fmt.Sprintf(format, args...))
}

// Verify checks that the statement follows from the opened records, that each of
// these is what its hash says, and that they hang together in one chain. It
// reads nothing else: compare Erasure.Hash with the receipt of the erasure, and
// Proof.Head with what a copy of the log has under its number. That no note is
// left out it does not show. The error wraps [ErrFalse].
func (c *Certificate) Verify() error {
	hashes, err := c.Proof.chain()
	if err != nil {
		return err
	}
	if err := c.Proof.kept(hashes); err != nil {
		return err
	}
	if len(c.Proof.Opened) == 0 {
		return wrong("no record is opened")
	}
	var s state
	last := uint64(0)
	for i := range c.Proof.Opened {
		r, err := c.Proof.Opened[i].record()
		if err != nil {
			return err
		}
		if r.Seq <= last || hashes[r.Seq] != r.Hash {
			return wrong("record %d is not the one of the chain", r.Seq)
		}
		last = r.Seq
		switch {
		case i == 0:
			if s.erased(&r) != nil {
				return wrong("record %d is no erasure", r.Seq)
			}
		case !s.add(&r) && r.Kind != eventlog.Trim:
			return wrong("record %d says nothing of the erasure", r.Seq)
		}
	}
	said, err := json.Marshal(&c.Statement)
	if err != nil {
		return wrong("%v", err)
	}
	if follows, err := json.Marshal(&s.Statement); err != nil || !bytes.Equal(said, follows) {
		return wrong("its records say otherwise")
	}
	return nil
}

// chain computes the hashes of the records of the chain, by their numbers.
func (p *Proof) chain() (map[uint64]eventlog.Hash, error) {
	if len(p.From) != sha256.Size || len(p.Chain)%linkSize != 0 || len(p.Chain) == 0 {
		return nil, wrong("its chain is not of whole records")
	}
	hashes := make(map[uint64]eventlog.Hash, len(p.Chain)/linkSize)
	prev, seq := eventlog.Hash(p.From), uint64(0)
	for b := p.Chain; len(b) > 0; b = b[linkSize:] {
		r := eventlog.Record{
			Seq: binary.BigEndian.Uint64(b), Time: time.Unix(0, int64(binary.BigEndian.Uint64(b[8:]))), Kind: eventlog.Kind(b[16]),
			Token: [16]byte(b[17:33]), Commitment: eventlog.Hash(b[33:linkSize]),
		}
		if r.Seq <= seq {
			return nil, wrong("its chain is out of order")
		}
		prev, seq = r.Chain(prev), r.Seq
		hashes[seq] = prev
	}
	if seq != p.To || !bytes.Equal(prev[:], p.Head) {
		return nil, wrong("its chain does not end with what it names")
	}
	return hashes, nil
}

// keptSize is the size of a record in [Proof.Kept].
const keptSize = 8 + sha256.Size

// kept checks the kept records against the one that vouches for them, and adds
// their hashes.
func (p *Proof) kept(hashes map[uint64]eventlog.Hash) error {
	if len(p.Kept) == 0 {
		return nil
	}
	if len(p.Kept)%keptSize != 0 {
		return wrong("the kept records are not whole")
	}
	var digest eventlog.Hash
	kept := map[uint64]eventlog.Hash{}
	for b := p.Kept; len(b) > 0; b = b[keptSize:] {
		digest = sha256.Sum256(append(digest[:], b[:keptSize]...))
		kept[binary.BigEndian.Uint64(b)] = eventlog.Hash(b[8:keptSize])
	}
	for i := range p.Opened {
		o := &p.Opened[i]
		if o.Kind != eventlog.Trim || !p.vouches(o, len(p.Kept)/keptSize, digest) {
			continue
		}
		for seq, hash := range kept {
			if _, twice := hashes[seq]; twice {
				return wrong("record %d is kept, and in the chain", seq)
			}
			hashes[seq] = hash
		}
		return nil
	}
	return wrong("no record vouches for those that were kept")
}

// vouches reports whether a record of kind Trim is about the kept records, and
// about where the chain begins: see FORMAT.md of the log.
func (p *Proof) vouches(o *Opened, count int, digest eventlog.Hash) bool {
	const size = 8 + 32 + 8 + 32
	return len(o.Body) == size && bytes.Equal(o.Body[8:40], p.From) && binary.BigEndian.Uint64(o.Body) < binary.BigEndian.Uint64(p.Chain) &&
		binary.BigEndian.Uint64(o.Body[40:]) == uint64(count) && bytes.Equal(o.Body[48:], digest[:])
}

// record is the record, with its hash as its content gives it.
func (o *Opened) record() (r eventlog.Record, err error) {
	const salt = 16 // or a byte of it could pass for one of the body
	if len(o.Token) != len(r.Token) || len(o.Prev) != len(r.Prev) || len(o.Salt) != salt {
		return r, wrong("record %d is not whole", o.Seq)
	}
	// The hash covers nanoseconds of 64 bits, which another time may have too.
	if !time.Unix(0, o.Time.UnixNano()).Equal(o.Time) {
		return r, wrong("record %d is of a time that no record has", o.Seq)
	}
	r = eventlog.Record{
		Seq: o.Seq, Time: o.Time, Kind: o.Kind, Token: [16]byte(o.Token), Body: o.Body, Prev: eventlog.Hash(o.Prev),
		Commitment: sha256.Sum256(append(append([]byte(nil), o.Salt...), o.Body...)),
	}
	r.Hash = r.Chain(r.Prev)
	return r, nil
}
