package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Every lookup takes the signals as parameters and Sec-GPC, obeys them, and
// says which one it was.
func TestSignals(t *testing.T) {
	r := start(t, Options{})
	suppressed := func(signal string) string {
		return fmt.Sprintf(`"status":"none","reason":"suppressed","signal":"%s"`, signal)
	}
	for _, c := range []struct{ query, signal string }{
		{"coppa=1", "coppa"},
		{"coppa=0", ""},
		{"coppa=", "coppa"}, // not to be read, so no
		{"coppa=0&coppa=0", ""},
		{"coppa=0&coppa=1", "coppa"},
		{"c%6fppa=1", "coppa"},
		{"lmt=1", "lmt"},
		{"lmt=0", ""},
		{"gdpr=1", "gdpr"}, // without a vendor nothing is permitted
		{"gdpr=0", ""},
		{"gdpr=$%7BGDPR%7D", "gdpr"},
		{"gdpr_consent=COxxx", "gdpr"},
		{"us_privacy=1YYN", "us_privacy"},
		{"us_privacy=1YNN", ""},
		{"gpp=junk", "gpp"},
		{"gpp_sid=7", "gpp_sid"},
	} {
		want := `"status":"matched"`
		if c.signal != "" {
			want = suppressed(c.signal)
		}
		for name, got := range map[string]reply{
			"match":    r.ask(t, "GET", "/v1/match?id="+maidOne+"&"+c.query, "acme", ""),
			"first":    r.ask(t, "GET", "/v1/match?"+c.query+"&id="+maidOne, "acme", ""),
			"batch":    r.ask(t, "POST", "/v1/match?"+c.query, "acme", batch(maidOne)),
			"segments": r.ask(t, "GET", "/v1/segments?id="+maidOne+"&"+c.query, "acme", ""),
		} {
			if got.status != 200 || !strings.Contains(got.body, want) || c.signal != "" && strings.Contains(got.body, "C-1") {
				t.Errorf("%s, %s: got %d %s, want %s", c.query, name, got.status, got.body, want)
			}
		}
		if c.signal == "lmt" {
			continue // a customer id is no device's
		}
		got := r.ask(t, "GET", "/v1/identifiers?customer=acme:C-1&"+c.query, "acme", "")
		if got.status != 200 || !strings.Contains(got.body, want) {
			t.Errorf("%s, identifiers: got %d %s, want %s", c.query, got.status, got.body, want)
		}
	}
	// A listing leaves out what may not be used.
	if got := r.ask(t, "GET", "/v1/identifiers?customer=acme:C-1&lmt=1", "acme", ""); strings.Contains(got.body, "maid:") || !strings.Contains(got.body, cookieOne) {
		t.Errorf("lmt, identifiers: got %s", got.body)
	}
}

func TestGlobalPrivacyControl(t *testing.T) {
	r := start(t, Options{})
	for _, c := range []struct {
		lines      string
		suppressed bool
	}{
		{"", false},
		{"Sec-GPC: 1\r\n", true},
		{"sec-gpc:1\r\n", true},
		{"Sec-GPC: 0\r\n", false},
		{"Sec-GPC: yes\r\n", true},
		{"Sec-GPC: 0\r\nSec-GPC: 1\r\n", true},
		{"Sec-GPC: 0\r\nSec-GPC: 0\r\nSec-GPC: 1\r\n", true},
		{"Sec-GPX: 1\r\n", false},
	} {
		got := r.raw(t, "GET /v1/match?id="+maidOne+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\n"+c.lines+"Connection: close\r\n\r\n")
		if len(got) != 1 || got[0].status != http.StatusOK || strings.Contains(got[0].body, "suppressed") != c.suppressed {
			t.Errorf("%q: got %+v", c.lines, got)
		}
	}
}
