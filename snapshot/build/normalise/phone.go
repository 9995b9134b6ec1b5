package normalise

import (
	"crypto/sha256"
	"errors"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// PhoneE164 names the rules for phone numbers: E.164 with "+", of a number
// that github.com/nyaruka/phonenumbers finds valid; a leading "00" is read as
// "+" in every region; a number with an extension is refused, because it
// stands for one desk of many behind the number.
const PhoneE164 = "e164/1"

// maxPhone is the longest text that can be a phone number, in bytes.
const maxPhone = 250

var (
	errPhone          = errors.New("not a valid phone number")
	errPhoneExtension = errors.New("a phone number with an extension")
)

// AppendPhone appends the phone number s in the form of PhoneE164 to dst.
// Numbers without a country code are of region (ISO 3166-1 alpha-2), or
// refused where region is empty. On error it returns dst as it was; the error
// does not repeat s.
func AppendPhone(dst []byte, s, region string) ([]byte, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxPhone {
		return dst, errPhone
	}
	if out, ok := appendFrench(dst, s, region); ok {
		return out, nil
	}
	if rest, ok := strings.CutPrefix(s, "00"); ok {
		s = "+" + rest
	}
	if region == "" {
		region = "ZZ" // the library's name for no region
	}
	number, err := phonenumbers.Parse(s, region)
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return dst, errPhone
	}
	if number.GetExtension() != "" {
		return dst, errPhoneExtension
	}
	return append(dst, phonenumbers.Format(number, phonenumbers.E164)...), nil
}

// PhoneHash returns the SHA-256 of the phone number s in the form of
// PhoneE164. The error does not repeat s.
func PhoneHash(s, region string) ([sha256.Size]byte, error) {
	var buf [32]byte
	phone, err := AppendPhone(buf[:0], s, region)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(phone), nil
}

// appendFrench does the work of the library, some hundred times faster, for
// numbers of France as they are mostly written: +33, 0033 or (in region FR) 0,
// and nine digits, with spaces, dots or dashes between them. It decides only
// where it is sure that the number is valid; false says nothing.
func appendFrench(dst []byte, s, region string) ([]byte, bool) {
	var digits [9]byte
	switch {
	case strings.HasPrefix(s, "+33"):
		s = s[3:]
	case strings.HasPrefix(s, "0033"):
		s = s[4:]
	case region == "FR" && len(s) > 1 && s[0] == '0' && s[1] != '0':
		s = s[1:]
	default:
		return dst, false
	}
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			if n == len(digits) {
				return dst, false
			}
			digits[n] = c
			n++
		case c != ' ' && c != '.' && c != '-':
			return dst, false
		}
	}
	if n != len(digits) || !frenchNumber(digits) {
		return dst, false
	}
	return append(append(dst, "+33"...), digits[:]...), true
}

// frenchNumber reports whether the national number is in a range that is
// assigned to a fixed line, a mobile or a voice-over-IP line. The ranges are
// those of the library's metadata; a test compares them.
func frenchNumber(d [9]byte) bool {
	second := d[1]
	switch d[0] {
	case '1', '3', '9':
		return true
	case '2':
		return second != '1' && second != '6'
	case '4':
		return second != '0'
	case '5':
		return second <= '8'
	case '6':
		return second != '3' && second != '9' || second == '3' && d[2] <= '8'
	case '7':
		return second >= '3'
	}
	return false
}
