package enrich

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot"
)

// The clients. A brand's own one may not see every tenant, so that what it asks
// for in vain takes as long as what others know; the operator's may.
const (
	operator = "the operator's client" // granted all tenants
	brand    = "a brand's client"      // granted the tenant of the world
	stranger = "the neighbour's client"
	greedy   = "greedy" // another of the brand, with a rate
)

const cookieSource = "publisher-a.example"

func policy() privacy.Policy {
	set, err := privacy.Purposes(purposes...)
	if err != nil {
		panic(err)
	}
	return privacy.Policy{Vendor: vendor, Purposes: set, Jurisdiction: privacy.UnderGDPR}
}

// clients are those in process.
func clients() []engine.Client {
	client := func(name string, tenants ...string) engine.Client {
		c := engine.Client{
			Name: name, Privacy: policy(),
			BidRequests: engine.BidRequests{EIDs: map[string]string{cookieSource: world.Cookies}},
		}
		for _, t := range tenants {
			c.Grants = append(c.Grants, engine.Grant{
				Tenant: t, Segments: []string{engine.All}, Namespaces: []string{engine.All}, Purposes: snapshot.Use,
			})
		}
		return c
	}
	return []engine.Client{client(operator, world.Tenant, world.Neighbour), client(brand, world.Tenant), client(stranger, world.Neighbour)}
}

// openPools opens the store as a bidder that links matchd does.
func openPools(store *snapshot.Store, memory snapshot.Memory) (_ *engine.Pools, err error) {
	e, err := engine.New(engine.Options{Store: store, Memory: memory})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	pools, err := engine.NewPools(engine.Pool{Name: "bench", Engine: e})
	if err != nil {
		return nil, err
	}
	if err := pools.SetClients(clients()); err != nil {
		return nil, err
	}
	_, err = e.Reload()
	return pools, err
}

// keys are those of the clients of the daemon.
type keys struct{ brand, greedy string }

func newKeys() keys { return keys{server.NewKey(), server.NewKey()} }

// daemonConfig is a matchd.yaml with the brand's client as it is in process, and
// another one that may ask limit questions a second.
func daemonConfig(store *snapshot.Store, listen, admin string, memory snapshot.Memory, k keys, limit int) []byte {
	numbers := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(slices.Clone(purposes))), ", "), "[]")
	client := func(name, key, more string) string {
		return fmt.Sprintf(`  - name: %s
    key_sha256: %s
    scopes: [enrich]%s
    privacy: {vendor: %d, purposes: [%s], jurisdiction: %s}
    openrtb: {eids: {%s: %s}}
    grants: [{tenant: %s, segments: ["*"], namespaces: ["*"], customers: false, purposes: [use]}]
`, name, server.HashKey(key), more, vendor, numbers, privacy.UnderGDPR, cookieSource, world.Cookies, world.Tenant)
	}
	return fmt.Appendf(nil, "stores: [%q]\nlisten: %q\nadmin: %q\nmemory: %s\nclients:\n%s%s", store.Dir(), listen, "unix:"+admin, memory,
		client("brand", k.brand, ""), client(greedy, k.greedy, fmt.Sprintf("\n    rate: %d\n    burst: %d", limit, burst(limit))))
}

// burst is a tenth of a second's worth: with more, a short round would be all
// burst.
func burst(limit int) int { return max(1, limit/10) }
