package normalise

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/matchd/matchd/snapshot/build/source"
)

func postalText(t interface{ Fatalf(string, ...any) }, first, last, address, postcode, country string) string {
	var p postal
	row := source.ProfileRow{FirstName: first, LastName: last, Address: address, Postcode: postcode, Country: country, City: "Paris"}
	text, column, err := p.appendText([]byte("x"), &row, "FR")
	if err != nil || text[0] != 'x' {
		t.Fatalf("%+v: column %s: %v", row, column, err)
	}
	return string(text[1:])
}

// The vectors of profile postal/1: they must never change.
func TestPostal(t *testing.T) {
	for _, c := range []struct{ first, last, address, postcode, country, want string }{
		{"Mme Zoé", "D'Almeida", "12 bis, rue St-Martin, apt 4", "75011", "", "fr\n75011\ndalmeida zoe\n12bis martin rue st"},
		{"zoe", "D ALMEIDA", "RUE SAINT MARTIN 12B", "F-75011", "France", "fr\n75011\ndalmeida zoe\n12bis martin rue st"},
		{"Jean-Marc", "Le Gall", "3e étage, 5 av. de l'Église", "1000", "FR", "fr\n01000\ngall jean le marc\n5 av eglise"},
		{"Anne", "Roux", "8 r du 1er Mai Bât. B esc 2 75011 Paris", "75011", "FR", "fr\n75011\nanne roux\n1 8 mai rue"},
		{"Anne", "Roux", "n° 8, Grande Rue", "75011", "FR", "fr\n75011\nanne roux\n8 grande rue"},
		{"Anne", "Roux", "Le Bourg", "75011", "FR", "fr\n75011\nanne roux\nbourg"},
		{"Jürgen", "Groß", "Hauptstraße 5a, 3. OG", "10115", "DE", "de\n10115\ngross jurgen\n5a haupt st"},
		{"JUERGEN", "GROSS", "Haupt-Str. 5 A", "D-10115", "Deutschland", "de\n10115\ngross jurgen\n5a haupt st"},
		{"Mary", "O'Brien", "Flat 3, 221B Baker Street", "nw1 6xe", "UK", "gb\nnw16xe\nmary obrien\n221b baker st"},
		{"Mary", "Obrien", "221B Baker St", "NW16XE", "GB", "gb\nnw16xe\nmary obrien\n221b baker st"},
		{"Ana", "García", "C/ Mayor 3, 2º B", "28013", "ES", "es\n28013\nana garcia\n3 calle mayor"},
		{"Ana", "Garcia", "Calle Mayor, 3", "28013", "ES", "es\n28013\nana garcia\n3 calle mayor"},
		{"Luca", "Rossi", "V. Roma 10/A int. 4", "00184", "IT", "it\n00184\nluca rossi\n10a roma via"},
		{"Sanne", "de Vries", "Kerkstraat 12-2", "1012 AB", "NL", "nl\n1012ab\nde sanne vries\n12 2 kerk st"},
		{"Bob", "Lee", "12 N Main St Apt #4", "02139-1234", "US", "us\n02139\nbob lee\n12 main north st"},
		{"Bob", "Lee", "12 North Main Street, Ste 200", "2139", "USA", "us\n02139\nbob lee\n12 main north st"},
		// No key: half a name, no postcode, no place, nobody's name.
		{"Z.", "Martin", "12 rue Basse", "75011", "", ""},
		{"", "Martin", "12 rue Basse", "75011", "", ""},
		{"Zoe", "", "12 rue Basse", "75011", "", ""},
		{"Zoe", "Martin", "", "75011", "", ""},
		{"Zoe", "Martin", "rue de la", "75011", "", ""},
		{"Zoe", "Martin", "12 rue Basse", "", "", ""},
		{"Inconnu", "INCONNU", "12 rue Basse", "75011", "", ""},
	} {
		got := postalText(t, c.first, c.last, c.address, c.postcode, c.country)
		if c.want == "" {
			got = strings.SplitAfterN(got, "\n", 2)[0]
			got = strings.TrimSpace(got)
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c, got, c.want)
		}
	}
	hash, ok := PostalHash(&source.ProfileRow{FirstName: "Zoé", LastName: "D'Almeida", Address: "12 bis, rue St-Martin", Postcode: "75011"}, "FR")
	want := sha256.Sum256([]byte("fr\n75011\ndalmeida zoe\n12bis martin rue st"))
	if !ok || hash != want || hex.EncodeToString(want[:4]) != postalVector {
		t.Errorf("hash %x, %t, want %x", hash, ok, want)
	}
}

