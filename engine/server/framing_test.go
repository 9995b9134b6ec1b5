package server

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestReadHeader(t *testing.T) {
	const host, length, chunked = "Host: x\r\n", "Content-Length: 5\r\n", "transfer-encoding: Chunked\r\n"
	for _, c := range []struct {
		raw   string
		sound bool
	}{
		{"", true},
		{"\r\n", true},
		{host + "\r\n", true},
		{host + length + "Authorization: Bearer a\r\nX-Empty:\r\n\r\n", true},
		{host + chunked + "\r\n", true},
		{host, false},
		{host + "\n", false},
		{host + "\r\n\r\n", false},
		{host + "X: y\n\r\n", false},
		{host + "X: a\rb\r\n\r\n", false},
		{host + "X\r: b\r\n\r\n", false},
		{host + "\rX: b\r\n\r\n", false},
		{host + "X : y\r\n\r\n", false},
		{host + "X\t: y\r\n\r\n", false},
		{host + "X Y: z\r\n\r\n", false},
		{host + " folded: y\r\n\r\n", false},
		{host + "X: y\r\n\tfolded\r\n\r\n", false},
		{host + "no colon\r\n\r\n", false},
		{host + "none\r\n\r\n", false},
		{host + ": no name\r\n\r\n", false},
		{host + host + "\r\n", false},
		{host + "hOST: y\r\n\r\n", false},
		{"Authorization: a\r\nauthorization: a\r\n\r\n", false},
		{length + length + "\r\n", false},
		{chunked + chunked + "\r\n", false},
		{length + chunked + "\r\n", false},
		{"Content-Length: 5 5\r\n\r\n", false},
		{"Content-Length:\r\n\r\n", false},
		{"Transfer-Encoding: identity\r\n\r\n", false},
		{"Transfer-Encoding: gzip, chunked\r\n\r\n", false},
	} {
		if _, sound := readHeader([]byte(c.raw)); sound != c.sound {
			t.Errorf("%q: sound is %v", c.raw, sound)
		}
	}
}

func TestReadHeaderValues(t *testing.T) {
	for raw, want := range map[string]header{
		"X-Authorization: a\r\n\r\n":                              {},
		"AUTHORIZATION:\t Bearer a b \r\n\r\n":                    {authorization: []byte("Bearer a b")},
		"Content-Encoding: gzip\r\n\r\n":                          {encoded: true},
		"content-encoding: \r\nX: y\r\n\r\n":                      {},
		"Expect: 100-Continue\r\n\r\n":                            {},
		"Expect: \r\n\r\n":                                        {},
		"Expect: 200-ok\r\nExpect: 100-continue\r\n\r\n":          {unmet: true},
		"Expect: 100-continue\r\nexpect: 100-continued\r\n\r\n":   {unmet: true},
		"Host: a\r\nAuthorization:b\r\nContent-Length: 0\r\n\r\n": {authorization: []byte("b")},
	} {
		got, sound := readHeader([]byte(raw))
		if !sound || !bytes.Equal(got.authorization, want.authorization) || got.encoded != want.encoded || got.unmet != want.unmet {
			t.Errorf("%q: got %q %+v, sound %v", raw, got.authorization, got, sound)
		}
	}
}

// A header with one byte changed is sound only where a plain reading of it,
// line by line, finds it so.
func TestReadHeaderAgainstModel(t *testing.T) {
	const raw = "Host: x\r\nAuthorization: Bearer k\r\nContent-Length: 17\r\nX-Y: a b\r\nHort: y\r\n\r\n"
	const bytesToTry = "\r\n\t :-,0aH"
	sound := 0
	for range 200_000 {
		b := []byte(raw)
		for range 1 + rand.IntN(2) {
			b[rand.IntN(len(b))] = bytesToTry[rand.IntN(len(bytesToTry))]
		}
		_, got := readHeader(b)
		if want := plainlySound(string(b)); got != want {
			t.Fatalf("%q: sound is %v, want %v", b, got, want)
		}
		if got {
			sound++
		}
	}
	if sound == 0 {
		t.Error("nothing was sound")
	}
}

func plainlySound(raw string) bool {
	body, ended := strings.CutSuffix(raw, "\r\n\r\n")
	seen := map[string]int{}
	for _, line := range strings.Split(body, "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") || strings.ContainsAny(line, "\r\n") {
			return false
		}
		name, value = strings.ToLower(name), strings.Trim(value, " \t")
		seen[name]++
		if name == "content-length" && (value == "" || strings.Trim(value, "0123456789") != "") {
			return false
		}
	}
	return ended && seen["host"] <= 1 && seen["authorization"] <= 1 && seen["content-length"] <= 1
}
