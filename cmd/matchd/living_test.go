package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/livetest"
	"github.com/matchd/matchd/engine/server"
)

// living is a world in files, the store that it is built into, and the config of
// a daemon that takes changes from a client that may make all of them.
type living struct {
	world               *livetest.World
	spec, store, config string
	log                 string
	builds              int
}

// shop is the client that sends changes. Beside it, each tenant is a client that
// asks. A client's key is its name's.
const shop = "shop"

func keyOf(client string) string { return "mk_" + client + "_for_a_test" }

func newLiving(t *testing.T, persons int) *living {
	t.Helper()
	dir := t.TempDir()
	l := &living{world: livetest.New(persons, time.Now()), store: filepath.Join(dir, "store"), config: filepath.Join(dir, "matchd.yaml")}
	var err error
	l.spec, err = l.world.Write(dir)
	must(t, err)
	l.logIn(t, filepath.Join(dir, "events"))
	l.build(t)
	return l
}

// logIn has daemons that start from now on take changes into a folder. They swap
// however many are gone.
func (l *living) logIn(t *testing.T, log string) {
	t.Helper()
	l.log = log
	text := fmt.Sprintf("stores: [{name: pool, path: %s, events: %s}]\nlisten: 127.0.0.1:0\nadmin: 127.0.0.1:0\nswap: {minimum: 1000000}\nclients:\n", l.store, log)
	grants := ""
	for _, tenant := range livetest.Tenants() {
		grant := fmt.Sprintf(`{tenant: %s, segments: ["*"], namespaces: ["*"], purposes: [use]}`, tenant)
		text += fmt.Sprintf("  - {name: %s, key_sha256: %s, scopes: [match], grants: [%s]}\n", tenant, server.HashKey(keyOf(tenant)), grant)
		grants += grant + ", "
	}
	text += fmt.Sprintf("  - {name: %s, key_sha256: %s, scopes: [match, events, privacy, admin], grants: [%s]}\n", shop, server.HashKey(keyOf(shop)), grants)
	must(t, os.WriteFile(l.config, []byte(text), 0o600))
}

// build publishes a snapshot of the files, which differs from the one before,
// and returns its name; live says where the log is.
func (l *living) build(t *testing.T, live ...string) string {
	t.Helper()
	args := []string{"build", "--config", l.spec, "--store", l.store, "--shards", fmt.Sprint(1 << (l.builds % 3)), "--previous", "--keep", "4", "--json"}
	l.builds++
	var report struct{ Snapshot string }
	decode(t, succeed(t, append(args, live...)...), &report)
	return report.Snapshot
}

// receipt is what a client is told of a change; that of one which is refused, since
// its customer is erased, is zero.
type receipt struct {
	Log, Hash string
	Seq       uint64
	Known     bool
}

// errRefused is of a change that is not accepted.
var errRefused = errors.New("refused")

// sent posts changes and returns their receipts.
func sent(c *http.Client, url string, list []livetest.Change) ([]receipt, error) {
	var body bytes.Buffer
	for i := range list {
		body.Write(list[i].JSON())
		body.WriteByte('\n')
	}
	var answer struct {
		Results []struct {
			Status, Detail string
			Receipts       []receipt
		}
	}
	if err := posted(c, url+"/v1/events", shop, &body, &answer); err != nil {
		return nil, err
	}
	if len(answer.Results) != len(list) {
		return nil, fmt.Errorf("%w: %d results of %d changes", errRefused, len(answer.Results), len(list))
	}
	var out []receipt
	for i, r := range answer.Results {
		if r.Status == "refused" && strings.HasPrefix(r.Detail, "the customer was erased") {
			out = append(out, receipt{})
			continue
		}
		if r.Status != "accepted" || len(r.Receipts) != 1 {
			return nil, fmt.Errorf("%w: %s: %s", errRefused, list[i].JSON(), r.Detail)
		}
		out = append(out, r.Receipts[0])
	}
	return out, nil
}

// posted posts a body as a client, and decodes an answer that has to be well.
func posted(c *http.Client, url, client string, body io.Reader, into any) error {
	req, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+keyOf(client))
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusUnprocessableEntity {
		return fmt.Errorf("%w: %s: %s", errRefused, res.Status, text)
	}
	return json.Unmarshal(text, into)
}

// answersTo asks as a tenant, and returns the answers as [livetest.Model] has them.
func answersTo(t *testing.T, c *http.Client, url, tenant string, ids []string) (out []string) {
	t.Helper()
	for len(ids) > 0 {
		part := ids[:min(len(ids), server.MaxIDs)]
		ids = ids[len(part):]
		body, err := json.Marshal(map[string][]string{"ids": part})
		must(t, err)
		var answer struct {
			Results []struct {
				Status, Reason string
				Profiles       []struct{ Segments []string }
			}
		}
		must(t, posted(c, url+"/v1/match", tenant, bytes.NewReader(body), &answer))
		if len(answer.Results) != len(part) {
			t.Fatalf("%d answers to %d questions", len(answer.Results), len(part))
		}
		for _, a := range answer.Results {
			if a.Status != "matched" {
				out = append(out, a.Reason)
			} else {
				out = append(out, "matched "+strings.Join(a.Profiles[0].Segments, ","))
			}
		}
	}
	return out
}
