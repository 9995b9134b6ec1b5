package privacy

// Verdict is what the signals of a request forbid.
type Verdict struct {
	All    Kind  // the signal because of which no id may be used, or None
	Device Kind  // the signal because of which no advertising id of a device may be used, or None
	Until  int64 // Unix seconds at which to decide anew, Never for a verdict that time does not change
}

// Decide decides what the signals forbid to a client with policy p at now, in
// Unix seconds. docs/privacy.md has the rules. The verdict is the same for
// every time from now until its Until. Where several signals forbid, the first
// in the order of [Kind] is named; beside a GPP string that cannot be read,
// nothing that depends on one counts.
func Decide(p Policy, s *Signals, now int64) Verdict {
	v, decided := s.flags()
	if !decided {
		v.All, v.Until = s.strings(p, now)
	}
	return v
}

// flags decides by what needs no decoding. Where it is not decided, nothing
// that is named before a string's signal forbids.
func (s *Signals) flags() (v Verdict, decided bool) {
	v.Until = Never
	if s.on.has(LMT) || s.bad.has(LMT) {
		v.Device = LMT
	}
	forbid := (s.on | s.bad) & setOf(COPPA, GPC)
	if s.bad.has(USPrivacy) || s.said.has(USPrivacy) && !allowsUSPrivacy(s.usPrivacy) {
		forbid.add(USPrivacy)
	}
	v.All = forbid.first()
	return v, v.All != None
}

// strings decides by the rest: the strings, and what applies.
func (s *Signals) strings(p Policy, now int64) (Kind, int64) {
	forbid := s.bad &^ setOf(LMT)
	var g gppString
	if s.said.has(GPP) {
		var ok bool
		if g, ok = readGPP(s.gpp); !ok {
			forbid.add(GPP)
			return forbid.first(), Never
		}
	}
	if s.missing(&g) {
		forbid.add(GPPSID)
	}
	us := s.usSections(&g, &forbid)
	underGDPR, until := s.gdpr(p, &g, now, &forbid)
	if p.Jurisdiction.us() && !us && !s.said.has(USPrivacy) && !underGDPR {
		forbid.add(USPrivacy)
	}
	return forbid.first(), until
}

// usSections decides by the sections that apply, but for that of the EU. said
// is whether one is of the US.
func (s *Signals) usSections(g *gppString, forbid *kindSet) (said bool) {
	for section, text := range g.all {
		if !s.applies(section) || section == tcfEUSection || section == headerSection || section == integritySection {
			continue
		}
		said = said || section >= firstUSSection
		if section == usPrivacySection {
			if !s.agreesUSPrivacy(text) {
				forbid.add(GPP)
			}
			continue
		}
		if u, ok := readUS(section, text); !ok || !u.allows() {
			forbid.add(GPP)
		}
	}
	return said
}

// agreesUSPrivacy says whether section 6 allows, and is what us_privacy is.
func (s *Signals) agreesUSPrivacy(text []byte) bool {
	if !validUSPrivacy(text) || !allowsUSPrivacy([4]byte(text)) {
		return false
	}
	return !s.said.has(USPrivacy) || s.usPrivacy == [4]byte(text)
}

// gdpr decides by the TC string, of gdpr_consent or of the GPP string. stated
// is whether the request itself, and not the default, is under the GDPR.
func (s *Signals) gdpr(p Policy, g *gppString, now int64, forbid *kindSet) (stated bool, until int64) {
	section, has := g.section(tcfEUSection)
	has = has && s.applies(tcfEUSection)
	if s.said.has(GDPR) && !s.on.has(GDPR) {
		if has {
			forbid.add(GDPR) // one says that it applies, the other that it does not
		}
		if _, ok := readTCF(s.tcf, 0); s.said.has(TCF) && !ok {
			forbid.add(TCF)
		}
		return has, Never
	}
	stated = s.on.has(GDPR) || s.said.has(TCF) || has
	text, from := s.tcf, TCF
	if !s.said.has(TCF) {
		text, from = section, GPP
	}
	switch {
	case !stated && !p.Jurisdiction.gdpr():
		return false, Never
	case p.permitsNothing(), !s.said.has(TCF) && !has:
		forbid.add(GDPR)
		return stated, Never
	case s.said.has(TCF) && has && string(text) != string(section):
		forbid.add(from)
		return stated, Never
	}
	t, ok := readTCF(text, p.Vendor)
	until = Never
	if ok {
		ok, until = t.allows(p, now)
	}
	if !ok {
		forbid.add(from)
	}
	return stated, until
}
