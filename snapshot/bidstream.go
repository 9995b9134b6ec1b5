package snapshot

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what a tenant declares for bid requests.
const (
	// MinSegtax is the first of the numbers that IAB's list of taxonomies leaves
	// to vendors; MaxSegtax is what a bidder's 32-bit integer still holds.
	MinSegtax = 500
	MaxSegtax = 1<<31 - 1
	// MaxBidStreamID is the longest id of a segment in the bid stream, in bytes.
	MaxBidStreamID = 64
	// MaxSegmentCode is the longest code of a segment, in bytes.
	MaxSegmentCode = 128
)

// BidStream is what a tenant's segments are called in bid requests: OpenRTB 2.6,
// user.data.
type BidStream struct {
	// Segtax is the number of the vendor taxonomy that the ids are of,
	// ext.segtax: MinSegtax to MaxSegtax.
	Segtax int `json:"segtax"`
	// Segments are the ids, segment[].id, by segment code; at least one. Segments
	// may have one id together. A segment that is not here never enters a bid
	// request; a code that no profile has does no harm.
	Segments map[string]string `json:"segments"`
}

// Validate checks the ranges.
func (b *BidStream) Validate() error {
	if b.Segtax < MinSegtax || b.Segtax > MaxSegtax {
		return fmt.Errorf("segtax %d is not between %d and %d", b.Segtax, MinSegtax, MaxSegtax)
	}
	if len(b.Segments) == 0 {
		return errors.New("no segment is declared")
	}
	for _, code := range slices.Sorted(maps.Keys(b.Segments)) {
		switch id := b.Segments[code]; {
		case !IsSegmentCode(code):
			return fmt.Errorf("%q is not the code of a segment", code)
		case !IsBidStreamID(id):
			return fmt.Errorf("segment %q: %q is not an id of the bid stream", code, id)
		}
	}
	return nil
}

// IsSegmentCode reports whether a profile can have a segment of this code.
func IsSegmentCode(s string) bool {
	return s != "" && len(s) <= MaxSegmentCode && strings.TrimSpace(s) == s &&
		!strings.ContainsRune(s, '|') && !strings.ContainsFunc(s, unicode.IsControl)
}

// IsBidStreamID reports whether a segment can have this id in the bid stream: 1
// to MaxBidStreamID bytes of UTF-8 that can be seen, spaces among them.
func IsBidStreamID(s string) bool {
	// A byte that is not UTF-8 reads as U+FFFD, which can be printed.
	return s != "" && len(s) <= MaxBidStreamID && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// checkBidStreams checks what the tenants declare for bid requests.
func checkBidStreams(tenants []Tenant) error {
	for i := range tenants {
		t := &tenants[i]
		if t.BidStream == nil {
			continue
		}
		if t.Domain == "" {
			return fmt.Errorf("tenant %q: bid_stream without a domain", t.Name)
		}
		if err := t.BidStream.Validate(); err != nil {
			return fmt.Errorf("tenant %q: bid_stream: %w", t.Name, err)
		}
	}
	return nil
}
