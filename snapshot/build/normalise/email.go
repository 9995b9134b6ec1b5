package normalise

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/matchd/matchd/snapshot/build/config"
)

// Names of the rules for emails.
const (
	// EmailUID2 is without surrounding white space, in lower case, and at
	// gmail.com alone without dots and "+suffix" in the local part. Source:
	// UID2, "Normalization and Encoding", email address normalization.
	EmailUID2 = config.EmailUID2
	// EmailPlain is without surrounding white space and in lower case.
	EmailPlain = config.EmailPlain
)

// MaxEmail is the longest email address in bytes (RFC 5321, 4.5.3.1.3, less
// the two brackets).
const MaxEmail = 254

var (
	errEmailLong   = errors.New("an email address over 254 bytes")
	errEmailAt     = errors.New("not an email address: needs exactly one @")
	errEmailLocal  = errors.New("not an email address: nothing usable before the @")
	errEmailDomain = errors.New("not an email address: no domain with a dot after the @")
	errEmailChar   = errors.New("not an email address: a character that no address has")
)

// AppendEmail appends the email address s, normalised by EmailUID2, to dst.
// On error it returns dst as it was; the error does not repeat s.
func AppendEmail(dst []byte, s string) ([]byte, error) { return appendEmail(dst, s, true) }

func appendEmail(dst []byte, s string, gmail bool) ([]byte, error) {
	s = strings.TrimSpace(s)
	if len(s) > MaxEmail {
		return dst, errEmailLong
	}
	out, at := dst, -1
	for i, r := range s {
		if r < utf8.RuneSelf {
			if c := emailBytes[s[i]]; c != 0 {
				out = append(out, c)
				continue
			}
		}
		switch {
		case r == '@':
			if at >= 0 {
				return dst, errEmailAt
			}
			at = len(out)
		case !emailRune(r):
			return dst, errEmailChar
		}
		out = utf8.AppendRune(out, unicode.ToLower(r))
	}
	// Lower case may be longer, as that of U+023A is.
	if len(out)-len(dst) > MaxEmail {
		return dst, errEmailLong
	}
	if at < 0 {
		return dst, errEmailAt
	}
	if !emailDomain(out[at+1:]) {
		return dst, errEmailDomain
	}
	if gmail && string(out[at+1:]) == "gmail.com" {
		local := gmailLocal(out[len(dst):at])
		out = append(out[:len(dst)+local], "@gmail.com"...)
		at = len(dst) + local
	}
	if at == len(dst) {
		return dst, errEmailLocal
	}
	return out, nil
}

// EmailHash returns the SHA-256 of the email address s, normalised by
// EmailUID2. The error does not repeat s.
func EmailHash(s string) ([sha256.Size]byte, error) {
	var buf [2 * MaxEmail]byte
	email, err := AppendEmail(buf[:0], s)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(email), nil
}

// emailBytes are the lower case of the ASCII characters that addresses are made
// of, but for the @; of others it is 0.
var emailBytes = func() (t [utf8.RuneSelf]byte) {
	for c := range byte(utf8.RuneSelf) {
		if c != '@' && emailRune(rune(c)) {
			t[c] = byte(unicode.ToLower(rune(c)))
		}
	}
	return t
}()

// emailRune refuses what no address has: white space, control and invisible
// characters, the replacement of bad UTF-8, and the punctuation of lists and
// of display names.
func emailRune(r rune) bool {
	switch r {
	case ' ', '<', '>', '(', ')', '[', ']', ',', ';', ':', '"', '\\', utf8.RuneError:
		return false
	}
	if r < utf8.RuneSelf {
		return r > ' ' && r < 0x7f
	}
	return unicode.IsPrint(r)
}

// emailDomain reports whether d is at least two labels with a dot between.
func emailDomain(d []byte) bool {
	return bytes.IndexByte(d, '.') > 0 && d[len(d)-1] != '.' && !bytes.Contains(d, []byte(".."))
}

// gmailLocal drops the dots and the suffix of b, in place, and returns the
// length of the rest.
func gmailLocal(b []byte) int {
	n := 0
	for _, c := range b {
		if c == '+' {
			break
		}
		if c != '.' {
			b[n] = c
			n++
		}
	}
	return n
}
