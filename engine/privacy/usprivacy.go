package privacy

// validUSPrivacy says whether v has the form of a us_privacy string: version
// 1, then notice, opt-out of sale and the agreement of the field (LSPA), each
// Y, N, or - where it does not apply.
func validUSPrivacy(v []byte) bool {
	if len(v) != 4 || v[0] != '1' {
		return false
	}
	for _, c := range v[1:] {
		if c != 'Y' && c != 'N' && c != '-' {
			return false
		}
	}
	return true
}

// allowsUSPrivacy says whether a valid us_privacy string allows: nobody opted
// out of the sale, and nobody was left without notice of it.
func allowsUSPrivacy(v [4]byte) bool { return v[1] != 'N' && v[2] != 'Y' }
