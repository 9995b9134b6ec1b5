package server

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/matchd/matchd/engine/privacy"
)

// MaxQueryIDs is how many identifiers one GET may have.
const MaxQueryIDs = 32

// query is what a query string asks. Its slices are parts of the query string
// or of the request's memory.
type query struct {
	experiment []byte
	buckets    int
	customer   []byte
	mode       []byte
	exchange   []byte
	eids       bool
	// which of them are there
	hasExperiment, hasBuckets, hasCustomer, hasMode, hasExchange, hasEIDs bool
}

// parseQuery reads a query string, application/x-www-form-urlencoded; the
// identifiers go to q.ids, and what it says about privacy to q.signals.
// Parameters that it does not know are ignored. A bare + is refused where it
// matters.
func (q *request) parseQuery(raw []byte) (out query, p *problem) {
	q.ids = q.ids[:0]
	q.query = slices.Grow(q.query[:0], len(raw)) // never moves: decoding shortens
	for more := true; more; {
		var pair []byte
		pair, raw, more = bytes.Cut(raw, []byte{'&'})
		name, escaped, _ := bytes.Cut(pair, []byte{'='})
		name, ok := q.decode(name)
		var value []byte
		if ok {
			value, ok = q.decode(escaped)
		}
		if !ok {
			return out, badRequest("the query has a %% that is not followed by two hexadecimal digits")
		}
		if bytes.IndexByte(escaped, '+') >= 0 && isText(name) {
			return out, problemPlus
		}
		if p := q.parameter(&out, name, value); p != nil {
			return out, p
		}
	}
	return out, nil
}

// problemPlus is for a caller that has not escaped a plus, and would be given
// the person of another identifier, as well as for one that means a space.
var problemPlus = &problem{status: 400, detail: "the query has a bare +: write %2B for a plus and %20 for a space"}

// isText reports whether a parameter's value is a text of the caller's.
func isText(name []byte) bool {
	switch string(name) {
	case "id", "customer", "experiment", "exchange":
		return true
	}
	return false
}

func (q *request) parameter(out *query, name, value []byte) *problem {
	twice := false
	switch string(name) {
	case "id":
		if len(q.ids) == MaxQueryIDs {
			return badRequest("a query has at most %d ids; POST more", MaxQueryIDs)
		}
		q.ids = append(q.ids, value)
	case "customer":
		twice = out.hasCustomer
		out.customer, out.hasCustomer = value, true
	case "experiment":
		twice = out.hasExperiment
		out.experiment, out.hasExperiment = value, true
	case "buckets":
		twice = out.hasBuckets
		n, err := strconv.Atoi(string(value))
		if err != nil || len(value) > 9 {
			return badRequest("buckets is not a number")
		}
		out.buckets, out.hasBuckets = n, true
	case "mode":
		twice = out.hasMode
		out.mode, out.hasMode = value, true
	case "exchange":
		twice = out.hasExchange
		out.exchange, out.hasExchange = value, true
	case "eids":
		twice = out.hasEIDs
		if v := string(value); v != "0" && v != "1" {
			return badRequest("eids is neither 0 nor 1")
		}
		out.eids, out.hasEIDs = value[0] == '1', true
	case "gdpr", "gdpr_consent", "gpp", "gpp_sid", "us_privacy", "lmt", "coppa":
		// Said twice, they are in conflict unless they are equal.
		q.signals.Set(signalOf(name), value)
	default:
		q.misspelt(name)
	}
	if twice {
		return badRequest("%s is given twice", name)
	}
	return nil
}

// misspelt makes a signal that is written in another case one that cannot be
// read: whoever sent it meant something by it.
func (q *request) misspelt(name []byte) {
	if len(name) > len("gdpr_consent") {
		return
	}
	var lower [len("gdpr_consent")]byte
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower[i] = c
	}
	if k := signalOf(lower[:len(name)]); k != privacy.None {
		q.signals.Malformed(k)
	}
}

// signalOf is the privacy signal of a parameter.
func signalOf(name []byte) privacy.Kind {
	switch string(name) {
	case "gdpr":
		return privacy.GDPR
	case "gdpr_consent":
		return privacy.TCF
	case "gpp":
		return privacy.GPP
	case "gpp_sid":
		return privacy.GPPSID
	case "us_privacy":
		return privacy.USPrivacy
	case "lmt":
		return privacy.LMT
	case "coppa":
		return privacy.COPPA
	}
	return privacy.None
}

// decode undoes the escaping of a name or a value.
func (q *request) decode(b []byte) ([]byte, bool) {
	if bytes.IndexByte(b, '%') < 0 && bytes.IndexByte(b, '+') < 0 {
		return b, true
	}
	start := len(q.query)
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(b) || unhex(b[i+1]) < 0 || unhex(b[i+2]) < 0 {
				return nil, false
			}
			c = byte(unhex(b[i+1])<<4 | unhex(b[i+2]))
			i += 2
		}
		q.query = append(q.query, c)
	}
	return q.query[start:len(q.query):len(q.query)], true
}
