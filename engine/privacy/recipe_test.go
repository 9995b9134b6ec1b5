package privacy_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/privacy"
)

// The recipes of docs/privacy.md: name(option option), options with brackets
// of their own.

// fields splits s at spaces outside brackets.
func fields(s string) (out []string) {
	depth, start := 0, 0
	for i, c := range s + " " {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ' ' && depth == 0:
			if start < i {
				out = append(out, s[start:i])
			}
			start = i + 1
		}
	}
	return out
}

// signals notes the signals of a row.
func signals(t testing.TB, row string) *privacy.Signals {
	t.Helper()
	s := new(privacy.Signals)
	for _, field := range fields(strings.Trim(row, "`")) {
		name, value, ok := strings.Cut(field, "=")
		k := kind(name)
		if !ok || k == privacy.None {
			t.Fatalf("%q is not a signal", field)
		}
		if value == "{}" {
			s.Malformed(k)
			continue
		}
		s.Set(k, []byte(cook(t, value)))
	}
	return s
}

func kind(name string) privacy.Kind {
	for k := privacy.COPPA; k <= privacy.LMT; k++ {
		if k.String() == name {
			return k
		}
	}
	return privacy.None
}

// cook returns the string that a recipe makes, and what is none as it is.
func cook(t testing.TB, recipe string) string {
	t.Helper()
	name, inner, _ := strings.Cut(recipe, "(")
	options := fields(strings.TrimSuffix(inner, ")"))
	switch name {
	case "tc":
		return cookTC(t, options)
	case "gpp":
		var g gpp
		for _, section := range options {
			id, text, _ := strings.Cut(section, ":")
			n := atoi(t, id)
			if text == "us" || strings.HasPrefix(text, "us(") {
				text = cookUS(t, n, fields(strings.TrimSuffix(strings.TrimPrefix(text[2:], "("), ")")))
			}
			g = append(g, struct {
				id   int
				text string
			}{n, cook(t, text)})
		}
		return g.String()
	}
	return recipe
}

func cookTC(t testing.TB, options []string) string {
	c, cut, then := goodTC(), 0, ""
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "version":
			c.version = atoi(t, value)
		case "policy":
			c.policy = atoi(t, value)
		case "created":
			c.created = when(t, value)
			c.updated = c.created
		case "updated":
			c.updated = when(t, value)
		case "global":
			c.global = true
		case "treatment":
			c.treatment = true
		case "consents":
			c.consents = ids(t, value)
		case "li":
			c.interests = ids(t, value)
		case "vendors":
			c.vendors.ids = ids(t, value)
		case "livendors":
			c.liVendors.ids = ids(t, value)
		case "ranges":
			c.vendors.ranged, c.liVendors.ranged, c.disclosed.ranged = true, true, true
		case "restrict":
			part := strings.Split(value, ":")
			c.restrictions = append(c.restrictions, restriction{atoi(t, part[0]), atoi(t, part[1]), ids(t, part[2])})
		case "disclosed":
			if c.disclosed = nil; value != "none" {
				c.disclosed = &list{ids: ids(t, value)}
			}
		case "disclosedmax":
			c.disclosed.max = atoi(t, value)
		case "cut":
			cut = atoi(t, value)
		case "then":
			then = value
		default:
			t.Fatalf("unknown option %q", option)
		}
	}
	s := c.String()
	return s[:len(s)-cut] + then
}

func cookUS(t testing.TB, id int, options []string) string {
	u := goodUS(id)
	numbers := map[string]*int{
		"version": &u.version, "sharing_notice": &u.sharingNotice,
		"sale_notice": &u.saleNotice, "share_notice": &u.shareNotice, "ads_notice": &u.adsNotice,
		"sale": &u.sale, "share": &u.share, "ads": &u.ads,
		"sensitive": &u.sensitive, "child": &u.child, "second_child": &u.secondChild, "consent": &u.consent,
		"provider": &u.provider,
	}
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		switch to := numbers[name]; {
		case to != nil:
			*to = atoi(t, value)
		case name == "gpc":
			u.gpc = value
		case name == "then":
			u.more = value
		default:
			t.Fatalf("unknown option %q", option)
		}
	}
	return u.String()
}

// ids reads numbers and ranges of numbers between dots.
func ids(t testing.TB, s string) (out []int) {
	t.Helper()
	if s == "none" {
		return nil
	}
	for item := range strings.SplitSeq(s, ".") {
		from, to, several := strings.Cut(item, "-")
		if !several {
			to = from
		}
		for id := atoi(t, from); id <= atoi(t, to); id++ {
			out = append(out, id)
		}
	}
	return out
}

func atoi(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func when(t testing.TB, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return deciseconds(at)
}

// policy reads a policy: "vendor 42, purposes 1 2 7, gdpr", or "none".
func policy(t testing.TB, s string) (p privacy.Policy) {
	t.Helper()
	for part := range strings.SplitSeq(s, ", ") {
		word, rest, _ := strings.Cut(part, " ")
		var err error
		switch word {
		case "vendor":
			p.Vendor = uint16(atoi(t, rest))
		case "purposes":
			var numbers []int
			for n := range strings.FieldsSeq(rest) {
				numbers = append(numbers, atoi(t, n))
			}
			p.Purposes, err = privacy.Purposes(numbers...)
		default:
			p.Jurisdiction, err = privacy.ParseJurisdiction(word)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// words writes a verdict as in the table.
func words(v privacy.Verdict) string {
	var parts []string
	if v.All != privacy.None {
		parts = append(parts, fmt.Sprintf("no: %v", v.All))
	}
	if v.Device != privacy.None {
		parts = append(parts, fmt.Sprintf("no device ids: %v", v.Device))
	}
	if parts == nil {
		return "allowed"
	}
	return strings.Join(parts, ", ")
}
