package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/matchd/matchd/index"
)

// MaxLine is the longest line of a log in bytes, with its line feed.
const MaxLine = 64 << 10

// Actions that matchd writes.
const (
	ClientAdd       = "client.add"
	ClientRevoke    = "client.revoke"
	ClientChange    = "client.change"
	ConfigReload    = "config.reload"
	IdentifiersList = "identifiers.list"
	AdminReload     = "admin.reload"
	AdminSwap       = "admin.swap"
	AdminRollback   = "admin.rollback"
	AdminPin        = "admin.pin"
	AdminUnpin      = "admin.unpin"
	AdminEvents     = "admin.events"    // the log of live changes is read
	SnapshotsErase  = "snapshots.erase" // removed since erased customers were in them
	PrivacyShow     = "privacy.show"
	PrivacyErase    = "privacy.erase"
	PrivacyCertify  = "privacy.certificate"
	DaemonStart     = "daemon.start"
	LogContinued    = "log.continued" // after another one, whose last entry it names
)

// Entry is what somebody did.
type Entry struct {
	// Actor is who did it: a client's name, or what ran, such as "cli".
	Actor string `json:"actor"`
	// Action is what was done, such as [ClientAdd].
	Action string `json:"action"`
	// Subject is to what or whom; it may be empty. A customer is a [Pseudonym].
	Subject string `json:"subject"`
	// Detail is more about it, or nil.
	Detail map[string]string `json:"detail"`
}

// Hash is a SHA-256.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("a hash is %d hexadecimal digits", hex.EncodedLen(len(h)))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// ParseHash reads 64 hexadecimal digits.
func ParseHash(s string) (h Hash, err error) {
	err = h.UnmarshalText([]byte(s))
	return h, err
}

// Genesis is what the first line of a log is chained to.
func Genesis() Hash { return sha256.Sum256([]byte("matchd audit log 1")) }

// Record is an entry as it stands in a log.
type Record struct {
	Seq int64     `json:"seq"`
	At  time.Time `json:"at"`
	Entry
	// Torn is how many bytes of an unfinished line this entry cut off.
	Torn int64 `json:"torn,omitempty"`
	Prev Hash  `json:"prev"`
	Hash Hash  `json:"hash"`
}

// Pseudonym is what stands in a log for a customer or an identifier: 32
// hexadecimal digits that only who has the key can make. The hasher is that of
// [Hasher], so that one customer has one pseudonym in all logs of a store, and
// none that is used elsewhere.
func Pseudonym(h index.Hasher, text string) string {
	sum := h.Sum([]byte(text))
	return fmt.Sprintf("%016x%016x", sum.Hi, sum.Lo)
}

// Hasher is the hasher of a store's pseudonyms.
func Hasher(s index.Secret) index.Hasher { return s.Hasher("audit") }

var actionForm = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)*$`)

// validate checks what the caller says. Its errors quote nothing of it.
func (e *Entry) validate() error {
	switch {
	case e.Actor == "":
		return errors.New("the entry has no actor")
	case !actionForm.MatchString(e.Action):
		return errors.New("the action is not of words joined by dots")
	}
	names, err := index.NewNamespaces(index.Builtin())
	if err != nil {
		return err
	}
	texts := []string{e.Actor, e.Subject}
	for k, v := range e.Detail {
		texts = append(texts, k, v)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return errors.New("the entry is not UTF-8")
		}
		if _, _, err := names.AppendKey(nil, []byte(text)); err == nil {
			return errors.New("the entry holds a raw identifier")
		}
	}
	return nil
}

// hashed is the length of a line's last member, which its hash does not cover.
const hashed = len(`,"hash":""}`) + 2*sha256.Size

// encode sets the record's hash and returns its line, without the line feed.
func (r *Record) encode() ([]byte, error) {
	if r.Detail == nil {
		r.Detail = map[string]string{}
	}
	r.At, r.Hash = r.At.UTC(), Hash{}
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	line.Truncate(line.Len() - 1 - hashed)
	r.Hash = sha256.Sum256(line.Bytes())
	fmt.Fprintf(&line, `,"hash":"%s"}`, r.Hash)
	if line.Len()+1 > MaxLine {
		return nil, fmt.Errorf("the entry is longer than %d bytes", MaxLine)
	}
	return line.Bytes(), nil
}

// decode reads a line, without its line feed. It must be, byte for byte, the
// line of the record that it holds.
func decode(line []byte) (r Record, err error) {
	if err := json.Unmarshal(line, &r); err != nil {
		return r, errors.New("it is not an entry")
	}
	again, err := r.encode()
	if err != nil {
		return r, err
	}
	if !bytes.Equal(line, again) {
		return r, errors.New("its hash is not of what it holds, or it is not written as entries are")
	}
	return r, nil
}
