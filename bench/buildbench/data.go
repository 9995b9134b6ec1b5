package buildbench

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
)

// The files of a data set, in its folder.
const (
	ConfigFile    = "onboard.yaml" // written last: a folder without it is not complete
	CustomersFile = "crm.csv"
	LinksFile     = "links.csv"
)

// AsOf is the time of the data and of the builds, YYYY-MM-DD.
const AsOf = "2026-11-01"

var asOf = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)

// linksPerCustomer is how many links a customer has on average where only the
// number of identifiers is asked.
const linksPerCustomer = 5

// idsPerCustomer is how many different identifiers a customer then has on
// average: the customer id and the email, the phone number and the address of
// some, and the devices, of which a shared one counts half.
const idsPerCustomer = 2 + phoneShare + addressShare + 2.93

// maxCustomers keeps the phone numbers of all customers different.
const maxCustomers = 100_000_000

// Data is the shape of a data set.
type Data struct {
	Customers int
	Links     int // about 150 bytes each
	Seed      uint64
}

// ForIdentifiers is a data set with about n different identifiers.
func ForIdentifiers(n int, seed uint64) Data {
	customers := max(1, int(math.Round(float64(n)/idsPerCustomer)))
	return Data{Customers: customers, Links: linksPerCustomer * customers, Seed: seed}
}

// Validate checks the ranges.
func (d Data) Validate() error {
	if d.Customers < 1 || d.Customers > maxCustomers || d.Links < 1 {
		return fmt.Errorf("%d customers and %d links: give 1 to %d customers, and a link at least", d.Customers, d.Links, maxCustomers)
	}
	return nil
}

// space is how many bytes on disk the files take, and beside them what a build
// or sort has at one time at most. A build with hardly any memory holds up to
// 1.6 times its input in temporary files; they shrink before the snapshot
// grows. sort has its temporary files and the sorted one.
func (d Data) space() int64 {
	const linkBytes, customerBytes = 150, 170
	links := int64(d.Links) * linkBytes
	input := links + int64(d.Customers)*customerBytes
	return input + max(input/10*18, 2*links)
}

// Sizes are the bytes of the files.
type Sizes struct {
	Customers, Links int64
}

// Write writes the data set into the folder dir, which it makes where there is
// none. The same Data gives the same bytes.
func (d Data) Write(ctx context.Context, dir string) (s Sizes, err error) {
	if err := d.Validate(); err != nil {
		return s, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return s, err
	}
	if s.Customers, err = writeRows(ctx, filepath.Join(dir, CustomersFile), customersHeader, d.Customers, d.appendCustomer); err != nil {
		return s, err
	}
	if s.Links, err = writeRows(ctx, filepath.Join(dir, LinksFile), linksHeader, d.Links, d.appendLink); err != nil {
		return s, err
	}
	return s, os.WriteFile(filepath.Join(dir, ConfigFile), []byte(onboardYAML), 0o644)
}

const onboardYAML = `version: 1
as_of: ` + AsOf + `
default_region: FR
namespaces: [` + cookies + `]
tenants:
  - name: acme
    legal_basis: consent
    domain: acme.example
    profiles:
      - {path: ` + CustomersFile + `}
links:
  - {path: ` + LinksFile + `, source: publisher-a, party: second}
`
