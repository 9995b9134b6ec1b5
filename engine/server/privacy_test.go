package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/engine/proof"
)

// form posts a form to the admin listener.
func (r *running) form(t *testing.T, path string, fields url.Values) (int, string) {
	t.Helper()
	res, err := http.PostForm("http://"+r.AdminAddr()+path, fields)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	var b bytes.Buffer
	_, err = b.ReadFrom(res.Body)
	must(t, err)
	return res.StatusCode, b.String()
}

// TestPrivacyRoutes shows a person, erases it, and certifies that: all of it is
// audited under a pseudonym.
func TestPrivacyRoutes(t *testing.T) {
	pools := readyPools(t)
	must(t, pools.All()[0].OpenChanges(filepath.Join(t.TempDir(), "log")))
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	log, err := audit.Open(path)
	must(t, err)
	r := start(t, Options{Pools: pools, Audit: log})
	code, body := r.form(t, "/admin/v1/privacy/show", url.Values{"id": {maidOne}})
	var shown struct{ Stores []StoreHoldings }
	must(t, json.Unmarshal([]byte(body), &shown))
	if code != 200 || len(shown.Stores) != 1 || !shown.Stores[0].Found || len(shown.Stores[0].Profiles) == 0 {
		t.Errorf("%d %s", code, body)
	}
	code, body = r.form(t, "/admin/v1/privacy/erase", url.Values{"tenant": {"acme"}, "customer": {"acme:C-1"}, "id": {"e"}})
	var out struct{ Receipts []StoreReceipt }
	must(t, json.Unmarshal([]byte(body), &out))
	if code != 200 || len(out.Receipts) != 1 || out.Receipts[0].Seq != 1 || out.Receipts[0].Known {
		t.Errorf("%d %s", code, body)
	}
	r.matches(t, "acme", `"none"`)
	if _, body := r.form(t, "/admin/v1/privacy/erase", url.Values{"tenant": {"acme"}, "customer": {"acme:C-1"}, "id": {"e"}}); !strings.Contains(body, `"known":true`) {
		t.Errorf("again: %s", body)
	}
	must(t, pools.All()[0].Changes().Tend(t.Context(), nil))
	answer := do(t, "GET", "http://"+r.AdminAddr()+"/admin/v1/privacy/certificate?seq=1", "", "")
	c, err := proof.Decode([]byte(answer.body))
	must(t, err)
	if err := c.Verify(); err != nil || c.Refused == nil || c.Until == nil || c.Erasure.Hash.String() != out.Receipts[0].Hash || len(c.Snapshots) != 1 || c.Snapshots[0].State != proof.Held {
		t.Errorf("%v: %+v", err, c.Statement)
	}
	text, err := os.ReadFile(path)
	must(t, err)
	subjects := map[string]string{}
	_, err = audit.Verify(bytes.NewReader(text), func(e audit.Record, _ []byte) error {
		subjects[e.Action] = e.Subject
		return nil
	})
	must(t, err)
	if len(subjects[audit.PrivacyShow]) != 32 || len(subjects[audit.PrivacyErase]) != 32 || subjects[audit.PrivacyCertify] == "" || bytes.Contains(text, []byte("C-1")) {
		t.Errorf("audited: %s", text)
	}
}

// TestPrivacyRefused refuses what is wrong, without quoting it, and does nothing
// that cannot be audited.
func TestPrivacyRefused(t *testing.T) {
	r, _ := startLive(t)
	for _, c := range []struct {
		path   string
		fields url.Values
		status int
	}{
		{"show", url.Values{}, 400},
		{"show", url.Values{"id": {"nonsense-9"}}, 400},
		{"show", url.Values{"id": {maidOne, maidOne}}, 400},
		{"show?id=" + maidOne, url.Values{"id": {maidOne}}, 400},
		{"show", url.Values{"id": {maidOne}, "who": {"nonsense-9"}}, 400},
		{"erase", url.Values{"tenant": {"acme"}}, 400},
		{"erase", url.Values{"tenant": {"acme"}, "customer": {"nonsense-9"}}, 400},
		{"erase", url.Values{"tenant": {"globex"}, "customer": {"acme:C-1"}}, 400},
		{"erase", url.Values{"tenant": {"zzz"}, "customer": {"zzz:nonsense-9"}}, 404},
		{"erase", url.Values{"tenant": {"acme"}, "customer": {"acme:C-1"}, "store": {"other"}}, 400},
	} {
		if code, body := r.form(t, "/admin/v1/privacy/"+c.path, c.fields); code != c.status || strings.Contains(body, "nonsense-9") {
			t.Errorf("%s %v: %d %s", c.path, c.fields, code, body)
		}
	}
	for query, status := range map[string]int{"": 400, "?seq=x": 400, "?seq=1": 404, "?seq=1&who=x": 400} {
		if got := do(t, "GET", "http://"+r.AdminAddr()+"/admin/v1/privacy/certificate"+query, "", "").status; got != status {
			t.Errorf("certificate%s: %d", query, got)
		}
	}
	if seq, _, _ := r.pools.All()[0].Changes().Log().Last(); seq != 0 {
		t.Errorf("%d records", seq)
	}
	bare := start(t, Options{})
	if got := do(t, "GET", "http://"+bare.AdminAddr()+"/admin/v1/privacy/certificate?seq=1", "", "").status; got != 501 {
		t.Errorf("without a log: %d", got)
	}
}
