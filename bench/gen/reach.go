package gen

import "strings"

// reaches tells whether the links that use says lead from profile f to a cookie or a device of the same person,
// over identifiers that are all that person's.
func (h *household) reaches(f profile, use func(link) bool) bool {
	own := func(at int) bool { return h.ids[at].owners&(1<<f.who) != 0 }
	known := make([]bool, len(h.ids))
	known[f.self] = true
	join := func(a, b int) bool {
		if a < 0 || b < 0 || known[a] == known[b] || !own(a) || !own(b) {
			return false
		}
		known[a], known[b] = true, true
		return true
	}
	for grown := true; grown; {
		grown = false
		for _, p := range h.profiles {
			grown = join(p.self, p.emailAt) || grown
			grown = join(p.self, p.phoneAt) || grown
		}
		for _, l := range h.links {
			grown = use(l) && join(l.left, l.right) || grown
		}
	}
	for at, is := range known {
		if is && isDevice(h.ids[at].name) {
			return true
		}
	}
	return false
}

// isDevice tells cookies and advertising ids from what is known about people.
func isDevice(name string) bool {
	return strings.HasPrefix(name, "maid:") || strings.HasPrefix(name, "cookie.")
}

func freshLogin(l link) bool { return l.file == fileLogins && !l.aged }
func freshLink(l link) bool  { return !l.aged }
