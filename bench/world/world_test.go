package world

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
)

// Whoever asks for an identifier or a customer of a world gets an answer for
// years after its time, and gets none for those who belong to nobody.
func TestAnswersLast(t *testing.T) {
	w := &World{IDs: 100, Seed: 4}
	store, err := w.Publish(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var ids [][]byte
	for i := range w.IDs {
		ids = append(ids, w.AppendText(nil, i))
	}
	for person := range w.Persons() {
		ids = append(ids, w.AppendCustomer(nil, person))
	}
	owned := len(ids)
	ids = append(ids, w.AppendText(nil, w.IDs), w.AppendCustomer(nil, w.Persons()))
	for _, years := range []int{0, 1, lasting - 1} {
		now := w.AsOf().AddDate(years, 0, 0)
		e, err := engine.New(engine.Options{Store: store, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		all := []string{engine.All}
		if err := e.SetClients([]engine.Client{{Name: "bench", Grants: []engine.Grant{{Tenant: Tenant, Segments: all, Namespaces: all, Customers: true}}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Reload(); err != nil {
			t.Fatal(err)
		}
		s, err := e.Begin("bench")
		if err != nil {
			t.Fatal(err)
		}
		var b engine.Batch
		if err := s.Match(&b, ids); err != nil {
			t.Fatal(err)
		}
		for i := range b.Answers {
			if a := &b.Answers[i]; a.Matched() != (i < owned) {
				t.Errorf("%d years on, the answer to %s is %s", years, ids[i], a.Reason)
			}
		}
		s.End()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// In a world for bid requests a cookie leads where the person's mobile ids do,
// and what else there is answers as in one that is not.
func TestBids(t *testing.T) {
	plain, w := &World{IDs: 100, Seed: 4}, &World{IDs: 100, Seed: 4, Bids: true}
	answers := map[*World][]string{}
	for _, w := range []*World{plain, w} {
		store, err := w.Publish(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(engine.Options{Store: store, Now: w.AsOf})
		if err != nil {
			t.Fatal(err)
		}
		all := []string{engine.All}
		if err := e.SetClients([]engine.Client{{Name: "bench", Grants: []engine.Grant{{Tenant: Tenant, Segments: all, Namespaces: all, Customers: true}}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Reload(); err != nil {
			t.Fatal(err)
		}
		s, err := e.Begin("bench")
		if err != nil {
			t.Fatal(err)
		}
		for person := range w.Persons() + 1 {
			var b engine.Batch
			if err := s.Match(&b, [][]byte{w.AppendText(nil, person*PerPerson), fmt.Appendf(nil, "%s:%s", Cookies, w.Cookie(person))}); err != nil {
				t.Fatal(err)
			}
			customer := func(a *engine.Answer) string {
				if !a.Matched() {
					return string(a.Reason)
				}
				return fmt.Sprint(string(b.Customer(&b.Profiles(a)[0])), b.Segments(&b.Profiles(a)[0]))
			}
			device, cookie := customer(&b.Answers[0]), customer(&b.Answers[1])
			answers[w] = append(answers[w], device)
			if w.Bids && device != cookie {
				t.Errorf("person %d: %s by the device and %s by the cookie", person, device, cookie)
			}
			if known := person < w.Persons(); known != b.Answers[0].Matched() {
				t.Errorf("person %d: %s", person, device)
			}
		}
		s.End()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(answers[plain], answers[w]) {
		t.Errorf("answers differ:\n%v\n%v", answers[plain], answers[w])
	}
}
