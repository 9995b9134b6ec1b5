package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/snapshot"
)

var (
	morning = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	newYear = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
)

// TestParse reads each type, with all that it may say.
func TestParse(t *testing.T) {
	for text, want := range map[string]event.Event{
		`{"id":"e-1","at":"2026-11-21T10:00:00Z","type":"link","left":"cookie.acme:9f8c","right":"crm.acme:C-1","method":"observed"}`: {
			ID: "e-1", At: morning, Type: event.Link, Left: "cookie.acme:9f8c", Right: "crm.acme:C-1", Method: snapshot.Observed,
		},
		`{"type":"link","id":"e","left":"a:1","right":"b:2"}`:   {ID: "e", Type: event.Link, Left: "a:1", Right: "b:2", Method: snapshot.Authenticated},
		`{"id":"e","type":"unlink","left":"a:1","right":"b:2"}`: {ID: "e", Type: event.Unlink, Left: "a:1", Right: "b:2"},
		`{"id":"e","type":"segment_add","customer":"acme:C:1","segment":"vip","until":"2027-01-01"}`: {
			ID: "e", Type: event.SegmentAdd, Customer: "acme:C:1", Segment: "vip", Until: newYear,
		},
		`{"id":"e","type":"segment_remove","customer":"acme:C-1","segment":"vip"}`: {ID: "e", Type: event.SegmentRemove, Customer: "acme:C-1", Segment: "vip"},
		`{"id":"e","type":"consent","customer":"acme:C-1","status":"granted"}`: {
			ID: "e", Type: event.Consent, Customer: "acme:C-1", Granted: true, Purposes: snapshot.Use,
		},
		`{"id":"e","type":"consent","customer":"acme:C-1","status":"granted","purposes":["share","use"],"until":"2027-01-01T00:00:00Z"}`: {
			ID: "e", Type: event.Consent, Customer: "acme:C-1", Granted: true, Purposes: snapshot.Use | snapshot.Share, Until: newYear,
		},
		`{"id":"e","type":"consent","customer":"acme:C-1","status":"withdrawn"}`:        {ID: "e", Type: event.Consent, Customer: "acme:C-1"},
		`{"id":"e","type":"opt_out","tenant":"acme","identifier":"maid:1"}`:             {ID: "e", Type: event.OptOut, Tenant: "acme", Identifier: "maid:1"},
		`{"id":"e","type":"opt_out","tenant":"*","identifier":"maid:1"}`:                {ID: "e", Type: event.OptOut, Tenant: "*", Identifier: "maid:1"},
		`{"id":"e","type":"opt_in","tenant":"acme","identifier":"maid:1"}`:              {ID: "e", Type: event.OptIn, Tenant: "acme", Identifier: "maid:1"},
		`{"id":"e","type":"opt_in","tenant":"acme","customer":"acme:C-1"}`:              {ID: "e", Type: event.OptIn, Tenant: "acme", Customer: "acme:C-1"},
		` { "id" : "e", "type":"erase","tenant":"acme","customer":"acme:C-1" } ` + "\n": {ID: "e", Type: event.Erase, Tenant: "acme", Customer: "acme:C-1"},
		`{"id":"e","type":"erase","tenant":"*","customer":"acme:C-1"}`:                  {ID: "e", Type: event.Erase, Tenant: "*", Customer: "acme:C-1"},
	} {
		got, err := event.Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got != want {
			t.Errorf("%s\nis %+v\nnot %+v", text, got, want)
		}
	}
}

