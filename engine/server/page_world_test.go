package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// shop is an origin of the test's pages, and fromShop the header line of it.
const (
	shop     = "https://shop.example"
	fromShop = "Origin: " + shop + "\r\n"
)

// pageClient is a client of acme's whose key, "key-" and its name, stands in
// pages of the origins.
func pageClient(name string, origins ...string) Client {
	c := client(name, grant("acme", false))
	c.Grants[0].Namespaces = []string{"cookie.site"}
	c.Browser = &Browser{Origins: origins, Cookie: "visitor", Namespace: "cookie.site"}
	return c
}

// pageServer has the test clients, and "page" with two origins.
func pageServer(t *testing.T, more ...Client) *running {
	t.Helper()
	clients := append(testClients(), pageClient("page", shop, "http://localhost:3000"))
	return start(t, Options{Clients: append(clients, more...)})
}

// send sends a request with the key of a client and more header lines, each
// ending in CRLF.
func (r *running) send(t *testing.T, method, target, client, lines string) reply {
	t.Helper()
	if client != "" {
		lines += "Authorization: Bearer key-" + client + "\r\n"
	}
	got := r.raw(t, method+" "+target+" HTTP/1.1\r\nHost: match.shop.example\r\nConnection: close\r\n"+lines+"\r\n")
	if len(got) != 1 {
		t.Fatalf("%s %s: %d answers", method, target, len(got))
	}
	return got[0]
}

// shared lists what an answer says to a browser about pages, sorted.
func shared(got reply) string {
	var out []string
	for name, values := range got.header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Vary" {
			out = append(out, fmt.Sprintf("%s=%s", strings.TrimPrefix(name, "Access-Control-"), strings.Join(values, "|")))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// readable is what shared lists where pages of an origin may read the answer.
func readable(origin string) string {
	return "Allow-Credentials=true Allow-Origin=" + origin + " Expose-Headers=Retry-After Vary=Origin"
}

const (
	cookieLine = "Cookie: visitor=one\r\n"
	onesVIP    = `{"status":"matched","segments":{"acme":["churn \"high\"","vip"]}}`
)

// foreign are header lines of pages that are of none of the origins.
var foreign = map[string]string{
	"another site":             "Origin: https://evil.example\r\n",
	"another scheme":           "Origin: http://shop.example\r\n",
	"another port":             "Origin: https://shop.example:8443\r\n",
	"the port that is left":    "Origin: https://shop.example:443\r\n",
	"another local port":       "Origin: http://localhost:3001\r\n",
	"no local port":            "Origin: http://localhost\r\n",
	"capitals":                 "Origin: https://Shop.example\r\n",
	"a scheme in capitals":     "Origin: HTTPS://shop.example\r\n",
	"a subdomain":              "Origin: https://www.shop.example\r\n",
	"the parent":               "Origin: https://example\r\n",
	"a longer first label":     "Origin: https://evilshop.example\r\n",
	"a longer name":            "Origin: https://shop.example.evil.example\r\n",
	"a longer last label":      "Origin: https://shop.examples\r\n",
	"a shorter name":           "Origin: https://shop.exampl\r\n",
	"a last dot":               "Origin: https://shop.example.\r\n",
	"a path":                   "Origin: https://shop.example/\r\n",
	"a user":                   "Origin: https://shop.example@evil.example\r\n",
	"a user before":            "Origin: https://evil.example@shop.example\r\n",
	"null":                     "Origin: null\r\n",
	"a star":                   "Origin: *\r\n",
	"an empty one":             "Origin:\r\n",
	"two in one":               "Origin: https://shop.example https://evil.example\r\n",
	"a list":                   "Origin: https://shop.example, https://shop.example\r\n",
	"two headers":              "Origin: https://shop.example\r\nOrigin: https://evil.example\r\n",
	"two headers, other order": "Origin: https://evil.example\r\nOrigin: https://shop.example\r\n",
	"one twice":                "Origin: https://shop.example\r\nOrigin: https://shop.example\r\n",
	"null by its own word":     "Origin: null\r\nSec-Fetch-Site: same-origin\r\n",
	"another, by its own word": "Origin: https://evil.example\r\nSec-Fetch-Site: same-origin\r\n",
	"an empty one, likewise":   "Origin:\r\nSec-Fetch-Site: same-origin\r\n",
}

// unnamed are header lines without an origin that are not of the server's own.
var unnamed = map[string]string{
	"nothing":            "",
	"a referrer":         "Referer: https://shop.example/\r\n",
	"the same site":      "Sec-Fetch-Site: same-site\r\n",
	"across sites":       "Sec-Fetch-Site: cross-site\r\n",
	"typed in":           "Sec-Fetch-Site: none\r\n",
	"in capitals":        "Sec-Fetch-Site: Same-Origin\r\n",
	"a list":             "Sec-Fetch-Site: same-origin, same-origin\r\n",
	"said twice":         "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: same-origin\r\n",
	"said twice, apart":  "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Site: same-origin\r\n",
	"nothing after it":   "Sec-Fetch-Site:\r\n",
	"the mode, not site": "Sec-Fetch-Mode: same-origin\r\n",
}
