package gen

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// person is one human. The person's name in truth.csv is "p-" and the serial.
type person struct {
	serial      uint64 // unique
	first, last string
	email       string // canonical: lower case, and for gmail.com without dots and suffix
	phone       string // E.164
	hasEmail    bool   // the brands, and so the links, know the email
	hasPhone    bool   // the brands, and so the links, know the phone
	coverage    coverage
}

// coverage says who has seen a person on a device within the last months.
type coverage struct{ own, partner bool }

func (c coverage) any() bool { return c.own || c.partner }

func (g *generator) addPerson(h *household) {
	slot := len(h.people)
	p := person{serial: h.number*maxPeople + uint64(slot)}
	p.first = g.otherFirstName(h)
	if slot > 0 && g.chance(0.8) {
		p.last = h.people[0].last
	} else {
		p.last = lastNames[g.skewed(len(lastNames))]
	}
	p.email = g.drawEmail(p)
	p.phone = phoneNumber(p.serial, g.Seed)
	p.hasPhone = g.chance(g.PhoneShare)
	p.hasEmail = !p.hasPhone || !g.chance(g.NoEmail/g.PhoneShare)
	p.coverage = g.drawCoverage(h)
	h.people = append(h.people, p)
}

// drawCoverage gives own logins to OwnReach of the people, and to as many others partner links as make PartnerReach.
func (g *generator) drawCoverage(h *household) coverage {
	if h.outsider {
		return coverage{partner: true} // otherwise no file would know them
	}
	partner := 0.0
	if g.OwnReach < 1 {
		partner = (g.PartnerReach - g.OwnReach) / (1 - g.OwnReach)
	}
	return coverage{own: g.chance(g.OwnReach), partner: g.chance(partner)}
}

// otherFirstName is one that nobody in h has, so that name and address tell people apart.
func (g *generator) otherFirstName(h *household) string {
	at := g.skewed(len(firstNames))
	for i := 0; i < len(h.people); i++ {
		if h.people[i].first == firstNames[at] {
			at, i = (at+1)%len(firstNames), -1
		}
	}
	return firstNames[at]
}

func (g *generator) drawAddress(h *household) {
	city := cities[g.skewed(len(cities))]
	// A town's department has many postcodes, or strangers of one name would live at one address.
	h.postcode, h.city = fmt.Sprintf("%s%02d0", city.department, g.rng.IntN(80)), city.name
	h.street = strconv.Itoa(1+g.skewed(180)) + " " + streets[g.rng.IntN(len(streets))]
	if g.chance(0.4) {
		h.street += ", apt " + strconv.Itoa(1+g.rng.IntN(120))
	}
}

var asciiFold = strings.NewReplacer(
	"à", "a", "â", "a", "ã", "a", "ä", "a", "ç", "c", "é", "e", "è", "e", "ê", "e", "ë", "e", "î", "i", "ï", "i",
	"ô", "o", "ö", "o", "ù", "u", "û", "u", "ü", "u", " ", "", "'", "", "-", "")

func mailName(s string) string { return asciiFold.Replace(strings.ToLower(s)) }

// drawEmail ends the local part with the serial, so that no two people have one address by chance, nor after
// gmail's dots are dropped.
func (g *generator) drawEmail(p person) string {
	serial := strconv.FormatUint(p.serial, 10)
	if g.chance(0.35) {
		return mailName(p.first) + mailName(p.last) + serial + "@gmail.com"
	}
	return mailName(p.first) + "." + mailName(p.last) + serial + "@" + mailDomains[g.skewed(len(mailDomains))]
}

// spellEmail writes a canonical address the way people type it: it normalises back to the same address.
func (g *generator) spellEmail(p person) string {
	s := p.email
	// Of a shared inbox the address bears the other one's name, and keeps it.
	if local, isGmail := strings.CutSuffix(s, "@gmail.com"); isGmail {
		if cut := len(mailName(p.first)); g.chance(0.6) && strings.HasPrefix(local, mailName(p.first)) {
			local = local[:cut] + "." + local[cut:]
		}
		if g.chance(0.15) {
			local += "+" + []string{"energie", "factures", "home", "promo"}[g.rng.IntN(4)]
		}
		s = local + "@gmail.com"
	}
	switch g.rng.IntN(20) {
	case 0:
		s = strings.ToUpper(s)
	case 1, 2, 3:
		s = strings.ToUpper(s[:1]) + s[1:]
	case 4:
		s = " " + s
	case 5:
		s += " "
	}
	return s
}

// spellEmailOtherwise is a spelling of the address that is not like.
func (g *generator) spellEmailOtherwise(p person, like string) string {
	if s := g.spellEmail(p); s != like {
		return s
	}
	if s := strings.ToUpper(p.email); s != like {
		return s
	}
	return p.email
}

// phonePrefixes begin blocks of ten million French mobile numbers, after the country code, that libphonenumber
// holds for valid throughout.
var phonePrefixes = []string{"60", "61", "62", "64", "65", "66", "67", "68", "73", "74", "75", "76", "77", "78"}

// phoneNumber is the mobile number of person serial, in E.164. The factor shares no divisor with the count of
// numbers, so that different people have different numbers, which do not look consecutive.
func phoneNumber(serial, seed uint64) string {
	const perPrefix = 10_000_000
	numbers := uint64(len(phonePrefixes)) * perPrefix
	at := ((serial+1)*67_867_967 + seed%numbers) % numbers
	return fmt.Sprintf("+33%s%07d", phonePrefixes[at/perPrefix], at%perPrefix)
}

// spellPhone writes a French number in E.164 the way forms and exports do.
func (g *generator) spellPhone(e164 string) string {
	digits := e164[len("+33"):]
	pairs := func(sep string) string {
		parts := []string{digits[:1]}
		for i := 1; i < len(digits); i += 2 {
			parts = append(parts, digits[i:i+2])
		}
		return strings.Join(parts, sep)
	}
	switch g.rng.IntN(10) {
	case 0, 1, 2:
		return "0" + pairs(" ")
	case 3, 4:
		return "0" + digits
	case 5:
		return "+33 " + pairs(" ")
	case 6:
		return "0033" + digits
	case 7:
		return "0" + pairs(".")
	case 8:
		return "0" + pairs("-")
	default:
		return e164
	}
}

// hashed is the SHA-256 of a canonical email or phone, in lower-case hex.
func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// emailID and phoneID are the identifiers of what person who is known by.
func (h *household) emailID(who int) int {
	owners := uint8(1) << who
	if h.sharedInbox && who < 2 {
		owners = 0b11
	}
	return h.id("email_sha256:"+hashed(h.people[who].email), owners)
}

func (h *household) phoneID(who int) int {
	return h.id("phone_sha256:"+hashed(h.people[who].phone), 1<<who)
}
