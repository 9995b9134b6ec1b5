package privacy

import "math/bits"

// Kind names a privacy signal; the zero Kind is none. The order is the order
// in which signals are named: where several forbid, the first of them is.
type Kind uint8

// The signals, with the names that query parameters and answers have for them.
const (
	None      Kind = iota
	COPPA          // coppa: the request is about a child
	GPC            // gpc: Global Privacy Control, the header Sec-GPC
	USPrivacy      // us_privacy: the four characters of the CCPA
	GDPR           // gdpr: whether the GDPR applies
	GPPSID         // gpp_sid: the sections of the GPP string that apply
	GPP            // gpp: the Global Privacy Platform's string
	TCF            // gdpr_consent: the Transparency and Consent string
	LMT            // lmt: limit ad tracking, of a device
	kinds
)

var kindNames = [kinds]string{"", "coppa", "gpc", "us_privacy", "gdpr", "gpp_sid", "gpp", "gdpr_consent", "lmt"}

// String returns the name of the signal, and nothing for [None].
func (k Kind) String() string {
	if k >= kinds {
		return "unknown"
	}
	return kindNames[k]
}

// kindSet is a set of kinds: bit k is kind k.
type kindSet uint16

func setOf(of ...Kind) (set kindSet) {
	for _, k := range of {
		set.add(k)
	}
	return set
}

func (s *kindSet) add(k Kind)     { *s |= 1 << k }
func (s kindSet) has(k Kind) bool { return s&(1<<k) != 0 }

// first returns the kind that is named first, None of an empty set.
func (s kindSet) first() Kind {
	if s == 0 {
		return None
	}
	return Kind(bits.TrailingZeros16(uint16(s)))
}
