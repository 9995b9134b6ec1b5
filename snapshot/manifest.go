package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	mathbits "math/bits"
	"time"

	"github.com/matchd/matchd/index"
)

// manifestName is the file that names all others.
const manifestName = "manifest"

// HexBytes are bytes that JSON shows as hexadecimal digits.
type HexBytes []byte

// MarshalText implements encoding.TextMarshaler.
func (b HexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *HexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.AppendDecode(nil, text)
	return err
}

func (b HexBytes) String() string { return hex.EncodeToString(b) }

// MarshalText implements encoding.TextMarshaler.
func (b LegalBasis) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *LegalBasis) UnmarshalText(text []byte) (err error) {
	*b, err = ParseLegalBasis(string(text))
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (p Party) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Party) UnmarshalText(text []byte) (err error) {
	*p, err = ParseParty(string(text))
	return err
}

// Meta is what a snapshot says of itself before its contents are known.
type Meta struct {
	// ID is a hash of all that goes into the snapshot.
	ID ID `json:"-"`
	// KeyID names the store's secret that its hashes are keyed with.
	KeyID string `json:"key_id"`
	// AsOf is the time that the snapshot speaks of, in whole seconds.
	AsOf time.Time `json:"as_of"`
	// Oldest is the earliest day that a link was last seen on.
	Oldest Day `json:"oldest_day"`
	// LinkMaxAge is how long a link from a cookie or device id lasts after it
	// was last seen, in months.
	LinkMaxAge int `json:"link_max_age_months"`
	// Normalised says by which profiles keys were made, by namespace.
	Normalised map[string]string `json:"normalised"`
	// Rules are the limits of resolution, as text, by name.
	Rules map[string]string `json:"rules,omitempty"`
	// IndexShards and RecordShards are powers of two.
	IndexShards  int `json:"index_shards"`
	RecordShards int `json:"record_shards"`
	// Applied are the sequence numbers up to which the snapshot contains logs of
	// live changes, by the log's id.
	Applied map[string]uint64 `json:"applied_seq,omitempty"`
	// FormerKeys are the ids of the store's former keys, ascending, of which
	// Renamed is complete: an opt-out or an erasure that is known by a hash under
	// another one may be of anybody in the snapshot.
	FormerKeys []string `json:"former_keys,omitempty"`
	// FormerSeq are the sequence numbers up to which Renamed is complete, by the id
	// of the log, where that is further than Applied: a move to another key contains
	// no more of a log, and looks it all through.
	FormerSeq map[string]uint64 `json:"former_seq,omitempty"`
}

// Knows is up to where a snapshot was made with a log of live changes: what hangs
// on former hashes by a record after that is of nobody knows whom.
func (m *Meta) Knows(log string) uint64 { return max(m.Applied[log], m.FormerSeq[log]) }

// Lineage counts what became of the persons of the previous snapshot, so that
// ids stay from build to build. Each person is kept, new or split.
type Lineage struct {
	// Previous is the name of the previous snapshot.
	Previous string `json:"previous"`
	// Kept persons have the id of a person of the previous snapshot.
	Kept int64 `json:"kept"`
	// New persons have none of the identifiers that were in one.
	New int64 `json:"new"`
	// Merged ids of the previous snapshot lived on in a person with an older id.
	Merged int64 `json:"merged"`
	// Split persons have a new id, and identifiers that were in one whose id
	// went elsewhere, or to nobody.
	Split int64 `json:"split"`
	// Gone ids of the previous snapshot are nobody's any more: what is left of
	// their persons is in no person, or has a part in one by weaker identifiers.
	Gone int64 `json:"gone"`
}

// Manifest is the contents of the manifest's meta section.
type Manifest struct {
	Meta
	Counts Counts `json:"counts"`
	// Lineage is nil where there was no previous snapshot.
	Lineage *Lineage   `json:"lineage,omitempty"`
	Files   []FileInfo `json:"files"` // all but the manifest, index shards first
}

// nameHash is how many bytes of the manifest's hash a snapshot's name has.
const nameHash = 6

// Name is the name of a snapshot's folder: its time, and the start of its
// manifest's hash, so that other bytes never have the name of these.
func (m *Manifest) Name(hash HexBytes) string {
	return m.AsOf.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(hash[:nameHash])
}

// checkLineage checks that the lineage tells of each person once.
func (m *Manifest) checkLineage() error {
	if l := m.Lineage; l != nil && l.Kept+l.New+l.Split != m.Counts.Persons {
		return fmt.Errorf("the lineage tells of %d persons kept, %d new and %d split, and there are %d", l.Kept, l.New, l.Split, m.Counts.Persons)
	}
	return nil
}

// Validate checks the ranges.
func (m Meta) Validate() error {
	asOf, ok := DayOf(m.AsOf)
	switch {
	case !ok || m.AsOf.Nanosecond() != 0:
		return fmt.Errorf("as_of %v is not a whole second between 1970 and %v", m.AsOf, MaxDay)
	case m.Oldest > asOf:
		return fmt.Errorf("oldest day %v is after %v", m.Oldest, asOf)
	case m.LinkMaxAge < 1:
		return fmt.Errorf("link_max_age is %d months", m.LinkMaxAge)
	}
	for _, n := range []int{m.IndexShards, m.RecordShards} {
		if n < 1 || n > 1<<index.MaxShardBits || n&(n-1) != 0 {
			return fmt.Errorf("%d shards: not a power of two of at most %d", n, 1<<index.MaxShardBits)
		}
	}
	return nil
}

