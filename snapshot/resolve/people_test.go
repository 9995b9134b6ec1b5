package resolve

import (
	"testing"

	"github.com/matchd/matchd/snapshot"
)

// What the rules are for: somebody who is not this person is refused, and
// somebody who is stays.
func TestWhoIsOne(t *testing.T) {
	const (
		login    = snapshot.Authenticated
		observed = snapshot.Observed
		synced   = snapshot.CookieSync
		guessed  = snapshot.Inferred
	)
	nobody := func() *sketch { return newSketch(DefaultRules()) }
	for name, c := range map[string]struct {
		s    *sketch
		want string
	}{
		"a couple, one tenant's, by way of another's record": {
			nobody().record("customer1@a", "email1", "postal1").record("customer2@a", "email2", "postal1", "phone1").record("customer3@b", "email1", "postal1", "phone1"),
			"[phone1] | [postal1] | customer1@a customer3@b email1 | customer2@a email2",
		},
		"a couple's tenant, where each agrees in two kinds with another's record": {
			nobody().record("customer1@a", "email1", "phone1").record("customer2@a", "phone2", "postal1").
				record("customer3@b", "email1", "phone1", "postal1").record("customer4@b", "phone2", "postal1"),
			"[postal1] | customer1@a customer3@b email1 phone1 | customer2@a customer4@b phone2",
		},
		"a tenant's two records that differ in one kind and agree in two": {
			nobody().record("customer1@a", "email1", "phone1", "postal1").record("customer2@a", "email1", "phone2", "postal1"),
			"customer1@a customer2@a email1 phone1 phone2 postal1",
		},
		"a tenant's two records that differ in nothing, by way of a third": {
			nobody().record("customer1@a", "email1").record("customer2@a", "phone1").record("customer3@b", "email1", "phone1"),
			"customer1@a customer2@a customer3@b email1 phone1",
		},
		"a family with one phone and two emails, at two tenants": {
			nobody().record("customer1@a", "email1", "phone1").record("customer2@b", "email2", "phone1"),
			"[phone1] | customer1@a email1 | customer2@b email2",
		},
		"one email and two phones, at two tenants": {
			nobody().record("customer1@a", "email1", "phone1").record("customer2@b", "email1", "phone2"),
			"customer1@a customer2@b email1 phone1 phone2",
		},
		"two emails, one phone and one address, at two tenants": {
			nobody().record("customer1@a", "email1", "phone1", "postal1").record("customer2@b", "email2", "phone1", "postal1"),
			"customer1@a customer2@b email1 email2 phone1 postal1",
		},
		"two customers that somebody saw together": {
			nobody().record("customer1@a", "email1").record("customer2@b", "phone1").is("email1", "phone1", observed, 1),
			"customer1@a email1 | customer2@b phone1",
		},
		"two customers that somebody links outright, without a login": {
			nobody().is("customer1@a", "customer2@b", observed, 1), "customer1@a | customer2@b",
		},
		"two customers whose contacts were in one login": {
			nobody().record("customer1@a", "email1").record("customer2@b", "phone1").is("email1", "phone1", login, 1),
			"customer1@a customer2@b email1 phone1",
		},
		"a customer and a phone that somebody saw together": {
			nobody().record("customer1@a", "email1").is("email1", "phone1", observed, 1), "customer1@a email1 phone1",
		},
		"two sources that guess, against a login": {
			nobody().is("customer1@a", "device", login, 1).is("customer2@a", "device", synced, 9, 1, 2),
			"[device] | customer1@a | customer2@a",
		},
		"a login that a guess confirms, against a login": {
			nobody().is("customer1@a", "device", login, 1, 0).is("customer1@a", "device", guessed, 1, 0, 1).is("customer2@a", "device", login, 9, 2),
			"customer1@a device | customer2@a",
		},
		"two sources, against one that guesses as they do": {
			nobody().is("customer1@a", "device", synced, 9).is("customer2@a", "device", synced, 1, 1, 2),
			"customer1@a | customer2@a device",
		},
		"a second email that a partner saw": {
			nobody().record("customer1@a", "email1").is("email1", "email2", observed, 1), "customer1@a email1 | email2",
		},
		"a second email that a partner authenticates": {
			nobody().record("customer1@a", "email1").is("email1", "email2", login, 1), "customer1@a email1 email2",
		},
		"a second email that a partner authenticates of two": {
			nobody().record("customer1@a", "email1").record("customer2@a", "email3").is("email1", "email2", login, 1).is("email3", "email2", login, 1),
			"[email2] | customer1@a email1 | customer2@a email3",
		},
	} {
		if got := c.s.persons(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// The reasons that a refused link is given.
func TestWhyTheyAreNotOne(t *testing.T) {
	s := newSketch(DefaultRules()).record("customer1@a", "email1").record("customer2@b", "phone1").
		is("email1", "phone1", snapshot.Observed, 1).is("email1", "email2", snapshot.Observed, 1)
	if got := s.reason("email1", "phone1"); got != Weak {
		t.Errorf("an observed link between two customers' contacts: %v", got)
	}
	if got := s.reason("email1", "email2"); got != Different {
		t.Errorf("an observed link to a second email: %v", got)
	}
}

// As many records on a contact as the limit are one customer's duplicates, one
// more is a crowd's.
func TestDuplicatesAndCrowds(t *testing.T) {
	for _, c := range []struct {
		records int
		want    int // persons
	}{{10, 1}, {11, 12}} {
		s := newSketch(DefaultRules())
		for i := range c.records {
			s.record("customer"+string(rune('a'+i))+"@a", "email1")
		}
		s.sort()
		persons := 0
		for n, p := range s.resolve().Person {
			if int(p) == n {
				persons++
			}
		}
		if persons != c.want {
			t.Errorf("%d records of one email are %d persons, want %d", c.records, persons, c.want)
		}
	}
}

// Of two records with nothing else around, every case: for each kind of
// contact neither has one, or one, or both have the same or another.
func TestTwoRecords(t *testing.T) {
	ones := 0
	for i := range 2 * 5 * 5 * 5 {
		same, code := i%2 == 0, i/2
		second := "customer2@b"
		if same {
			second = "customer2@a"
		}
		s := newSketch(DefaultRules())
		s.node("customer1@a")
		s.node(second)
		agree, differ, emails, firstOnly, secondOnly := 0, 0, false, 0, 0
		for _, kind := range []string{"email", "phone", "postal"} {
			switch code % 5 {
			case 1:
				s.record("customer1@a", kind)
				firstOnly++
			case 2:
				s.record(second, kind)
				secondOnly++
			case 3:
				s.record("customer1@a", kind).record(second, kind)
				agree++
			case 4:
				s.record("customer1@a", kind).record(second, kind+"2")
				differ, emails = differ+1, emails || kind == "email"
			}
			code /= 5
		}
		want := agree >= 2
		if agree == 1 && same {
			want = differ == 0 && (firstOnly == 0 || secondOnly == 0)
		} else if agree == 1 {
			want = differ <= 1 && !emails
		}
		s.sort()
		res := s.resolve()
		if got := res.Person[0] == res.Person[1]; got != want {
			t.Errorf("%v one: %t, want %t", s, got, want)
		}
		if want {
			ones++
		}
	}
	if ones == 0 {
		t.Error("no two records are one")
	}
}
