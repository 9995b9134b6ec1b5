package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
)

// check ends the program on an error.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// checked is v, where there is no error.
func checked[T any](v T, err error) T {
	check(err)
	return v
}

// A bidder has each bid request enriched before it decides on a bid. What stands
// between the blank lines is in the README.
func ExamplePools_Enrich() {
	dir := exampleStore()
	defer func() { check(os.RemoveAll(filepath.Dir(dir))) }()
	var out []byte
	bidRequest := []byte(`{"id":"1","imp":[{"id":"1"}],"device":{"ifa":"6d92078a-8246-4ba4-ae5b-76104861e7dc"}}`)

	e := checked(engine.New(engine.Options{Store: checked(snapshot.OpenStore(dir))}))
	pools := checked(engine.NewPools(engine.Pool{Name: "store", Engine: e}))
	check(pools.SetClients([]engine.Client{{Name: "my-dsp", Grants: []engine.Grant{
		{Tenant: "acme", Segments: []string{"*"}, Namespaces: []string{"maid"}},
	}}}))
	checked(e.Reload())  // again, every second say: it swaps in what was published
	var view engine.View // one for each goroutine, used again
	check(pools.Begin(&view, "my-dsp"))
	out, added, why, err := pools.Enrich(&view, out[:0], bidRequest, &engine.Enrich{})
	view.End() // out is the request with user.data, if added; send on the original otherwise

	fmt.Println(added, why, err)
	fmt.Printf("%s\n", out)
	check(pools.Close())
	// Output:
	// true matched <nil>
	// {"id":"1","imp":[{"id":"1"}],"device":{"ifa":"6d92078a-8246-4ba4-ae5b-76104861e7dc"},"user":{"data":[{"name":"acme.example","ext":{"segtax":501},"segment":[{"id":"A1"}]}]}}
}

// An ad server asks for the segments of a visitor, with the signals of the
// visit. What stands between the blank lines is in the README.
func ExamplePools_Heed() {
	pools, remove := examplePools()
	defer remove()
	var view engine.View
	ids := [][]byte{[]byte("maid:6d92078a-8246-4ba4-ae5b-76104861e7dc")}

	var signals privacy.Signals           // of this visit alone
	signals.Set(privacy.LMT, []byte("0")) // and what else the visit says about privacy
	check(pools.Begin(&view, "my-dsp"))
	pools.Heed(&view, &signals) // before any question
	check(view.Resolve(ids))    // all of one visitor
	part := view.Decided()
	for _, profile := range part.Profiles(part.Resolved()) {
		for _, segment := range part.Segments(&profile) {
			fmt.Println(part.Tenant(profile.Tenant).Name, part.Segment(segment))
		}
	}
	view.End()

	// Output:
	// acme newsletter
	// acme vip
}

// examplePools serves an [exampleStore] to a client my-dsp.
func examplePools() (pools *engine.Pools, remove func()) {
	dir := exampleStore()
	e := checked(engine.New(engine.Options{Store: checked(snapshot.OpenStore(dir))}))
	pools = checked(engine.NewPools(engine.Pool{Name: "store", Engine: e}))
	check(pools.SetClients([]engine.Client{{Name: "my-dsp", Grants: []engine.Grant{
		{Tenant: "acme", Segments: []string{"*"}, Namespaces: []string{"maid"}},
	}}}))
	checked(e.Reload())
	return pools, func() {
		check(pools.Close())
		check(os.RemoveAll(filepath.Dir(dir)))
	}
}

// exampleStore builds a store of one customer, in a temporary folder.
func exampleStore() string {
	dir := checked(os.MkdirTemp("", "matchd-example-"))
	for name, text := range map[string]string{
		"onboard.yaml": `version: 1
tenants:
  - name: acme
    legal_basis: contract
    domain: acme.example
    bid_stream: {segtax: 501, segments: {vip: "A1"}}
    profiles: [{path: crm.csv}]
links: [{path: logins.csv, source: acme.example, party: first}]
`,
		"crm.csv":    "customer_id,segments\nC-1,newsletter|vip\n",
		"logins.csv": "left,right,method\ncrm.acme:C-1,maid:6d92078a-8246-4ba4-ae5b-76104861e7dc,authenticated\n",
	} {
		check(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	store := filepath.Join(dir, "store")
	checked(build.Run(context.Background(), build.Options{
		Config: filepath.Join(dir, "onboard.yaml"), Store: store, AsOf: time.Now().UTC().Truncate(time.Second), FS: noSync{},
	}))
	return store
}
