package resolve

import (
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/index"
)

func TestKindOf(t *testing.T) {
	for name, want := range map[string]Kind{
		"crm.acme": Customer, "crm.": Customer, index.EmailSHA256: Email, index.PhoneSHA256: Phone, index.PostalHash: Postal,
		index.MAID: Device, "cookie.acme": Device, "email_sha256.acme": Device,
	} {
		if got := KindOf(index.Namespace{Name: name}); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := DefaultRules().Validate(); err != nil {
		t.Error(err)
	}
	for name, set := range map[string]func(r *Rules, n int){
		"identifiers of a person": func(r *Rules, n int) { r.MaxIdentifiers = n },
		"customers on a device":   func(r *Rules, n int) { r.MaxOnDevice = n },
		"customers on a contact":  func(r *Rules, n int) { r.MaxOnContact = n },
	} {
		for _, n := range []int{-1, 0, 1, MaxLimit, MaxLimit + 1} {
			r := DefaultRules()
			set(&r, n)
			err := r.Validate()
			if ok := n >= 1 && n <= MaxLimit; ok != (err == nil) || !ok && !strings.Contains(err.Error(), name) {
				t.Errorf("%s %d: %v", name, n, err)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for _, s := range []Shared{SharedNobody, SharedLatest} {
		if got, err := ParseShared(s.String()); err != nil || got != s {
			t.Errorf("%v is %v: %v", s, got, err)
		}
	}
	if _, err := ParseShared("everybody"); err == nil || !strings.Contains(err.Error(), "everybody") {
		t.Errorf("a policy that does not exist: %v", err)
	}
	names := map[string]bool{Kept.String(): true}
	for _, r := range Reasons() {
		names[r.String()] = true
	}
	if len(names) != int(reasons) {
		t.Errorf("%d reasons have the names %v", reasons, names)
	}
}

// A builder that counts users by Crowded, Class and Limit, and leaves crowded
// identifiers out before it looks for connected sets, gets the same persons.
func TestCrowdsAsABuilderFindsThem(t *testing.T) {
	crowds := 0
	eachComponent(t, 20_000, func(t rapid.TB, c *component) {
		crowded := crowdsOf(c)
		r := NewResolver(c.rules)
		r.reset(c.nodes)
		r.pair(c.edges)
		r.limit()
		for n := range c.nodes {
			if r.shared[n] != crowded[n] {
				t.Fatalf("%vnode %d is crowded: %t, want %t", c, n, r.shared[n], crowded[n])
			}
		}
		whole := c.resolve()
		rest := &component{rules: c.rules, nodes: c.nodes}
		for i, e := range c.edges {
			if crowded[e.A] || crowded[e.B] {
				crowds++
				if whole.Cuts[i] != TooMany {
					t.Fatalf("%v%+v\nedge %d is to a crowded identifier", c, whole, i)
				}
				continue
			}
			rest.edges = append(rest.edges, e)
		}
		parts := rest.resolve()
		for n := range c.nodes {
			if parts.Person[n] != whole.Person[n] || parts.Shared[n] != (whole.Shared[n] && !crowded[n]) {
				t.Fatalf("%vwhole %+v\nwithout crowds %+v", c, whole, parts)
			}
		}
	})
	if crowds < 100 {
		t.Errorf("%d links to crowded identifiers", crowds)
	}
}

// crowdsOf counts as a builder does: links of all pairs, one by one.
func crowdsOf(c *component) []bool {
	type use struct{ used, class uint32 }
	users := map[use]map[uint32]bool{}
	crowded := make([]bool, len(c.nodes))
	for _, e := range c.edges {
		usedIsA, ok := Crowded(c.nodes[e.A], c.nodes[e.B])
		if back, same := Crowded(c.nodes[e.B], c.nodes[e.A]); same != ok || ok && back == usedIsA {
			panic("Crowded depends on the order of the two")
		}
		devices := c.nodes[e.A].Kind == Device && c.nodes[e.B].Kind == Device
		for _, way := range []struct {
			used, user uint32
			counts     bool
		}{{e.A, e.B, devices || ok && usedIsA}, {e.B, e.A, devices || ok && !usedIsA}} {
			if !way.counts {
				continue
			}
			u := use{way.used, c.nodes[way.user].Class()}
			if users[u] == nil {
				users[u] = map[uint32]bool{}
			}
			users[u][way.user] = true
			if len(users[u]) > c.rules.Limit(c.nodes[way.used].Kind, c.nodes[way.user].Kind) {
				crowded[way.used] = true
			}
		}
	}
	return crowded
}

// A device that hangs together with more devices than anybody has is nobody's:
// a value that a partner gives to all of whom it knows nothing.
func TestHubOfDevices(t *testing.T) {
	rules := DefaultRules()
	rules.MaxIdentifiers = 2
	for devices, want := range map[int]bool{20: false, 21: true} {
		nodes := []Node{{Kind: Customer}, {Kind: Device}}
		edges := []Edge{{A: 0, B: 1}}
		for i := range uint32(devices) {
			nodes = append(nodes, Node{Kind: Device})
			edges = append(edges, Edge{A: 1, B: 2 + i, Method: snapshot.CookieSync})
		}
		res := NewResolver(rules).Resolve(nodes, edges)
		if res.Shared[1] != want || (res.Person[1] == res.Person[0]) == want {
			t.Errorf("%d devices: shared is %t, with its customer %t", devices, res.Shared[1], res.Person[1] == res.Person[0])
		}
	}
}
