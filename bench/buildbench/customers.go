package buildbench

import "strconv"

const customersHeader = "customer_id,kind,email,phone,first_name,last_name,address,postcode,city,country,segments,consent_at,consent_expires_at\n"

// Shares of the customers.
const (
	phoneShare    = 0.7 // with a phone number
	addressShare  = 0.6 // with a name and an address
	prospectShare = 0.1
	gmailShare    = 0.35
	noConsent     = 0.03
	endingConsent = 0.5 // with an end of the consent
)

// maxEmail is room for the longest email, in bytes.
const maxEmail = 80

// appendCustomer appends a row of the CRM's file.
func (d Data) appendCustomer(dst []byte, customer int) []byte {
	r := d.draws(ofCustomers, uint64(customer))
	dst = append(dst, "C-"...)
	dst = appendDigits(dst, customer, 9)
	if r.unit() < prospectShare {
		dst = append(dst, ",prospect,"...)
	} else {
		dst = append(dst, ",customer,"...)
	}
	dst = d.spellEmail(dst, customer, &r)
	dst = append(dst, ',')
	if r.unit() < phoneShare {
		dst = d.spellPhone(dst, customer, &r)
	}
	dst = append(dst, ',')
	if r.unit() < addressShare {
		dst = d.appendAddress(dst, customer, &r)
	} else {
		dst = append(dst, ",,,,,"...)
	}
	dst = append(dst, ',')
	dst = appendSegments(dst, &r)
	dst = append(dst, ',')
	dst = appendConsent(dst, &r)
	return append(dst, '\n')
}

// name is a customer's, as it is drawn.
type name struct {
	first, last [3]int // syllables; the first name has two of them
	gmail       bool
	domain      int
}

func (d Data) name(customer int) (n name) {
	r := d.draws(ofNames, uint64(customer))
	for i := range n.last {
		n.first[i], n.last[i] = r.below(len(syllables)), r.below(len(syllables))
	}
	n.gmail = r.unit() < gmailShare
	n.domain = r.below(len(domains))
	return n
}

// appendEmail appends a customer's email in its normal form: without dots in
// the local part where it is one of gmail.com. The customer's number makes it
// one that nobody else has.
func (d Data) appendEmail(dst []byte, customer int) []byte {
	n := d.name(customer)
	dst = appendSyllables(dst, n.first[:2])
	if !n.gmail {
		dst = append(dst, '.')
	}
	dst = appendSyllables(dst, n.last[:])
	dst = strconv.AppendInt(dst, int64(customer), 10)
	if n.gmail {
		return append(dst, "@gmail.com"...)
	}
	return append(dst, domains[n.domain]...)
}

// spellEmail appends the email as people write it, which normalises to the
// same one.
func (d Data) spellEmail(dst []byte, customer int, r *draws) []byte {
	start := len(dst)
	n, how := d.name(customer), r.unit()
	if n.gmail && how < 0.5 {
		dst = appendSyllables(dst, n.first[:2])
		dst = append(dst, '.')
		dst = appendSyllables(dst, n.last[:])
		dst = strconv.AppendInt(dst, int64(customer), 10)
		if how < 0.1 {
			dst = append(dst, "+promo"...)
		}
		dst = append(dst, "@gmail.com"...)
	} else {
		dst = d.appendEmail(dst, customer)
	}
	switch r.below(16) {
	case 0:
		upper(dst[start:])
	case 1, 2:
		upper(dst[start : start+1])
	}
	return dst
}

// phonePrefixes begin blocks of ten million French mobile numbers, after the
// country code, which are valid throughout.
var phonePrefixes = [...]string{"60", "61", "62", "64", "65", "66", "67", "68", "73", "74", "75", "76", "77", "78"}