// TestParseRefuses has one row for each thing that can be wrong. What is said
// names the field, and never what stands in it.
func TestParseRefuses(t *testing.T) {
	const secret = "s3cret"
	for _, c := range []struct{ text, want string }{
		{``, "not one JSON object"},
		{`[]`, "not one JSON object"},
		{`null`, "not one JSON object"},
		{`{"id":"e","type":"erase"`, "not one JSON object"},
		{`{"id":"e","type":"erase","tenant":"acme","customer":"acme:C-1"} {}`, "not one JSON object"},
		{`{"id":"e","type":"erase","tenant":"acme","customer":"acme:C-1"}x`, "not one JSON object"},
		{"{\"id\":\"\xff\"}", "not UTF-8"},
		{`{"id":"` + strings.Repeat("x", event.MaxBytes) + `"}`, "longer than 4096"},
		{`{"s3cret":1}`, "a field that changes do not have"},
		{`{"ID":"e"}`, "a field that changes do not have"},
		{`{"id":"e","id":"e"}`, "id is there twice"},
		{`{"id":7}`, "id: it is not a string"},
		{`{"id":null}`, "id: it is not a string"},
		{`{"id":""}`, "id: it is not 1 to 128"},
		{`{"id":"` + strings.Repeat("x", event.MaxID+1) + `"}`, "id: it is not 1 to 128"},
		{`{"id":"s3cret s3cret"}`, "id: it has a byte"},
		{`{"id":"é"}`, "id: it has a byte"},
		{`{"at":"s3cret"}`, "at: not a time"},
		{`{"at":"1970-01-01"}`, "at: it is 1970"},
		{`{"until":"1969-12-31"}`, "until: it is 1970"},
		{`{"type":"s3cret"}`, "type: there is no such type"},
		{`{"type":""}`, "type: there is no such type"},
		{`{"method":"s3cret"}`, "method: it is none of"},
		{`{"customer":"s3cret"}`, "customer: write tenant:customer_id"},
		{`{"customer":":s3cret"}`, "customer: write tenant:customer_id"},
		{`{"customer":"s3cret:"}`, "customer: write tenant:customer_id"},
		{`{"segment":""}`, "segment: it is empty"},
		{`{"status":"s3cret"}`, "status: it is neither"},
		{`{"tenant":""}`, "tenant: it is empty"},
		{`{"purposes":"use"}`, "purposes: it is not a list"},
		{`{"purposes":[]}`, "purposes: it is empty"},
		{`{"purposes":["s3cret"]}`, "purposes: there is one"},
		{`{"purposes":[7]}`, "purposes: it is not a string"},
		{`{"type":"erase","tenant":"acme","customer":"acme:C-1"}`, "id is missing"},
		{`{"id":"e","tenant":"acme","customer":"acme:C-1"}`, "type is missing"},
		{`{"id":"e","type":"link","left":"a:s3cret"}`, "right is missing: link has one"},
		{`{"id":"e","type":"unlink","left":"a:1","right":"b:2","method":"observed"}`, "method is there: unlink has none"},
		{`{"id":"e","type":"opt_out","tenant":"acme","identifier":"maid:1","customer":"acme:C-1"}`, "customer is there: opt_out has none"},
		{`{"id":"e","type":"opt_out","identifier":"maid:1"}`, "tenant is missing"},
		{`{"id":"e","type":"opt_in","tenant":"acme"}`, "either an identifier or a customer"},
		{`{"id":"e","type":"opt_in","tenant":"acme","identifier":"maid:1","customer":"acme:C-1"}`, "either an identifier or a customer"},
		{`{"id":"e","type":"consent","customer":"acme:C-1","status":"withdrawn","until":"2027-01-01"}`, "of what is granted"},
		{`{"id":"e","type":"consent","customer":"acme:C-1","status":"withdrawn","purposes":["use"]}`, "of what is granted"},
		{`{"id":"e","type":"erase","tenant":"other","customer":"acme:s3cret"}`, "another tenant's"},
	} {
		got, err := event.Parse([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: %v, not %q", c.text, err, c.want)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%.80s: %v repeats what was sent", c.text, err)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80s: %v says two things", c.text, err)
		}
		if got != (event.Event{}) {
			t.Errorf("%.80s is refused, and is %+v", c.text, got)
		}
	}
}

// TestSplit takes bodies apart.
func TestSplit(t *testing.T) {
	for body, want := range map[string]string{
		"":                      "",
		"\n \r\n\t":             "",
		"{}":                    "1:{}",
		"{}\n":                  "1:{}",
		"a\r\n\n b \nc":         "1:a 3:b 4:c",
		"[]":                    "",
		" \n[{},\n 7,[\"x\"]] ": "1:{} 2:7 3:[\"x\"]",
		"[{}":                   "error",
		"[{},]":                 "error",
		"[{}]{}":                "error",
		"[{]":                   "error",
	} {
		lines, err := event.Split([]byte(body))
		var got []string
		for _, l := range lines {
			got = append(got, string(json.Number(itoa(l.Number)))+":"+string(l.Text))
		}
		text := strings.Join(got, " ")
		if err != nil {
			text = "error"
		}
		if text != want {
			t.Errorf("%q is %q, not %q", body, text, want)
		}
	}
}

// FuzzParse looks for text that Parse reads and encoding/json does not, and for
// panics.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"id":"e-1","at":"2026-11-21T10:00:00Z","type":"link","left":"cookie.acme:9f8c","right":"crm.acme:C-1","method":"observed"}`,
		`{"id":"e","type":"consent","customer":"acme:C-1","status":"granted","purposes":["share","use"],"until":"2027-01-01T00:00:00Z"}`,
		`{"id":"e","type":"opt_in","tenant":"*","customer":"acme:C-1"}`, `{"id":"e","id":"e"}`, `[`, `{"a`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := event.Parse(text)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Errorf("%q is no JSON", text)
		}
		b, err := e.Bind(names(t), "client", morning)
		if err != nil {
			return
		}
		sameAgain(t, &b)
	})
}
