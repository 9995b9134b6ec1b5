package normalise

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot/build/config"
)

// An address or a number in clear is no segment's code and no id of the bid
// stream, and no error repeats it.
func TestBidStreamInClearIsRefused(t *testing.T) {
	for _, c := range []struct {
		code, id string
		want     string // in the error; empty where it is good
	}{
		{"vip", "A1", ""},
		{"user@host", "33612345678", ""},
		{"jane@example.com", "A1", "code is an email address in clear"},
		{"+33612345678", "A1", "code is a phone number in clear"},
		{"vip", "x jim%40example.com", `the id of segment "vip" is an email address in clear`},
		{"vip", "tel:+33612345677", `the id of segment "vip" is a phone number in clear`},
	} {
		text := strings.Replace(testConfig, "{name: zeta,",
			fmt.Sprintf("{name: zeta, domain: zeta.example, bid_stream: {segtax: 501, segments: {a: b, %q: %q}},", c.code, c.id), 1)
		cfg, err := config.Parse([]byte(text), ".")
		if err != nil {
			t.Fatal(err)
		}
		ns, err := cfg.NamespaceTable()
		if err != nil {
			t.Fatal(err)
		}
		_, err = New(cfg, ns, testAsOf)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %q is refused: %v", c.code, c.id, err)
		case c.want == "":
		case err == nil || !strings.Contains(err.Error(), `tenant "zeta": bid_stream: `) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%q: %q: error %v, want %s", c.code, c.id, err, c.want)
		case strings.Contains(err.Error(), "example.com") || strings.Contains(err.Error(), "336"):
			t.Errorf("the error repeats it: %v", err)
		}
	}
}
