package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine"
)

// twoStores are stores of the same people, under different keys.
func twoStores(t *testing.T) *engine.Pools {
	t.Helper()
	var list []engine.Pool
	for _, name := range []string{"energy", "retail"} {
		s := newStore(t)
		publish(t, s, asOf)
		list = append(list, engine.Pool{Name: name, Engine: newEngine(t, s)})
	}
	p, err := engine.NewPools(list...)
	must(t, err)
	return p
}

// A client of several stores is answered from each, and can tell them apart;
// one of a single store cannot tell that there are others.
func TestSeveralStores(t *testing.T) {
	retail := grant("acme", true)
	retail.Store = "retail"
	pools := twoStores(t)
	r := start(t, Options{Pools: pools, Clients: []Client{client("both", grant("acme", true)), client("one", retail)}})
	snaps := []string{pools.All()[0].Info().Snapshot, pools.All()[1].Info().Snapshot}

	body := r.ask(t, "GET", "/v1/match?id="+maidOne, "both", "").body
	for _, want := range []string{
		`"store":"energy","snapshot":"` + snaps[0] + `","also":[{"status":"matched","person":"`,
		`"store":"retail","snapshot":"` + snaps[1] + `"}]}`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("match: %s lacks %s", body, want)
		}
	}
	if parts := strings.Split(body, `"person":"`); len(parts) != 3 || parts[1][:32] == parts[2][:32] {
		t.Errorf("two stores, and not two person ids: %s", body)
	}
	body = r.ask(t, "POST", "/v1/match", "both", batch(maidOne, maidNobody)).body
	want := fmt.Sprintf(`],"snapshot":"%s","snapshots":{"energy":"%s","retail":"%s"}}`, snaps[0], snaps[0], snaps[1])
	if !strings.HasSuffix(body, want) || strings.Count(body, `"also":[{`) != 1 || !strings.Contains(body, `{"id":"`+maidNobody+`","status":"none","reason":"unknown"}`) {
		t.Errorf("batch: %s", body)
	}
	if got := r.ask(t, "GET", "/v1/segments?id="+maidOne, "both", "").body; got != `{"status":"matched","segments":{"acme":["churn \"high\"","vip"]}}` {
		t.Errorf("segments: %s", got)
	}
	body = r.ask(t, "GET", "/v1/identifiers?customer=acme:C-1", "both", "").body
	if strings.Count(body, `"identifiers":[`) != 2 || strings.Count(body, `"also":[{`) != 1 {
		t.Errorf("identifiers: %s", body)
	}
	for _, target := range []string{"/v1/match?id=" + maidOne, "/v1/identifiers?customer=acme:C-1"} {
		body := r.ask(t, "GET", target, "one", "").body
		if strings.Contains(body, `"store"`) || strings.Contains(body, `"also"`) || !strings.HasSuffix(body, `"snapshot":"`+snaps[1]+`"}`) {
			t.Errorf("%s of one store: %s", target, body)
		}
	}
}
