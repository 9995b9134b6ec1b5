package index

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrInvalid is wrapped by every error about an identifier's text.
var ErrInvalid = errors.New("not an identifier")

// Reasons for refusing a text. They are values, not made per call, because
// junk is common in a bid stream and must cost no allocation.
var (
	errNoColon   = fmt.Errorf("%w: no colon between namespace and value", ErrInvalid)
	errNamespace = fmt.Errorf("%w: unknown namespace, not among those declared", ErrInvalid)
	errJunk      = fmt.Errorf("%w: the value is junk (empty, null, a macro, all one digit)", ErrInvalid)
	errLong      = fmt.Errorf("%w: the value is over %d bytes", ErrInvalid, MaxValue)
	errUUID      = fmt.Errorf("%w: the value is not a UUID", ErrInvalid)
	errHex       = fmt.Errorf("%w: the value is not an even number of hexadecimal digits", ErrInvalid)
	errHexSize   = fmt.Errorf("%w: the value has the wrong number of hexadecimal digits", ErrInvalid)
	errControl   = fmt.Errorf("%w: the value holds control characters or is not UTF-8", ErrInvalid)
)

// An identifier's key is its canonical form in bytes: the namespace's name, a
// colon, and the value as it compares: 16 bytes for a UUID, the bytes that
// the digits stand for where it is Hex, the bytes themselves where Exact. Two
// texts are the same identifier if and only if their keys are equal. A key
// does not depend on the order of the namespace table.

// AppendKey parses text ("namespace:value"), appends its key to dst and
// returns the extended slice and the namespace. It keeps no reference to text.
// On error it returns dst as it was and an error that wraps [ErrInvalid].
func (t *Namespaces) AppendKey(dst, text []byte) ([]byte, NamespaceID, error) {
	i := bytes.IndexByte(text, ':')
	if i < 0 {
		return dst, 0, errNoColon
	}
	id, ok := t.find(text[:i])
	if !ok {
		return dst, 0, errNamespace
	}
	key, err := t.AppendValueKey(dst, id, text[i+1:])
	return key, id, err
}

// AppendValueKey is AppendKey for a value whose namespace is known.
func (t *Namespaces) AppendValueKey(dst []byte, id NamespaceID, value []byte) ([]byte, error) {
	n := &t.list[id]
	if len(value) > MaxValue {
		return dst, errLong
	}
	if junk(value) {
		return dst, errJunk
	}
	out := append(dst, t.prefixes[id]...)
	start := len(out)
	switch n.Compare {
	case UUID:
		var u [16]byte
		if !parseUUID(&u, value) {
			return dst, errUUID
		}
		out = append(out, u[:]...)
	case Hex:
		if n.Size != 0 && len(value) != 2*n.Size {
			return dst, errHexSize
		}
		var ok bool
		if out, ok = appendHex(out, value); !ok {
			return dst, errHex
		}
	default:
		if !printable(value) {
			return dst, errControl
		}
		return append(out, value...), nil
	}
	if oneDigit(out[start:]) {
		return dst, errJunk
	}
	return out, nil
}

// Value returns the canonical bytes of the value in a key of namespace id.
func (t *Namespaces) Value(id NamespaceID, key []byte) []byte {
	return key[len(t.list[id].Name)+1:]
}

// AppendKeyOf appends the key of the identifier with the canonical value bytes: it
// is what [Namespaces.AppendKey] makes of its text.
func (t *Namespaces) AppendKeyOf(dst []byte, id NamespaceID, value []byte) []byte {
	return append(append(dst, t.prefixes[id]...), value...)
}

// AppendText appends the text of the identifier with the canonical value
// bytes (see [Namespaces.Value]): lower-case, UUIDs with dashes.
func (t *Namespaces) AppendText(dst []byte, id NamespaceID, value []byte) []byte {
	n := &t.list[id]
	dst = append(append(dst, n.Name...), ':')
	switch {
	case n.Compare == UUID && len(value) == 16:
		for i, end := range [...]int{4, 6, 8, 10, 16} {
			if i > 0 {
				dst = append(dst, '-')
			}
			dst = hex.AppendEncode(dst, value[uuidGroups[i]:end])
		}
		return dst
	case n.Compare == Exact:
		return append(dst, value...)
	}
	return hex.AppendEncode(dst, value)
}

// uuidGroups are the first bytes of the five groups of a UUID.
var uuidGroups = [...]int{0, 4, 6, 8, 10}

// oneDigit reports whether all hexadecimal digits of b are the same one.
func oneDigit(b []byte) bool {
	if len(b) == 0 || b[0]>>4 != b[0]&15 {
		return false
	}
	for _, c := range b[1:] {
		if c != b[0] {
			return false
		}
	}
	return true
}

// junk reports whether a value stands for the absence of one: empty or blank,
// a placeholder of some serialiser, or a macro that nobody expanded.
func junk(v []byte) bool {
	if len(v) == 0 {
		return true
	}
	switch last := v[len(v)-1]; v[0] {
	case ' ':
		return len(bytes.TrimSpace(v)) == 0
	case '[':
		return last == ']'
	case '%':
		return len(v) > 3 && bytes.HasPrefix(v, []byte("%%")) && bytes.HasSuffix(v, []byte("%%"))
	case '$':
		return last == '}' && bytes.HasPrefix(v, []byte("${"))
	case '{':
		return bytes.HasPrefix(v, []byte("{{")) && bytes.HasSuffix(v, []byte("}}"))
	}
	switch len(v) {
	case 1:
		return v[0] == '0'
	case 2:
		return string(v) == "-1"
	case 4:
		return foldEqual(v, "null") || foldEqual(v, "none")
	case 9:
		return foldEqual(v, "undefined")
	}
	return false
}

// foldEqual compares without ASCII case; lower is lower-case.
func foldEqual(v []byte, lower string) bool {
	for i, c := range v {
		if c|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// printable reports whether v is UTF-8 without control characters, so that it
// can be shown in JSON, in a log and on a terminal as it is.
func printable(v []byte) bool {
	for i, c := range v {
		// U+0080 to U+009F, the second range of control characters, are 0xc2
		// and one byte below 0xa0.
		if c < 0x20 || c == 0x7f || c == 0xc2 && i+1 < len(v) && v[i+1] < 0xa0 {
			return false
		}
	}
	return utf8.Valid(v)
}