func TestPostalBadField(t *testing.T) {
	for _, c := range []struct{ postcode, country, address, column string }{
		{"7501", "BE", "12 rue Basse", ""},
		{"7501", "FR", "12 rue Basse", ""}, // of 07501 a spreadsheet made it
		{"750", "FR", "12 rue Basse", "postcode"},
		{"7501A", "FR", "12 rue Basse", "postcode"},
		{"Paris", "FR", "12 rue Basse", "postcode"},
		{"-", "", "12 rue Basse", "postcode"},
		{"75011", "FR", strings.Repeat("x", maxPostal+1), "address"},
	} {
		_, p := newProfiles(t, 0)
		var out Profile
		row := source.ProfileRow{CustomerID: "C-1", FirstName: "Ann", LastName: "Roux", Address: c.address, Postcode: c.postcode, Country: c.country}
		if err := p.Normalise(&row, &out); err != nil {
			t.Fatal(err)
		}
		if c.column == "" && (len(out.BadFields) != 0 || len(out.Identifiers) != 2) {
			t.Errorf("%q: bad fields %v, want none", c, out.BadFields)
		}
		if c.column != "" && (len(out.BadFields) != 1 || out.BadFields[0].Column != c.column || len(out.Identifiers) != 1) {
			t.Errorf("%q: bad fields %v, want one of %s", c, out.BadFields, c.column)
		}
	}
}

// An address as parts that may be written in any of their ways, in any order.
type postalParts struct {
	first, last []string
	number      string
	street      [][]string // words, with their other forms
	postcode    string
}

var streetWords = [][]string{
	{"rue", "RUE", "r."},
	{"avenue", "av", "Ave.", "av."},
	{"boulevard", "bd", "Bld", "blvd"},
	{"place", "pl."},
	{"saint", "St", "st."},
	{"général", "gal", "Gal.", "general"},
	{"docteur", "Dr", "dr."},
	{"de"},
	{"la"},
	{"des"},
	{"République"},
	{"Église", "EGLISE"},
	{"Moulin"},
	{"Lilas"},
	{"Écoles"},
	{"Traversière"},
	{"Verdun"},
}

func drawPostal(t *rapid.T) postalParts {
	names := []string{"Zoé", "Élodie", "François", "Noël", "Müller", "Lefèvre", "Øster", "Straße", "Kowalski", "Łukasz", "Nguyen"}
	words := func(label string, most int) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, most, rapid.ID[string]).Draw(t, label)
	}
	p := postalParts{first: words("first", 2), last: words("last", 2)}
	p.number = rapid.SampledFrom([]string{"1", "12", "12 bis", "7 ter", "221B", "40"}).Draw(t, "number")
	p.street = rapid.SliceOfN(rapid.SampledFrom(streetWords), 1, 4).Draw(t, "street")
	p.street = append(p.street, streetWords[len(streetWords)-rapid.IntRange(1, 6).Draw(t, "name")])
	p.postcode = rapid.StringMatching(`[1-9][0-9]{4}`).Draw(t, "postcode")
	return p
}

