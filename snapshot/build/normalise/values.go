package normalise

import (
	"crypto/sha256"
	"errors"
	"regexp"
	"strings"

	"github.com/matchd/matchd/index"
)

// emptySHA256 is the hash of nothing, which exports give for every record
// without an email or phone number: it would make them one person.
const emptySHA256 = "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24" +
	"\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55"

var (
	errEmptyHash = errors.New("the hash of an empty value")
	errRawEmail  = errors.New("an email address in clear: give its hash, or another id")
	errRawPhone  = errors.New("a phone number in clear: give its hash, or another id")
)

// Values refuses values that no identifier may have, whoever brings it: a file
// or a live change. It is safe for use by any number of goroutines.
type Values struct {
	ns           *index.Namespaces
	kinds        []valueKind // by namespace
	placeholders *placeholderHashes
}

// A valueKind is what the values of a namespace are checked for.
type valueKind uint8

const (
	opaque  valueKind = iota // nothing
	hashed                   // the hash of a placeholder
	inTexts                  // contact data in clear
)

// NewValues makes the check of values of the namespaces of a table.
func NewValues(ns *index.Namespaces) *Values {
	v := &Values{ns: ns, kinds: make([]valueKind, ns.Len()), placeholders: commonPlaceholders()}
	for id := range v.kinds {
		switch n := ns.At(index.NamespaceID(id)); {
		case n.Size == sha256.Size && !n.Tracer():
			v.kinds[id] = hashed
		case n.Compare == index.Exact:
			v.kinds[id] = inTexts
		}
	}
	return v
}

// CheckKey refuses the hash of nothing or of a placeholder in a namespace of
// hashes, and contact data in clear in an exact one: it would stand in the
// snapshot, and in answers, as it is. The error does not repeat the value.
func (v *Values) CheckKey(id index.NamespaceID, key []byte) error {
	switch v.kinds[id] {
	case hashed:
		value := key[len(key)-sha256.Size:]
		if string(value) == emptySHA256 {
			return errEmptyHash
		}
		if v.placeholders.has(value) {
			return errPlaceholderHash
		}
	case inTexts:
		return inClear(v.ns.Value(id, key))
	}
	return nil
}

// CheckText refuses contact data in clear in a text that is kept as it is, such
// as the code of a segment. The error does not repeat the text.
func (v *Values) CheckText(text string) error { return inClear(text) }

// emailInside finds an email address within a text.
var emailInside = regexp.MustCompile(`[^\s@<>()"]+(@|%40)[^\s@<>()"]+\.\pL{2,}`)

// inClear refuses a text that holds an email address, or is a phone number with
// a plus before it. Bare digits may be any number and pass.
func inClear[T string | []byte](text T) error {
	suspect := false
	for i := range len(text) {
		suspect = suspect || text[i] == '@' || text[i] == '%' || text[i] == '+'
	}
	if !suspect {
		return nil
	}
	s := string(text)
	if emailInside.MatchString(s) {
		return errRawEmail
	}
	phone := strings.TrimLeft(strings.TrimPrefix(s, "tel:"), "( ")
	if strings.HasPrefix(phone, "+") {
		if _, err := PhoneHash(phone, ""); err == nil {
			return errRawPhone
		}
	}
	return nil
}