// spellPhone appends a customer's phone number as forms and exports have it.
// The factor shares no divisor with the count of numbers, so that no two
// customers have one number, but for a handful whose own would be a placeholder.
func (d Data) spellPhone(dst []byte, customer int, r *draws) []byte {
	const inBlock = 10_000_000
	numbers := uint64(len(phonePrefixes) * inBlock)
	at := (uint64(customer)*67_867_967 + d.Seed%numbers) % numbers
	var text [9]byte
	prefix, number := phonePrefixes[at/inBlock], at%inBlock
	if number == uint64(prefix[1]-'0')*1_111_111 {
		number++ // one digit throughout is a placeholder, and nobody's
	}
	digits := appendDigits(append(text[:0], prefix...), int(number), 7)
	start, between := "0", byte(0)
	switch r.below(8) {
	case 0, 1, 2:
		between = ' '
	case 3:
		between = '.'
	case 4:
		start, between = "+33 ", ' '
	case 5:
		start = "+33"
	case 6:
		start = "0033"
	}
	dst = append(dst, start...)
	for i, c := range digits {
		if between != 0 && i%2 == 1 {
			dst = append(dst, between)
		}
		dst = append(dst, c)
	}
	return dst
}

// appendAddress appends first name, last name, address, postcode, city and
// country. There are so many streets and towns that no two customers live at
// one address under one name.
func (d Data) appendAddress(dst []byte, customer int, r *draws) []byte {
	n := d.name(customer)
	dst = appendName(dst, n.first[:2])
	dst = append(dst, ',')
	dst = appendName(dst, n.last[:])
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, int64(1+r.below(180)), 10)
	dst = append(dst, streets[r.below(len(streets))]...)
	dst = appendName(dst, []int{r.below(len(syllables)), r.below(len(syllables)), r.below(len(syllables))})
	dst = append(dst, ',')
	postcode := 1000 + r.below(94_000)
	dst = appendDigits(dst, postcode, 5)
	dst = append(dst, ',')
	town := d.draws(ofTowns, uint64(postcode))
	dst = appendName(dst, []int{town.below(len(syllables)), town.below(len(syllables)), town.below(len(syllables))})
	return append(dst, ",FR"...)
}

// appendSegments appends up to four codes.
func appendSegments(dst []byte, r *draws) []byte {
	for i := range r.below(5) {
		if i > 0 {
			dst = append(dst, '|')
		}
		dst = append(dst, segments[r.below(len(segments))]...)
	}
	return dst
}

// appendConsent appends when consent was given, within two years before AsOf,
// and of some the end, three years later.
func appendConsent(dst []byte, r *draws) []byte {
	if r.unit() < noConsent {
		return append(dst, ',')
	}
	days := 1 + r.below(mostDaysBefore)
	dst = append(dst, dates.before(days)...)
	dst = append(dst, ',')
	if r.unit() < endingConsent {
		dst = append(dst, dates.before(days-3*365)...)
	}
	return dst
}

// syllables make the names, all of them invented, of ASCII letters for the sake
// of emails.
var syllables = [...]string{
	"ba", "be", "bri", "ca", "che", "da", "del", "do", "fa", "fer", "ga", "gui", "jo", "ka", "la", "le",
	"lou", "ma", "mer", "mo", "na", "ni", "pa", "pe", "ra", "ri", "ro", "sa", "so", "ta", "thi", "vo",
}

var domains = [...]string{"@mail.example", "@post.example", "@boite.example", "@courrier.example", "@web.example"}

var streets = [...]string{
	" rue de la ", " rue ", " avenue ", " bd ", " place de l'église ", " chemin de ", " allée ", " impasse ", " quai ", " route de ",
}

var segments = [...]string{
	"vip", "churn.high", "churn.low", "newsletter", "solar", "heat_pump", "gas", "green_tariff", "app_user", "paper_bill",
	"moved_recently", "late_payer", "loyal_5y", "loyal_10y", "family", "student", "pro", "ev_owner", "winback", "survey",
}

func appendSyllables(dst []byte, list []int) []byte {
	for _, i := range list {
		dst = append(dst, syllables[i]...)
	}
	return dst
}

// appendName appends syllables with a capital letter.
func appendName(dst []byte, list []int) []byte {
	start := len(dst)
	dst = appendSyllables(dst, list)
	upper(dst[start : start+1])
	return dst
}

// upper makes lower-case ASCII letters upper-case.
func upper(b []byte) {
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
}