// spell writes the parts in another case, with or without accents, with other
// punctuation, abbreviations and word order, and with a flat.
func (p postalParts) spell(t *rapid.T) string {
	respell := func(s string) string {
		switch rapid.IntRange(0, 4).Draw(t, "case") {
		case 0:
			s = strings.ToUpper(s)
		case 1:
			s = strings.ToLower(s)
		case 2:
			s = norm.NFD.String(s)
		case 3:
			var b strings.Builder
			for _, r := range norm.NFD.String(s) {
				if !unicode.Is(unicode.Mn, r) {
					b.WriteRune(r)
				}
			}
			s = b.String()
		}
		return s
	}
	join := func(parts []string) string {
		var b strings.Builder
		for i, part := range parts {
			if i > 0 || rapid.IntRange(0, 9).Draw(t, "lead") == 0 {
				b.WriteString(rapid.SampledFrom([]string{" ", " ", ", ", "-", "  ", " / ", "\t", "\u00a0", "_", " – "}).Draw(t, "separator"))
			}
			b.WriteString(respell(part))
		}
		return b.String()
	}
	number := p.number
	if number, suffix, ok := strings.Cut(number, " "); ok {
		p.number = number + rapid.SampledFrom([]string{"", " ", ", ", "-"}).Draw(t, "between") + suffix
	}
	parts := []string{p.number}
	for _, forms := range p.street {
		parts = append(parts, rapid.SampledFrom(forms).Draw(t, "form"))
	}
	parts = rapid.Permutation(parts).Draw(t, "order")
	flat := rapid.SampledFrom([]string{"", "", "apt 4", "Appt. n° 12", "3e étage", "Bât. B", "esc 2 porte 4", "rdc"}).Draw(t, "flat")
	if flat != "" {
		parts = append(parts, flat)
	}
	first, last := rapid.Permutation(p.first).Draw(t, "first order"), rapid.Permutation(p.last).Draw(t, "last order")
	if rapid.Bool().Draw(t, "titled") {
		first = append([]string{"Mme"}, first...)
	}
	if rapid.Bool().Draw(t, "columns exchanged") {
		first, last = last, first
	}
	postcode := rapid.SampledFrom([]string{p.postcode, " " + p.postcode, "F-" + p.postcode, p.postcode[:2] + " " + p.postcode[2:]}).Draw(t, "postcode")
	return postalText(t, join(first), join(last), join(parts), postcode, rapid.SampledFrom([]string{"", "FR", "fr", "France"}).Draw(t, "country"))
}

// How a household is spelled never changes its key, and who it is always does.
func TestPostalKeyIsOfThePersonAndThePlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPostal(t)
		want := p.spell(t)
		if strings.Count(want, "\n") != 3 || strings.HasSuffix(want, "\n") {
			t.Fatalf("%+v has no key: %q", p, want)
		}
		if got := p.spell(t); got != want {
			t.Fatalf("%+v is %q and %q", p, want, got)
		}
		other := p
		switch rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
			other.first = []string{"Baptiste"}
		case 1:
			other.last = []string{"Charpentier"}
		case 2:
			other.number = rapid.SampledFrom([]string{"2", "13", "12 quater", "121", "221A"}).Draw(t, "other number")
		default:
			other.postcode = "0" + p.postcode[1:]
		}
		if got := other.spell(t); got == want {
			t.Fatalf("%+v and %+v are both %q", p, other, got)
		}
	})
}

// The form of a word is its own form: folding twice is folding once.
func TestEntriesAreStable(t *testing.T) {
	for word, e := range entries {
		if again, ok := entries[string(e.to)]; !ok || string(again.to) != string(e.to) || again.kind != e.kind {
			t.Errorf("%q becomes %q, and that %q of kind %d", word, e.to, again.to, again.kind)
		}
	}
}

func FuzzPostal(f *testing.F) {
	f.Add("Zoé", "D'Almeida", "12 bis, rue St-Martin, apt 4", "75011", "FR")
	f.Add("Bob", "Lee", "12 N Main St Apt #4", "02139-1234", "US")
	f.Add("Ana", "García", "C/ Mayor 3, 2º B 28013 Madrid", "28013", "ES")
	f.Add("d", "o l'", "0000 º # ' ", "\xff", "DE")
	f.Fuzz(func(t *testing.T, first, last, address, postcode, country string) {
		var p postal
		row := source.ProfileRow{FirstName: first, LastName: last, Address: address, Postcode: postcode, City: address, Country: country}
		once, _, err := p.appendText(nil, &row, "FR")
		if err != nil {
			checkNoLeak(t, err, address)
			return
		}
		once = append([]byte(nil), once...)
		row.FirstName, row.Address = strings.ToUpper(first), " "+address+" , "
		if len(address) < maxPostal-8 && strings.EqualFold(first, row.FirstName) && len(row.FirstName) == len(first) {
			twice, _, err := p.appendText(nil, &row, "FR")
			if err != nil || string(once) != string(twice) {
				t.Fatalf("%q and then %q, %v", once, twice, err)
			}
		}
	})
}

// postalVector begins the hash of the first vector.
const postalVector = "616f4229"
