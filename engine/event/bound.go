package event

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// A Bound is a change as it is kept and applied: under the namespaces and the
// key of a store.
type Bound struct {
	Type Type
	// At is the time of the change in Unix nanoseconds, never zero.
	At int64
	// Client is the name of whoever sent it.
	Client string

	Method snapshot.Method
	// Left and Right are the canonical texts of a link's identifiers, Left
	// before Right; Subject is that of the customer of a segment or a consent.
	Left, Right, Subject string
	Segment              string
	// Until is in Unix seconds, 0 for ever.
	Until    int64
	Granted  bool
	Purposes snapshot.Purposes

	// Tenant and Hash are for what an opt-out, an opt-in and an erasure are,
	// under the key named Key; OfCustomer says that it is a customer's hash.
	Tenant, Key string
	Hash        index.Hash
	OfCustomer  bool
	// Normalised says, of an opt-out and an erasure, by which rules the identifiers
	// in it were made, see [Names.rules] and [FormatNormalised]; empty where that
	// was not known.
	Normalised string
	// Contacts are the hashes of an erased customer's contact identifiers, as
	// far as they were known, ascending.
	Contacts []index.Hash
	// Former are the hashes under former keys of the store, ascending, of what an
	// opt-out, an opt-in or an erasure is about: what was said of it before may be
	// known by these alone.
	Former []index.Hash
}

// Names is what identifiers are bound to.
type Names struct {
	Namespaces *index.Namespaces
	Hasher     index.Hasher
	// Key names the secret of Hasher, as [index.Secret.ID] does.
	Key string
	// Former are the keys that the store had before, under which opt-outs and
	// erasures may be kept.
	Former []FormerKey
	// Tenants are the names of the store's tenants.
	Tenants []string
	// Normalised are the profiles of rules by which the store makes contact
	// identifiers, by namespace.
	Normalised map[string]string
	// CheckKey refuses identifiers, by their keys, and CheckText segments, that
	// may not be kept: contact data in clear, and placeholders that would join
	// strangers. They are those of the builder, so that a change is refused where
	// a file's row would be; nil checks nothing. Their errors name no value.
	CheckKey  func(ns index.NamespaceID, key []byte) error
	CheckText func(text string) error
}

// FormerKey is a key that a store had before it was moved to another.
type FormerKey struct {
	ID     string // see [index.Secret.ID]
	Hasher index.Hasher
}

// FormerKeys are the former keys of a store.
func FormerKeys(keys snapshot.Keys) (list []FormerKey) {
	for _, secret := range keys.Former {
		list = append(list, FormerKey{secret.ID(), snapshot.IdentifierHasher(secret)})
	}
	return list
}

// Knows reports whether hashes under a key, by its id, are of the store.
func (n *Names) Knows(key string) bool {
	return key == n.Key || slices.ContainsFunc(n.Former, func(f FormerKey) bool { return f.ID == key })
}

var errSpace = errors.New("it has white space around the value, which no field of a file has")

// appendKey is [index.Namespaces.AppendKey], for an identifier that is said anew.
// Fields of files are trimmed: with white space around it, what is said would be
// of an identifier that none of them has. A link file may have it behind the
// colon, but not of a customer, whose profile has none.
func (n *Names) appendKey(dst []byte, text string) ([]byte, index.NamespaceID, error) {
	_, value, _ := strings.Cut(text, ":")
	if strings.TrimSpace(text) != text || strings.HasPrefix(text, index.CRMPrefix) && strings.TrimSpace(value) != value {
		return dst, 0, errSpace
	}
	return n.Namespaces.AppendKey(dst, []byte(text))
}

// kept is canonical, for an identifier whose text is kept.
func (n *Names) kept(text string) (string, error) {
	key, ns, err := n.appendKey(nil, text)
	if err == nil && n.CheckKey != nil {
		err = n.CheckKey(ns, key)
	}
	if err != nil {
		return "", err
	}
	return string(n.Namespaces.AppendText(nil, ns, n.Namespaces.Value(ns, key))), nil
}

// Hash returns the hash of an identifier, in the snapshot's way.
func (n *Names) Hash(text string) (index.Hash, error) {
	key, _, err := n.Namespaces.AppendKey(nil, []byte(text))
	if err != nil {
		return index.Hash{}, err
	}
	return n.Hasher.Sum(key), nil
}

// Hashes returns the hash of an identifier, in the snapshot's way, and those under
// former keys after it.
func (n *Names) Hashes(text string) ([]index.Hash, error) {
	key, _, err := n.Namespaces.AppendKey(nil, []byte(text))
	if err != nil {
		return nil, err
	}
	list := []index.Hash{n.Hasher.Sum(key)}
	for _, f := range n.Former {
		list = append(list, f.Hasher.Sum(key))
	}
	return list, nil
}

