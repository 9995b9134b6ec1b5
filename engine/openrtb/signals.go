package openrtb

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// signal scans the value of a signal.
func (r *Request) signal(s Signal, i, depth int) int {
	if s == GPPSID && r.peek(i) == '[' {
		return r.sections(i, depth+1)
	}
	text, k, end := r.scalar(i, depth)
	if k != nullKind {
		r.note(SignalValue{s, text, !readable(s, k)})
	}
	return end
}

// readable reports whether a signal may be sent as a value of a kind.
func readable(s Signal, k kind) bool {
	switch s {
	case Consent, GPP, USPrivacy:
		return k == stringKind
	case GDPR, GPPSID, GPC, LMT, COPPA:
		return k == stringKind || k == numberKind
	}
	return false
}

// sections scans the list of gpp_sid.
func (r *Request) sections(i, depth int) int {
	start, bad := len(r.text), false
	i, any := r.first(i, ']')
	for any {
		mark := len(r.text)
		var text []byte
		if text, _, i = r.scalar(i, depth); i < 0 {
			return -1
		}
		n, whole := integer(text)
		bad = bad || !whole
		r.text = r.text[:mark]
		if mark > start {
			r.text = append(r.text, ',')
		}
		r.text = strconv.AppendInt(r.text, int64(n), 10)
		i, any = r.next(i, ']')
	}
	r.note(SignalValue{GPPSID, r.text[start:len(r.text):len(r.text)], bad})
	return i
}

// inside scans a value that should be an object in which those signals may be.
func (r *Request) inside(o object, signals []Signal, i, depth int) int {
	if r.peek(i) == '{' {
		return r.object(o, i, depth+1)
	}
	return r.noObject(signals, i, depth)
}

// noObject scans a value in the place of an object: null and the empty array,
// which some languages write for an empty object, say nothing, and of anything
// else nobody can tell what its signals are.
func (r *Request) noObject(signals []Signal, i, depth int) int {
	c, end := r.peek(i), r.skip(i, depth)
	if end >= 0 && c != 'n' && !(c == '[' && r.peek(r.space(i+1)) == ']') {
		r.noteBad(signals)
	}
	return end
}

// other scans a value that is not looked into. Where its key is that of a
// signal but for its case, the signal is bad.
func (r *Request) other(o object, key []byte, i, depth int) int {
	if !lower(key) {
		for _, n := range signalKeys[o] {
			if bytes.EqualFold(key, []byte(n.key)) {
				r.noteBad(n.signals)
			}
		}
	}
	return r.skip(i, depth)
}

type signalKey struct {
	key     string
	signals []Signal // what it says, or the objects in it say
}

var (
	allSignals  = []Signal{GDPR, Consent, GPP, GPPSID, USPrivacy, GPC, LMT, COPPA}
	regsSignals = []Signal{GDPR, GPP, GPPSID, USPrivacy, GPC, COPPA}

	deviceSignals, userSignals = []Signal{LMT}, []Signal{Consent}

	signalKeys = [...][]signalKey{
		rootObject: {
			{"device", []Signal{LMT}}, {"user", []Signal{Consent}}, {"regs", regsSignals},
		},
		deviceObject: {{"lmt", []Signal{LMT}}, {"ext", []Signal{LMT}}},
		deviceExt:    {{"lmt", []Signal{LMT}}},
		userObject:   {{"consent", []Signal{Consent}}, {"ext", []Signal{Consent}}},
		userExt:      {{"consent", []Signal{Consent}}},
		regsObject:   append([]signalKey{{"ext", regsSignals}}, regsKeys...),
		regsExt:      regsKeys,
		plainObject:  nil,
	}
	regsKeys = []signalKey{
		{"gdpr", []Signal{GDPR}},
		{"gpp", []Signal{GPP}},
		{"gpp_sid", []Signal{GPPSID}},
		{"us_privacy", []Signal{USPrivacy}},
		{"gpc", []Signal{GPC}},
		{"coppa", []Signal{COPPA}},
	}
)

// lower reports whether a key is ASCII without capitals, as nearly all are: it
// is no other key in another case.
func lower(key []byte) bool {
	for _, c := range key {
		if c-'A' <= 'Z'-'A' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// note keeps what a place says of a signal. Of what is too much nobody can tell
// what it says, so it makes all signals bad.
func (r *Request) note(v SignalValue) {
	switch n := len(r.signals); {
	case n < maxSignals:
		r.signals = append(r.signals, v)
	case n == maxSignals:
		for _, s := range allSignals {
			r.signals = append(r.signals, SignalValue{Signal: s, Bad: true})
		}
	}
}

func (r *Request) noteBad(signals []Signal) {
	for _, s := range signals {
		r.note(SignalValue{Signal: s, Bad: true})
	}
}
