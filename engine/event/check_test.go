package event_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/snapshot/build/normalise"
)

// What a build could not take from a file, or would take for something else, is
// refused before it is bound.
func TestParseRefusesWhatNoFileHas(t *testing.T) {
	long := strings.Repeat("v", 129)
	for _, c := range []struct{ name, text, want string }{
		{"a code with a bar", `{"id":"e","type":"segment_add","customer":"acme:C-1","segment":"vip|churn"}`, "segment: no segment"},
		{"a code with spaces around it", `{"id":"e","type":"segment_add","customer":"acme:C-1","segment":" vip"}`, "segment: no segment"},
		{"a code with a control character", `{"id":"e","type":"segment_add","customer":"acme:C-1","segment":"v\u0000"}`, "segment: no segment"},
		{"a code that is too long", `{"id":"e","type":"segment_remove","customer":"acme:C-1","segment":"` + long + `"}`, "segment: no segment"},
		{"an empty code", `{"id":"e","type":"segment_add","customer":"acme:C-1","segment":""}`, "segment: it is empty"},
		{"half of a surrogate pair", `{"id":"e","type":"opt_out","tenant":"acme","identifier":"cookie.acme:\ud800"}`, "identifier: it has a character"},
		{"what json replaces it by", `{"id":"e","type":"opt_out","tenant":"acme","identifier":"cookie.acme:` + "\ufffd" + `"}`, "identifier: it has a character"},
		{"an end before the change", `{"id":"e","type":"segment_add","at":"2026-11-21","until":"2026-11-20","customer":"acme:C-1","segment":"vip"}`, "until is before at"},
		{"of a consent", `{"id":"e","type":"consent","at":"2026-11-21","until":"2026-11-20","customer":"acme:C-1","status":"granted"}`, "until is before at"},
	} {
		if _, err := event.Parse([]byte(c.text)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	for _, text := range []string{
		`{"id":"e","type":"segment_add","at":"2026-11-21","until":"2026-11-21","customer":"acme:C-1","segment":"vip"}`,
		`{"id":"e","type":"segment_add","until":"1999-01-01","customer":"acme:C-1","segment":"haute vol\u00e9e"}`,
		`{"id":"e","type":"opt_out","tenant":"acme","identifier":"cookie.acme:\ud83d\ude00"}`,
	} {
		if _, err := event.Parse([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Contact data in clear and placeholders are in no record, as they are in no
// snapshot; an opt-out or an erasure, which keeps a hash alone, may name them.
func TestBindKeepsNoContactInClear(t *testing.T) {
	n := names(t)
	values := normalise.NewValues(n.Namespaces)
	n.CheckKey, n.CheckText = values.CheckKey, values.CheckText
	const nothing = "email_sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	const secret = "jane.doe@mail.example"
	for _, c := range []struct {
		name, text, field string // empty where it may be
	}{
		{"an address in a link", `{"id":"e","type":"link","left":"cookie.acme:` + secret + `","right":"crm.acme:C-1"}`, "left"},
		{"at its other end", `{"id":"e","type":"link","left":"crm.acme:C-1","right":"cookie.acme:` + secret + `"}`, "right"},
		{"in what cuts one", `{"id":"e","type":"unlink","left":"cookie.acme:` + secret + `","right":"crm.acme:C-1"}`, "left"},
		{"a phone number", `{"id":"e","type":"link","left":"cookie.acme:+33612345678","right":"crm.acme:C-1"}`, "left"},
		{"the hash of nothing", `{"id":"e","type":"link","left":"` + nothing + `","right":"crm.acme:C-1"}`, "left"},
		{"a customer's address", `{"id":"e","type":"segment_add","customer":"acme:` + secret + `","segment":"vip"}`, "customer"},
		{"of one who consents", `{"id":"e","type":"consent","customer":"acme:` + secret + `","status":"withdrawn"}`, "customer"},
		{"an address as a segment", `{"id":"e","type":"segment_add","customer":"acme:C-1","segment":"` + secret + `"}`, "segment"},
		{"a link", `{"id":"e","type":"link","left":"cookie.acme:9f8c","right":"crm.acme:C-1"}`, ""},
		{"a segment", `{"id":"e","type":"segment_add","customer":"acme:C-1","segment":"vip"}`, ""},
		{"an opt-out of an address", `{"id":"e","type":"opt_out","tenant":"acme","identifier":"cookie.acme:` + secret + `"}`, ""},
		{"an opt-out of the hash of nothing", `{"id":"e","type":"opt_out","tenant":"acme","identifier":"` + nothing + `"}`, ""},
		{"an erasure of an address", `{"id":"e","type":"erase","tenant":"acme","customer":"acme:` + secret + `"}`, ""},
	} {
		e, err := event.Parse([]byte(c.text))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		b, err := e.Bind(n, "c", time.Unix(1e9, 0))
		if c.field == "" {
			if err != nil || strings.Contains(string(b.Append(nil)), secret) {
				t.Errorf("%s: %v, kept as %q", c.name, err, b.Append(nil))
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.field+": ") || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v, want an error about %s that does not repeat it", c.name, err, c.field)
		}
	}
	refusal := errors.New("no")
	n.CheckText = func(string) error { return refusal }
	e := event.Event{ID: "e", Type: event.Consent, Customer: "acme:C-1", Granted: true, Purposes: 1}
	if _, err := e.Bind(n, "c", time.Unix(1e9, 0)); err != nil {
		t.Errorf("a consent has no segment to refuse: %v", err)
	}
}
