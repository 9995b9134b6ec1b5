package index

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Compare says how the values of a namespace compare.
type Compare uint8

const (
	// Exact values compare byte by byte.
	Exact Compare = iota
	// Hex values are hexadecimal digits and compare without case.
	Hex
	// UUID values are 128-bit UUIDs and compare without case or dashes.
	UUID
)

var compareNames = [...]string{Exact: "exact", Hex: "hex", UUID: "uuid"}

func (c Compare) String() string {
	if int(c) < len(compareNames) {
		return compareNames[c]
	}
	return fmt.Sprintf("compare(%d)", uint8(c))
}

// ParseCompare reads "exact", "hex" or "uuid".
func ParseCompare(s string) (Compare, error) {
	if i := slices.Index(compareNames[:], s); i >= 0 {
		return Compare(i), nil
	}
	return 0, fmt.Errorf("comparison %q is none of exact, hex, uuid", s)
}

// Limits of an identifier.
const (
	// MaxValue is the longest value of an identifier, in bytes.
	MaxValue = 512
	// MaxName is the longest name of a namespace, in bytes.
	MaxName = 64
	// MaxNamespaces is how many namespaces one snapshot can have.
	MaxNamespaces = 1 << 12
	// MaxKey is the longest canonical key, in bytes: name, colon, value.
	MaxKey = MaxName + 1 + MaxValue
)

// A Namespace names a kind of identifier and says how its values compare.
type Namespace struct {
	// Name is 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a letter.
	Name string
	// Compare is how values compare.
	Compare Compare
	// Size is the length of a Hex value in bytes (half its digits); 0 is any.
	Size int
}

// Profiles are identifiers of the namespace CRMPrefix plus their tenant.
const CRMPrefix = "crm."

// Names of the namespaces that every table has.
const (
	MAID        = "maid"
	EmailSHA256 = "email_sha256"
	PhoneSHA256 = "phone_sha256"
	PostalHash  = "postal_sha256"
)

// Builtin returns the namespaces that need no declaration.
func Builtin() []Namespace {
	return []Namespace{
		{Name: MAID, Compare: UUID},
		{Name: EmailSHA256, Compare: Hex, Size: 32},
		{Name: PhoneSHA256, Compare: Hex, Size: 32},
		{Name: PostalHash, Compare: Hex, Size: 32},
	}
}

// Tracer reports whether identifiers of the namespace are cookies or device
// ids, whose links age out, rather than CRM ids or hashed contact data.
func (n Namespace) Tracer() bool {
	switch n.Name {
	case EmailSHA256, PhoneSHA256, PostalHash:
		return false
	}
	return !strings.HasPrefix(n.Name, CRMPrefix)
}

// Validate checks the name and the size.
func (n Namespace) Validate() error {
	if n.Name == "" || len(n.Name) > MaxName {
		return fmt.Errorf("namespace %q: name must have 1 to %d bytes", n.Name, MaxName)
	}
	for i, c := range []byte(n.Name) {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')) {
			return fmt.Errorf("namespace %q: byte %q at %d: names are a-z, 0-9, '.', '_', '-', and start with a letter", n.Name, c, i)
		}
	}
	if int(n.Compare) >= len(compareNames) {
		return fmt.Errorf("namespace %q: unknown comparison %d", n.Name, n.Compare)
	}
	if n.Size < 0 || n.Size > MaxValue/2 || n.Size != 0 && n.Compare != Hex {
		return fmt.Errorf("namespace %q: size %d is not allowed", n.Name, n.Size)
	}
	return nil
}

// NamespaceID is the number of a namespace in its table.
type NamespaceID uint16

// Namespaces is an immutable table of namespaces, numbered from 0.
type Namespaces struct {
	list     []Namespace
	prefixes []string // name and colon
	slots    []uint16 // by slot of the name: its number and 1, or 0; see find
}

// NewNamespaces makes a table of list, in its order. Names must be valid and
// different.
func NewNamespaces(list []Namespace) (*Namespaces, error) {
	if len(list) > MaxNamespaces {
		return nil, fmt.Errorf("%d namespaces: at most %d", len(list), MaxNamespaces)
	}
	// Four slots a name: most names find theirs at the first look.
	t := &Namespaces{list: slices.Clone(list), slots: make([]uint16, 4<<bits.Len(uint(len(list))))}
	for i, n := range list {
		if err := n.Validate(); err != nil {
			return nil, err
		}
		if _, ok := t.ByName(n.Name); ok {
			return nil, fmt.Errorf("namespace %q is declared twice", n.Name)
		}
		t.prefixes = append(t.prefixes, n.Name+":")
		at := t.slot([]byte(n.Name))
		for t.slots[at] != 0 {
			at = (at + 1) % uint32(len(t.slots))
		}
		t.slots[at] = uint16(i + 1)
	}
	return t, nil
}

// slot is where the search for a name begins. It looks at few of its bytes:
// who declares many names that meet in one slot slows down their own lookups.
func (t *Namespaces) slot(name []byte) uint32 {
	n := len(name)
	if n == 0 {
		return 0
	}
	x := uint32(n) | uint32(name[0])<<8 | uint32(name[n/2])<<16 | uint32(name[n-1])<<24
	return x * 0x9e3779b1 >> 16 % uint32(len(t.slots))
}

// find finds a namespace by its name, in a third of the time of a map.
func (t *Namespaces) find(name []byte) (NamespaceID, bool) {
	for at := t.slot(name); ; at = (at + 1) % uint32(len(t.slots)) {
		i := t.slots[at]
		if i == 0 {
			return 0, false
		}
		if t.list[i-1].Name == string(name) {
			return NamespaceID(i - 1), true
		}
	}
}

// Len is the number of namespaces.
func (t *Namespaces) Len() int { return len(t.list) }

// At returns namespace id, which must be below Len.
func (t *Namespaces) At(id NamespaceID) Namespace { return t.list[id] }

// All returns a copy of the table, in order.
func (t *Namespaces) All() []Namespace { return slices.Clone(t.list) }

// ByName finds a namespace by its name.
func (t *Namespaces) ByName(name string) (NamespaceID, bool) {
	return t.find([]byte(name))
}
