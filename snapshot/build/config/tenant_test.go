package config

import (
	"fmt"
	"strings"
	"testing"
)

// bidStream is a config whose tenant declares text.
func bidStream(text string) string {
	return "version: 1\ntenants:\n  - name: acme\n    domain: acme.example\n    profiles: []\n    bid_stream:" + text + "\n"
}

func TestBidStream(t *testing.T) {
	const codes = "\n      segtax: 501\n      segments: "
	long := strings.Repeat("é", 32) // 64 bytes
	for _, c := range []struct{ in, want string }{
		{codes + "{vip: A1}", "501 map[vip:A1]"},
		{codes + "{a: X, b: X}", "501 map[a:X b:X]"}, // two segments may be as one
		{codes + "\n        vip: 007\n        null: ~x", "501 map[null:~x vip:007]"},
		{codes + "{a: no, b: 1e3, c: \" \"}", "501 map[a:no b:1e3 c: ]"},
		{codes + "{" + strings.Repeat("c", 128) + ": " + long + "}", "501 map[" + strings.Repeat("c", 128) + ":" + long + "]"},
		{" {segtax: 500, segments: {a: b}}", "500 map[a:b]"},
		{" {segments: {a: b}, segtax: 2147483647}", "2147483647 map[a:b]"},
	} {
		config, err := Parse([]byte(bidStream(c.in)), ".")
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		b := config.SnapshotTenants()[0].BidStream
		if got := fmt.Sprint(b.Segtax, b.Segments); got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.in, got, c.want)
		}
	}
	if b := mustParse(t, minimal("")).SnapshotTenants()[0].BidStream; b != nil {
		t.Errorf("a tenant that declares nothing has %+v", b)
	}
}

func TestBidStreamErrors(t *testing.T) {
	const codes = "\n      segtax: 501\n      segments: "
	const id = "is not an id of 1 to 64 bytes that can all be printed"
	for _, c := range []struct{ in, want string }{
		{"", "onboard.yaml:6: bid_stream: is empty, and should be a mapping (key: value)"},
		{" [a]", "onboard.yaml:6: bid_stream: is a list, and should be a mapping (key: value)"},
		{" {segments: {a: b}}", `onboard.yaml:6: bid_stream: key "segtax" is missing; add it`},
		{" {segtax: 501}", `onboard.yaml:6: bid_stream: key "segments" is missing; add it`},
		{" {segtax: 501, segment: {a: b}}", `onboard.yaml:6: bid_stream: unknown key "segment"; did you mean "segments"? Known are segments, segtax`},
		{" {segtax: 501, segtax: 502, segments: {a: b}}", `onboard.yaml:6: bid_stream: key "segtax" is given twice, first at line 6; remove one`},
		{" {segtax: 499, segments: {a: b}}", `onboard.yaml:6: segtax: "499" is not the number of a vendor's taxonomy, from 500 to 2147483647`},
		{" {segtax: 2147483648, segments: {a: b}}", `onboard.yaml:6: segtax: "2147483648" is not the number`},
		{" {segtax: -501, segments: {a: b}}", `onboard.yaml:6: segtax: "-501" is not the number`},
		{" {segtax: acme, segments: {a: b}}", `onboard.yaml:6: segtax: "acme" is not the number`},
		{" {segtax: , segments: {a: b}}", `onboard.yaml:6: segtax: is empty; give a value, or remove the key`},
		{codes, "onboard.yaml:8: bid_stream segments: is empty, and should be a mapping (key: value)"},
		{codes + "[vip]", "onboard.yaml:8: bid_stream segments: is a list, and should be a mapping (key: value)"},
		{codes + "{}", "onboard.yaml:8: bid_stream segments: none is given; declare one, or remove bid_stream"},
		{codes + "\n        vip: A\n        vip: B", `onboard.yaml:10: bid_stream segments: key "vip" is given twice, first at line 9; remove one`},
		{codes + "\n        vip:", "onboard.yaml:9: bid_stream segments: is empty; give a value, or remove the key"},
		{codes + "{vip: \"\"}", "onboard.yaml:8: bid_stream segments: is empty; give a value, or remove the key"},
		{codes + "{vip: [A]}", "onboard.yaml:8: bid_stream segments: is a list; give a value, or remove the key"},
		{codes + "{vip: " + strings.Repeat("i", 65) + "}", `onboard.yaml:8: bid_stream segments: "` + strings.Repeat("i", 65) + `" ` + id},
		{codes + `{vip: "A\t1"}`, `onboard.yaml:8: bid_stream segments: "A\t1" ` + id},
		{codes + `{vip: "A\u200b"}`, `onboard.yaml:8: bid_stream segments: "A\u200b" ` + id},
		{codes + "\n        a: A\n        \"a|b\": A", `onboard.yaml:10: bid_stream segments: no row can have the segment "a|b": codes have 1 to 128 bytes`},
		{codes + `{"": A}`, `onboard.yaml:8: bid_stream segments: no row can have the segment ""`},
		{codes + `{" vip": A}`, `onboard.yaml:8: bid_stream segments: no row can have the segment " vip"`},
		{codes + `{"v\tip": A}`, `onboard.yaml:8: bid_stream segments: no row can have the segment "v\tip"`},
		{codes + "{" + strings.Repeat("c", 129) + ": A}", "onboard.yaml:8: bid_stream segments: no row can have the segment "},
	} {
		_, err := Parse([]byte(bidStream(c.in)), ".")
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.in, err, c.want)
		}
	}
}

// A tenant without a domain has no name in a bid request. One that is wrong is
// reported once.
func TestBidStreamNeedsDomain(t *testing.T) {
	const declared = " {segtax: 501, segments: {a: b}}"
	for domain, want := range map[string]string{
		"":                        "onboard.yaml:5: bid_stream: the tenant has no domain, which is its name in a bid request; add one",
		"    domain: A.example\n": `onboard.yaml:4: domain: "A.example" is not a domain in lower case, such as acme.example`,
	} {
		_, err := Parse([]byte(strings.Replace(bidStream(declared), "    domain: acme.example\n", domain, 1)), ".")
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", domain, err, want)
		}
	}
}
