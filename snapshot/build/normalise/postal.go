package normalise

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/source"
)

// Postal names the rules for postal keys: the SHA-256 of four lines, each
// ended by a line feed but the last.
//
//  1. The country: its code of ISO 3166-1 in lower case, from the row or else
//     the config's default region. Common names of countries are read; another
//     text stands as it is, folded.
//  2. The postcode without spaces and punctuation. In countries whose postcodes
//     are digits alone a country before it ("F-75011") is dropped; where they
//     have five, a zero that a spreadsheet ate is put back; of a ZIP+4 the first
//     five digits count. A postcode of another length is a bad field.
//  3. The words of first and last name, each once, sorted: which of the two
//     columns holds a word does not count. Titles and initials are left out,
//     apostrophes join ("O'Brien", "O Brien" and "Obrien" are one).
//  4. The words and numbers of the address, sorted: street types and titles in
//     one form of their abbreviations, without articles and prepositions, a
//     letter or bis, ter, quater with its number (in France 12 b is 12 bis), and
//     without what lies inside a building: flat, floor, staircase, door. A
//     postcode and city at the end are dropped.
//
// All is folded first: lower case, no accents, ß as ss, æ as ae, punctuation as
// space; in Germany, Austria, Switzerland and Liechtenstein ae, oe and ue as ä, ö
// and ü. So spelling and word order do not decide, while the number, the
// postcode, the street and each name do: two people of one household have two
// keys. There is no key without a first and a last name of two letters or more,
// a postcode, and a number or the name of a street.
//
// "Mme Zoé D'Almeida", "12 bis, rue St-Martin, apt 4", "75011", in FR, is
// "fr\n75011\ndalmeida zoe\n12bis martin rue st".
const Postal = config.Postal

// maxPostal is the longest name, address, city or country, in bytes.
const maxPostal = 512

var (
	errPostalLong = fmt.Errorf("over %d bytes", maxPostal)
	errPostcode   = errors.New("not a postcode of its country")
)

// PostalHash returns the key of a row by Postal; false where the row has not
// all that it takes. Region is the country of rows without one.
func PostalHash(row *source.ProfileRow, region string) ([sha256.Size]byte, bool) {
	var p postal
	text, _, err := p.appendText(nil, row, region)
	if err != nil || len(text) == 0 {
		return [sha256.Size]byte{}, false
	}
	return sha256.Sum256(text), true
}

// postal makes postal keys; it belongs to one goroutine.
type postal struct {
	text   []byte   // what tokens are parts of
	tokens []token  // of the address
	words  [][]byte // of a line, to be sorted
}

// appendText appends the text of the row's key, or nothing where the row has
// not all that it takes. An error is about the column that is named.
func (p *postal) appendText(dst []byte, row *source.ProfileRow, region string) (out []byte, column string, err error) {
	if row.FirstName == "" || row.LastName == "" || row.Address == "" || row.Postcode == "" {
		return dst, "", nil
	}
	for _, c := range [...]struct{ name, value string }{
		{"first_name", row.FirstName},
		{"last_name", row.LastName},
		{"address", row.Address},
		{"postcode", row.Postcode},
		{"city", row.City},
		{"country", row.Country},
	} {
		if len(c.value) > maxPostal {
			return dst, c.name, errPostalLong
		}
	}
	p.text, p.words = p.text[:0], p.words[:0]
	out = p.appendCountry(dst, row.Country, region)
	land := landOf(out[len(dst):])
	out = append(out, '\n')

	postcode := len(out)
	if out = p.appendPostcode(out, row.Postcode, land); len(out) == postcode {
		return dst, "postcode", errPostcode
	}
	end := len(out)
	out = append(out, '\n')

	if !p.addName(row.FirstName, false, land) || !p.addName(row.LastName, true, land) {
		return dst, "", nil
	}
	out = append(p.appendWords(out, true), '\n')

	if !p.addAddress(row.Address, row.City, out[postcode:end:end], land) {
		return dst, "", nil
	}
	return p.appendWords(out, false), "", nil
}

// appendWords appends the words of the line, sorted, and starts a new one.
func (p *postal) appendWords(dst []byte, once bool) []byte {
	slices.SortFunc(p.words, bytes.Compare)
	for i, w := range p.words {
		if i > 0 && once && bytes.Equal(w, p.words[i-1]) {
			continue
		}
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, w...)
	}
	p.words = p.words[:0]
	return dst
}

// fold returns the folded text of s, which stays as it is until the next row.
func (p *postal) fold(s string, land land) []byte {
	start := len(p.text)
	p.text = appendFolded(p.text, s)
	if land&german != 0 {
		p.text = p.text[:start+len(foldUmlauts(p.text[start:]))]
	}
	return p.text[start:len(p.text):len(p.text)]
}

func (p *postal) appendCountry(dst []byte, country, region string) []byte {
	if country == "" {
		country = region
	}
	start := len(dst)
	for word := range words(p.fold(country, 0)) {
		dst = append(dst, word...)
	}
	if code, ok := countryNames[string(dst[start:])]; ok {
		dst = append(dst[:start], code...)
	}
	return dst
}

// appendPostcode appends nothing where it is no postcode.
func (p *postal) appendPostcode(dst []byte, postcode string, land land) []byte {
	start := len(dst)
	digits := 0
	for word := range words(p.fold(postcode, 0)) {
		if land&digitCodes != 0 && len(dst) == start && len(word) <= 3 && strings.Trim(string(word), "abcdefghijklmnopqrstuvwxyz") == "" {
			continue // the country, as in F-75011
		}
		dst = append(dst, word...)
	}
	for _, c := range dst[start:] {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	n := len(dst) - start
	if land&usa != 0 && n == 9 && digits == 9 {
		dst, n, digits = dst[:start+5], 5, 5
	}
	if land&fiveDigits != 0 && n == 4 && digits == 4 {
		dst, n, digits = slices.Insert(dst, start, '0'), 5, 5
	}
	if digits == 0 || n > 10 || land&digitCodes != 0 && n != digits || land&fiveDigits != 0 && n != 5 {
		return dst[:start]
	}
	return dst
}

// addName adds the words of a column of a name; false where it has none. In a
// last name a letter that stands for one with an apostrophe joins as that does.
func (p *postal) addName(name string, last bool, land land) bool {
	folded := p.fold(name, land)
	n, letter := 0, false // a letter by itself was written
	for i, c := range folded {
		switch {
		case c == apostropheMark:
			continue
		case c == unitMark || c == ordinalMark:
			c = ' '
		}
		if c == ' ' && letter && last && elided(folded[n-1]) && i+1 < len(folded) {
			continue
		}
		letter = c != ' ' && (n == 0 || folded[n-1] == ' ')
		folded[n] = c
		n++
	}
	before, title, placeholder := len(p.words), []byte(nil), true
	for word := range words(folded[:n]) {
		switch {
		case len(word) == 1: // an initial
		case nameTitles[string(word)]:
			title = word
		default:
			p.words = append(p.words, word)
			placeholder = placeholder && placeholderNames[string(word)]
		}
	}
	if len(p.words) == before && title != nil {
		p.words, placeholder = append(p.words, title), false // it is a name as well
	}
	return !placeholder
}

// elided reports whether the letter stands before a name for D', L' or O'.
func elided(c byte) bool { return c == 'd' || c == 'l' || c == 'o' }

// words are the words of a folded text.
func words(text []byte) iter.Seq[[]byte] { return bytes.FieldsSeq(text) }
