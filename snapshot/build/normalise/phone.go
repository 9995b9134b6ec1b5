package normalise

import (
	"crypto/sha256"
	"errors"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/matchd/matchd/snapshot/build/config"
)

// PhoneE164 names the rules for phone numbers: E.164 with "+", of a number
// that github.com/nyaruka/phonenumbers finds valid; a leading "00" is read as
// "+" in every region; a number with an extension is refused, because it
// stands for one desk of many behind the number.
const PhoneE164 = config.PhoneE164

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
	if out, ok := appendQuick(dst, s, region); ok {
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