// Bind binds a change that arrived at a time from a client. Its error says what
// field is wrong; it names no value.
func (e *Event) Bind(n *Names, client string, arrived time.Time) (Bound, error) {
	b := Bound{Type: e.Type, Client: client, Method: e.Method, Segment: e.Segment, Granted: e.Granted, Purposes: e.Purposes}
	when := e.At
	if when.IsZero() {
		when = arrived
	}
	if when.After(arrived.Add(MaxAhead)) {
		return Bound{}, fmt.Errorf("at: it is more than %v in the future", MaxAhead)
	}
	b.At = when.UnixNano()
	if !e.Until.IsZero() {
		if e.Until.Before(when) {
			return Bound{}, errors.New("until: it is over when the change comes")
		}
		b.Until = e.Until.Unix()
	}
	var err error
	switch e.Type {
	case Link, Unlink:
		err = b.bindLink(n, e)
	case SegmentAdd, SegmentRemove, Consent:
		err = b.bindCustomer(n, e)
	default:
		err = b.bindHash(n, e)
	}
	if err != nil {
		return Bound{}, err
	}
	return b, nil
}

var errSelf = errors.New("left and right are the same identifier")

func (b *Bound) bindLink(n *Names, e *Event) error {
	left, err := n.kept(e.Left)
	if err != nil {
		return fmt.Errorf("left: %w", err)
	}
	right, err := n.kept(e.Right)
	if err != nil {
		return fmt.Errorf("right: %w", err)
	}
	if left == right {
		return errSelf
	}
	b.Left, b.Right = min(left, right), max(left, right)
	return nil
}

func (b *Bound) bindCustomer(n *Names, e *Event) (err error) {
	if b.Subject, err = n.kept(index.CRMPrefix + e.Customer); err != nil {
		return fmt.Errorf("customer: %w", err)
	}
	if e.Segment != "" && n.CheckText != nil {
		if err := n.CheckText(e.Segment); err != nil {
			return fmt.Errorf("segment: %w", err)
		}
	}
	return nil
}

func (b *Bound) bindHash(n *Names, e *Event) error {
	b.Tenant, b.Key, b.OfCustomer = e.Tenant, n.Key, e.Customer != ""
	if e.Tenant != All && !slices.Contains(n.Tenants, e.Tenant) {
		return errors.New("tenant: there is no such tenant")
	}
	text, what := e.Identifier, "identifier"
	if b.OfCustomer {
		text, what = index.CRMPrefix+e.Customer, "customer"
	}
	key, ns, err := n.appendKey(nil, text)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	b.Hash = n.Hasher.Sum(key)
	for _, f := range n.Former {
		b.Former = append(b.Former, f.Hasher.Sum(key))
	}
	slices.SortFunc(b.Former, index.Hash.Compare)
	if b.Type != OptIn {
		b.Normalised = FormatNormalised(n.rules(b, n.Namespaces.At(ns)))
	}
	return nil
}

// rules are those by which the keys of identifiers were made that a change is about,
// by namespace: the profile of contact identifiers, and of others how they compare.
// Under another rule the same text has another hash.
func (n *Names) rules(b *Bound, of index.Namespace) map[string]string {
	by := map[string]string{of.Name: of.Compare.String()}
	if b.Type == Erase {
		maps.Copy(by, n.Normalised) // of its contacts
	} else if profile := n.Normalised[of.Name]; profile != "" {
		by[of.Name] = profile
	}
	return by
}

// FormatNormalised is the text of rules by namespace: each as namespace=rule,
// sorted, with spaces between.
func FormatNormalised(by map[string]string) string {
	var parts []string
	for _, ns := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, ns+"="+by[ns])
	}
	return strings.Join(parts, " ")
}

// ParseNormalised reads what [FormatNormalised] wrote.
func ParseNormalised(text string) map[string]string {
	by := map[string]string{}
	for part := range strings.FieldsSeq(text) {
		ns, rule, _ := strings.Cut(part, "=")
		by[ns] = rule
	}
	return by
}

// Concerns lists the tenants whose data a change is about, or [All]: of a link
// none, unless it names customers.
func (e *Event) Concerns() (tenants []string) {
	for _, text := range [...]string{e.Left, e.Right} {
		if customer, ok := strings.CutPrefix(text, index.CRMPrefix); ok {
			of, _, _ := strings.Cut(customer, ":")
			tenants = append(tenants, of)
		}
	}
	if e.Tenant != "" {
		return append(tenants, e.Tenant)
	}
	if of, _, ok := strings.Cut(e.Customer, ":"); ok {
		tenants = append(tenants, of)
	}
	return tenants
}

// Denies reports whether a change takes away.
func (b *Bound) Denies() bool {
	switch b.Type {
	case Unlink, SegmentRemove, OptOut, Erase:
		return true
	case Consent:
		return !b.Granted
	}
	return false
}
