package privacy

import (
	"bytes"

	"github.com/prebid/go-gpp/constants"
	"github.com/prebid/go-gpp/sections"
	"github.com/prebid/go-gpp/sections/uspca"
	"github.com/prebid/go-gpp/sections/uspco"
	"github.com/prebid/go-gpp/sections/uspct"
	"github.com/prebid/go-gpp/sections/uspnat"
	"github.com/prebid/go-gpp/sections/usput"
	"github.com/prebid/go-gpp/sections/uspva"
)

// usSection is what counts of a US section of the GPP, whichever the state.
type usSection struct {
	version  byte
	sharing  byte     // notice of sharing
	choices  []choice // sale, sharing, targeted advertising: those that there are
	children []byte   // consents for known children
	personal byte     // consent to incompatible uses
	provider byte     // service provider mode of the MSPA
	gpc      bool
}

// choice is a notice of a right to opt out, and what was chosen.
type choice struct{ notice, optOut byte }

// Values of the fields: whether something is so, and what a user chose.
const (
	notApplicable = 0
	yes, no       = 1, 2
	optedOut      = 1
	didNotOptOut  = 2
)

// allows says whether nobody opted out, and everybody had the notice of it. A
// choice without its notice, a notice without a choice and a value without
// meaning are in conflict with themselves. Sections that know a child, or in
// which recipients serve the publisher alone, do not allow; consents for
// sensitive data are about data that is not used here.
func (u *usSection) allows() bool {
	if u.version != 1 || u.gpc || u.sharing > yes || u.provider == yes || u.provider > no {
		return false
	}
	if u.personal == 1 || u.personal > 2 {
		return false
	}
	for _, c := range u.choices {
		if c != (choice{notApplicable, notApplicable}) && c != (choice{yes, didNotOptOut}) {
			return false
		}
	}
	return len(bytes.Trim(u.children, "\x00")) == 0
}

// coreBits are the lengths of core segments of version 1, by section.
var coreBits = map[constants.SectionID]int{
	constants.SectionUSPNAT: 60,
	constants.SectionUSPCA:  46,
	constants.SectionUSPVA:  40,
	constants.SectionUSPCO:  38,
	constants.SectionUSPUT:  42,
	constants.SectionUSPCT:  44,
}

// readUS decodes a US section by go-gpp. ok is false for a section that cannot
// be read, and for one that go-gpp does not know.
func readUS(id int, text []byte) (u usSection, ok bool) {
	if len(text) > maxUSSection || bytes.Count(text, []byte{'.'}) > 1 {
		return u, false
	}
	for _, c := range text {
		if _, ok := sextet(c); !ok && c != '.' {
			return u, false // go-gpp would pass over line breaks
		}
	}
	core, _, _ := bytes.Cut(text, []byte{'.'})
	if 6*len(core) < coreBits[constants.SectionID(id)] {
		return u, false // go-gpp would read a few zeros beyond the end
	}
	var err error
	switch s := string(text); constants.SectionID(id) {
	case constants.SectionUSPNAT:
		u, err = readNational(s)
	case constants.SectionUSPCA:
		u, err = readCalifornia(s)
	case constants.SectionUSPVA:
		v, e := uspva.NewUSPVA(s)
		u, err = common(v.CoreSegment, false), e
	case constants.SectionUSPCO:
		v, e := uspco.NewUSPCO(s)
		u, err = common(v.CoreSegment, v.GPCSegment.Gpc), e
	case constants.SectionUSPUT:
		u, err = readUtah(s)
	case constants.SectionUSPCT:
		v, e := uspct.NewUSPCT(s)
		u, err = common(v.CoreSegment, v.GPCSegment.Gpc), e
	default:
		return u, false
	}
	return u, err == nil
}

func common(c sections.CommonUSCoreSegment, gpc bool) usSection {
	return usSection{
		version: c.Version,
		sharing: c.SharingNotice,
		choices: []choice{
			{c.SaleOptOutNotice, c.SaleOptOut},
			{c.TargetedAdvertisingOptOutNotice, c.TargetedAdvertisingOptOut},
		},
		children: c.KnownChildSensitiveDataConsents,
		provider: c.MspaServiceProviderMode,
		gpc:      gpc,
	}
}

func readNational(s string) (usSection, error) {
	v, err := uspnat.NewUSPNAT(s)
	c := v.CoreSegment
	return usSection{
		version: c.Version,
		sharing: c.SharingNotice,
		choices: []choice{
			{c.SaleOptOutNotice, c.SaleOptOut},
			{c.SharingOptOutNotice, c.SharingOptOut},
			{c.TargetedAdvertisingOptOutNotice, c.TargetedAdvertisingOptOut},
		},
		children: c.KnownChildSensitiveDataConsents,
		personal: c.PersonalDataConsents,
		provider: c.MspaServiceProviderMode,
		gpc:      v.GPCSegment.Gpc,
	}, err
}

func readCalifornia(s string) (usSection, error) {
	v, err := uspca.NewUSPCA(s)
	c := v.CoreSegment
	return usSection{
		version: c.Version,
		choices: []choice{
			{c.SaleOptOutNotice, c.SaleOptOut},
			{c.SharingOptOutNotice, c.SharingOptOut},
		},
		children: c.KnownChildSensitiveDataConsents,
		personal: c.PersonalDataConsents,
		provider: c.MspaServiceProviderMode,
		gpc:      v.GPCSegment.Gpc,
	}, err
}

func readUtah(s string) (usSection, error) {
	v, err := usput.NewUSPUT(s)
	c := v.CoreSegment
	return usSection{
		version: c.Version,
		sharing: c.SharingNotice,
		choices: []choice{
			{c.SaleOptOutNotice, c.SaleOptOut},
			{c.TargetedAdvertisingOptOutNotice, c.TargetedAdvertisingOptOut},
		},
		children: []byte{c.KnownChildSensitiveDataConsents},
		provider: c.MspaServiceProviderMode,
	}, err
}
