package normalise

import (
	"bytes"
	"strings"
)

// A phonePlan is the valid numbers of a country code, as a deterministic
// automaton over the digits after it. Emergency and short numbers are not in
// it, as they are not for the library's IsValidNumber.
type phonePlan struct {
	// code is the country code, without its plus.
	code string
	// prefix may stand before a national number and is no part of it; no number
	// begins with it.
	prefix string
	// regions are those of ISO 3166-1 with the code and the prefix, with spaces
	// between.
	regions string
	// states are the rows of the automaton; see phonePlans.
	states [][11]uint8
}

// appendQuick does the work of the library, some hundred times faster, for
// numbers of the countries in phonePlans as they are mostly written: with +,
// 00, or (in a region of the country) the national prefix or nothing before
// them, and spaces, dots, dashes, slashes and brackets between the digits. It
// decides only where it is sure that the number is valid; false says nothing.
func appendQuick(dst []byte, s, region string) ([]byte, bool) {
	var buf [20]byte
	digits, plus := buf[:0], false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			if len(digits) == len(buf) {
				return dst, false
			}
			digits = append(digits, c)
		case c == '+' && i == 0:
			plus = true
		case c != ' ' && c != '.' && c != '-' && c != '/' && c != '(' && c != ')':
			return dst, false
		}
	}
	if !plus && strings.HasPrefix(s, "00") {
		digits, plus = digits[2:], true
	}
	for i := range phonePlans {
		p := &phonePlans[i]
		number, rest := digits, false
		if plus {
			if number, rest = bytes.CutPrefix(digits, []byte(p.code)); !rest {
				continue
			}
		} else {
			if len(region) != 2 || !strings.Contains(p.regions, region) {
				continue
			}
			number = bytes.TrimPrefix(digits, []byte(p.prefix))
		}
		if !p.valid(number) {
			return dst, false
		}
		return append(append(append(dst, '+'), p.code...), number...), true
	}
	return dst, false
}

func (p *phonePlan) valid(number []byte) bool {
	state := uint8(1)
	for _, c := range number {
		if state = p.states[state][c-'0']; state == 0 {
			return false
		}
	}
	return p.states[state][10] == 1
}