// Dictionaries are the names that a snapshot refers to by number.
type Dictionaries struct {
	Namespaces *index.Namespaces
	Sources    []Source
	Tenants    []Tenant
	Segments   []Segment
	// Renamed are identifiers of the snapshot by their hashes under former keys of
	// the store, ascending, each once: all on which opt-outs and erasures hang
	// under these.
	Renamed []Renamed
}

// Segment is a tenant's audience code.
type Segment struct {
	Tenant uint16
	Code   string
}

// layout holds the widths of the bit fields of records.
type layout struct {
	newest                                 Day // ages count back from here
	namespaceBits, sourceBits, ageBits     int
	tenants, segments, sources, namespaces int
}

func newLayout(m Meta, d Dictionaries) layout {
	newest, _ := DayOf(m.AsOf)
	return layout{
		newest:        newest,
		namespaceBits: mathbits.Len(uint(d.Namespaces.Len())),
		sourceBits:    mathbits.Len(uint(len(d.Sources))),
		ageBits:       mathbits.Len(uint(newest - m.Oldest)),
		tenants:       len(d.Tenants),
		segments:      len(d.Segments),
		sources:       len(d.Sources),
		namespaces:    d.Namespaces.Len(),
	}
}

// writeManifest writes the manifest and returns the SHA-256 of its bytes.
func writeManifest(fs FS, path string, m Manifest, d Dictionaries) (HexBytes, error) {
	whole := sha256.New()
	w, err := newFileWriter(fs, path, manifestName, header{kind: kindManifest, snapshot: m.ID, shards: 1}, whole)
	if err != nil {
		return nil, err
	}
	for _, s := range []struct {
		tag   string
		value any
	}{
		{sectionMeta, m},
		{sectionNamespaces, namespacesJSON(d.Namespaces)},
		{sectionSources, d.Sources},
		{sectionTenants, d.Tenants},
	} {
		b, err := json.Marshal(s.value)
		if err != nil {
			w.abandon()
			return nil, err
		}
		w.section(s.tag)
		w.write(b)
	}
	w.section(sectionSegments)
	w.write(appendSegments(nil, d.Segments))
	if len(d.Renamed) > 0 {
		w.section(sectionRenamed)
		w.write(appendRenamed(nil, d.Renamed))
	}
	_, err = w.finish()
	return whole.Sum(nil), err
}

type namespaceJSON struct {
	Name    string `json:"name"`
	Compare string `json:"compare"`
	Size    int    `json:"size,omitempty"`
}

func namespacesJSON(t *index.Namespaces) []namespaceJSON {
	out := make([]namespaceJSON, 0, t.Len())
	for _, n := range t.All() {
		out = append(out, namespaceJSON{n.Name, n.Compare.String(), n.Size})
	}
	return out
}

// parseManifest decodes the sections of a manifest.
func parseManifest(f *file) (m Manifest, d Dictionaries, err error) {
	var namespaces []namespaceJSON
	for _, s := range []struct {
		tag  string
		into any
	}{
		{sectionMeta, &m},
		{sectionNamespaces, &namespaces},
		{sectionSources, &d.Sources},
		{sectionTenants, &d.Tenants},
	} {
		b, err := f.section(s.tag)
		if err != nil {
			return m, d, err
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		if err := dec.Decode(s.into); err != nil {
			return m, d, corrupt(f.name, s.tag, -1, "%v", err)
		}
	}
	m.ID = f.header.snapshot
	if err := m.Validate(); err != nil {
		return m, d, corrupt(f.name, sectionMeta, -1, "%v", err)
	}
	if err := checkBidStreams(d.Tenants); err != nil {
		return m, d, corrupt(f.name, sectionTenants, -1, "%v", err)
	}
	if len(namespaces) == 0 || len(d.Sources) == 0 {
		return m, d, corrupt(f.name, sectionSources, -1, "it names no namespaces, or no sources")
	}
	list := make([]index.Namespace, 0, len(namespaces))
	for _, n := range namespaces {
		c, err := index.ParseCompare(n.Compare)
		if err != nil {
			return m, d, corrupt(f.name, sectionNamespaces, -1, "%v", err)
		}
		list = append(list, index.Namespace{Name: n.Name, Compare: c, Size: n.Size})
	}
	if d.Namespaces, err = index.NewNamespaces(list); err != nil {
		return m, d, corrupt(f.name, sectionNamespaces, -1, "%v", err)
	}
	b, err := f.section(sectionSegments)
	if err != nil {
		return m, d, err
	}
	if d.Segments, err = parseSegments(b, len(d.Tenants)); err != nil {
		return m, d, corrupt(f.name, sectionSegments, -1, "%v", err)
	}
	if f.has(sectionRenamed) {
		if b, err = f.section(sectionRenamed); err != nil {
			return m, d, err
		}
		if d.Renamed, err = parseRenamed(b); err != nil {
			return m, d, corrupt(f.name, sectionRenamed, -1, "%v", err)
		}
	}
	return m, d, nil
}

// appendSegments encodes the segment dictionary: for each, in order, the
// tenant's number, the length of the code and the code.
func appendSegments(dst []byte, segments []Segment) []byte {
	for _, s := range segments {
		dst = appendUvarint(dst, uint64(s.Tenant))
		dst = appendUvarint(dst, uint64(len(s.Code)))
		dst = append(dst, s.Code...)
	}
	return dst
}

func parseSegments(b []byte, tenants int) ([]Segment, error) {
	c := cursor{b: b}
	var out []Segment
	for len(c.b) > 0 {
		tenant := c.uvarint(uint64(max(tenants, 1) - 1))
		code := c.bytes(c.uvarint(1 << 16))
		out = append(out, Segment{Tenant: uint16(tenant), Code: string(code)})
	}
	return out, c.err
}
