package normalise

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
)

// Addresses and numbers that stand for nobody link everybody who was entered
// with them. They are left out here; whatever else too many customers share is
// for the limits of the resolution.
//
// Left out are the role names of RFC 2142 and their like at any domain, with or
// without punctuation, a "+suffix" or digits behind them; what people type
// where a form insists (test@test.fr, a@a.com, 0123456789); and domains under
// .invalid. The other domains of RFC 2606 (example.com, .example, .test) pass:
// demonstrations live on them, and no customer does.
var (
	errRole             = errors.New("a role address, which is no one person's")
	errPlaceholderEmail = errors.New("a placeholder for an email address")
	errPlaceholderPhone = errors.New("a placeholder for a phone number")
	errPlaceholderHash  = errors.New("the hash of a placeholder")
)

// roles are local parts, without punctuation, behind which nobody or several
// people are.
var roles = set(`noreply donotreply dontreply neverreply nepasrepondre nichtantworten noresponder nonrispondere bounce bounces
	mailerdaemon postmaster hostmaster webmaster abuse root admin administrator administrateur sysadmin noc security privacy
	dpo gdpr rgpd info infos information contact contacts kontakt contacto contatto support help helpdesk service
	services serviceclient customerservice kundenservice sales billing invoice invoices marketing newsletter newsletters
	news notification notifications alert alerts unsubscribe www ftp usenet uucp spam devnull daemon system office
	secretariat accueil reception commercial comptabilite facturation reservation reservations booking jobs careers rh hr`)

// placeholderDomains are first labels of domains at which nobody has an address.
var placeholderDomains = set("test none noemail nomail null unknown invalid fake nowhere noreply aucun")

// checkEmail refuses a normalised address that is nobody's.
func checkEmail(email []byte) error {
	local, domain, _ := bytes.Cut(email, []byte("@"))
	label, rest, _ := bytes.Cut(domain, []byte("."))
	if placeholderDomains[string(label)] && bytes.IndexByte(rest, '.') < 0 || bytes.HasSuffix(domain, []byte(".invalid")) {
		return errPlaceholderEmail
	}
	if oneByte(local) && oneByte(label) && local[0] == label[0] {
		return errPlaceholderEmail
	}
	var buf [24]byte
	name := buf[:0]
	for _, c := range local {
		if c == '+' {
			break
		}
		if c == '.' || c == '-' || c == '_' {
			continue
		}
		if len(name) == len(buf) {
			return nil // longer than all that are known
		}
		name = append(name, c)
	}
	name = bytes.TrimRight(name, "0123456789")
	switch {
	case roles[string(name)]:
		return errRole
	case placeholderWords[string(name)]:
		return errPlaceholderEmail
	}
	return nil
}

// oneByte reports whether b is one byte, as often as it may be.
func oneByte(b []byte) bool {
	for _, c := range b {
		if c != b[0] {
			return false
		}
	}
	return len(b) > 0
}

// checkPhone refuses a number in E.164 whose last eight digits are one digit,
// or which counts its digits up or down from the first.
func checkPhone(phone []byte) error {
	if n := len(phone); n > 8 && oneByte(phone[n-8:]) {
		return errPlaceholderPhone
	}
	for _, run := range [...]string{"123456789", "1234567890", "987654321", "9876543210"} {
		if before, ok := strings.CutSuffix(string(phone), run); ok && len(before) <= len("+999") {
			return errPlaceholderPhone
		}
	}
	return nil
}

// placeholderHashes is a set of hashes, in front of which a bit for each two
// first bytes says of nearly all others that they are not in it.
type placeholderHashes struct {
	bits   [1 << 10]uint64
	hashes map[[sha256.Size]byte]bool
}

func (p *placeholderHashes) has(hash []byte) bool {
	word, bit := p.place(hash)
	return p.bits[word]&bit != 0 && p.hashes[[sha256.Size]byte(hash)]
}

func (p *placeholderHashes) place(hash []byte) (word int, bit uint64) {
	at := int(hash[0])<<8 | int(hash[1])
	return at >> 6, 1 << (at & 63)
}

// commonPlaceholders are made once: they are always the same.
var commonPlaceholders = sync.OnceValue(newPlaceholderHashes)

// newPlaceholderHashes makes the set of the commonest placeholders, as they are
// given by partners that hash what their forms hold.
func newPlaceholderHashes() *placeholderHashes {
	p := &placeholderHashes{hashes: make(map[[sha256.Size]byte]bool)}
	add := func(text string) {
		hash := sha256.Sum256([]byte(text))
		word, bit := p.place(hash[:])
		p.bits[word] |= bit
		p.hashes[hash] = true
	}
	for _, text := range [...]string{
		" ", "0", "-", "--", ".", "?", "@", "null", "NULL", "Null", "none", "None", "NONE", "nan", "NaN", "nil", "n/a", "N/A", "na", "NA",
		"unknown", "UNKNOWN", "undefined", "test", "(null)", "\"\"", "''", "{}", "[]", "false", "true", "nobody", "inconnu", "xxx",
	} {
		add(text)
	}
	for tld := range strings.FieldsSeq("com fr de es it nl be ch at net org co.uk") {
		for c := 'a'; c <= 'z'; c++ {
			add(string(c) + "@" + string(c) + "." + tld)
		}
		for name := range strings.FieldsSeq("test none noemail nomail null na unknown fake no xxx aaa abc asdf email") {
			add(name + "@" + name + "." + tld)
			add("test@" + name + "." + tld)
		}
		for domain := range strings.FieldsSeq("gmail yahoo hotmail outlook live orange free gmx web icloud example") {
			for name := range strings.FieldsSeq("test none noemail nomail no-reply noreply unknown info admin contact abc asdf xxx aaa") {
				add(name + "@" + domain + "." + tld)
			}
		}
	}
	for digit := '0'; digit <= '9'; digit++ {
		for length := 6; length <= 11; length++ {
			same := strings.Repeat(string(digit), length)
			add(same)
			for i := range phonePlans {
				add("+" + phonePlans[i].code + same)
			}
		}
		for first := '1'; first <= '9'; first++ {
			for _, code := range [...]string{"0", "+33", "+34", "+41", "+32", "+351"} {
				add(code + string(first) + strings.Repeat(string(digit), 8))
			}
		}
	}
	for _, run := range [...]string{"123456789", "1234567890", "987654321", "9876543210"} {
		add(run)
		add("0" + run)
		for i := range phonePlans {
			add("+" + phonePlans[i].code + run)
		}
	}
	return p
}
