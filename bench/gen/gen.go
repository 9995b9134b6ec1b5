// Package gen makes input files for matchd that look real, with the true answers beside them.
//
// It tells the story of an energy supplier: its own site logins reach 5 % of its customers, and the links of its
// partners multiply that by four. The files hold what real ones hold: one address in several spellings, customers
// written down twice, families who share a tablet or an inbox, cookies that were cleared, consents that ran out,
// links that are plainly wrong, and junk.
//
// The world is drawn household by household, each from the seed and its own number alone, and written at once. So
// memory does not grow with the number of customers, and the same Config gives byte-identical files. Every
// identifier belongs to one household; only a false link joins two.
//
// Run writes into Config.Out:
//
//	onboard.yaml               the build's configuration, written last: a folder without it is not complete
//	crm/TENANT-1.csv           customers
//	crm/TENANT-2.csv           prospects
//	crm/TENANT-3.csv           customers whose email and phone come hashed
//	site/logins.csv            the first tenant's own logins; site/logins-TENANT.csv those of the others
//	partners/publisher-a.csv   email_sha256 - cookie.publisher-a
//	partners/app-network.csv   email_sha256 or phone_sha256 - maid
//	partners/device-graph.csv  maid - cookie.publisher-a or cookie.publisher-b
//	partners/cookie-sync.csv   cookie.publisher-a - cookie.TENANT or cookie.publisher-b
//	truth.csv                  identifier, persons separated by "|"
//
// Names, addresses and ids are invented. The phone numbers are well-formed, so by chance one may be in use: do not
// dial them.
package gen

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// maxCustomers keeps every person's phone number different (see phoneNumbers).
const maxCustomers = 20_000_000

// Config says what to make. Start from DefaultConfig. All shares are between 0 and 1.
type Config struct {
	Out       string    // the folder to write into; it must be empty or not exist
	Customers int       // profiles of kind customer of the first tenant, duplicates included, junk rows not
	Seed      uint64    // another seed gives another world
	Tenants   int       // brands that pool their links, 1 to 8; the first is acme
	AsOf      time.Time // "now" in the files: nothing is dated after it

	PhoneShare     float64 // of the people: those whose phone the brands know
	NoEmail        float64 // of the people: those known by phone alone; at most PhoneShare
	Prehashed      float64 // of the customers: those whose email and phone come hashed
	Duplicates     float64 // of the customers: second profiles of somebody who has one
	ExpiredConsent float64 // of the profiles: those whose consent has run out at AsOf
	NoConsent      float64 // of the profiles: those without any consent

	OwnReach     float64 // of the first tenant's customers: reached by its own logins
	PartnerReach float64 // of the same customers: reached by own logins and partners together
	Churn        float64 // of the browsers: those with an aged forerunner whose cookies were cleared
	Outsiders    float64 // of the households: those known to partners and to no tenant; at most 0.4

	SharedDevice float64 // of the households: those where a device is everybody's
	SharedInbox  float64 // of the households: those where two people use one address
	FalseLinks   float64 // of the rows of partner files: links between people of two households
	JunkRows     float64 // of the rows of each file: junk; a file never holds more
}

// DefaultConfig is the published story, short of Out and Customers.
func DefaultConfig() Config {
	return Config{
		Seed:    1,
		Tenants: 1,
		AsOf:    time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC),

		PhoneShare:     0.70,
		NoEmail:        0.08,
		Prehashed:      0.05,
		Duplicates:     0.03,
		ExpiredConsent: 0.04,
		NoConsent:      0.02,

		OwnReach:     0.05,
		PartnerReach: 0.20,
		Churn:        0.35,
		Outsiders:    0.10,

		SharedDevice: 0.20,
		SharedInbox:  0.02,
		FalseLinks:   0.03,
		JunkRows:     0.003,
	}
}

// Validate reports the first setting that cannot be met.
func (c Config) Validate() error {
	switch {
	case c.Out == "":
		return errors.New("out: no folder given")
	case c.Customers < 1 || c.Customers > maxCustomers:
		return fmt.Errorf("customers: %d is not between 1 and %d", c.Customers, maxCustomers)
	case c.Tenants < 1 || c.Tenants > len(tenantNames):
		return fmt.Errorf("tenants: %d is not between 1 and %d", c.Tenants, len(tenantNames))
	case c.AsOf.Year() < 2000 || c.AsOf.Year() > 2200:
		return fmt.Errorf("as of: %s is not between the years 2000 and 2200", c.AsOf.Format(time.RFC3339))
	}
	for _, s := range []struct {
		name       string
		share, max float64
	}{
		{"phone share", c.PhoneShare, 1},
		{"no email", c.NoEmail, c.PhoneShare},
		{"prehashed", c.Prehashed, 1},
		{"duplicates", c.Duplicates, 0.3},
		{"expired consent", c.ExpiredConsent, 1},
		{"no consent", c.NoConsent, 1 - c.ExpiredConsent},
		{"partner reach", c.PartnerReach, 1},
		{"own reach", c.OwnReach, c.PartnerReach},
		{"churn", c.Churn, 1},
		{"outsiders", c.Outsiders, 0.4},
		{"shared device", c.SharedDevice, severalPeople},
		{"shared inbox", c.SharedInbox, severalPeople},
		{"false links", c.FalseLinks, 0.5},
		{"junk rows", c.JunkRows, 0.5},
	} {
		if !(s.share >= 0 && s.share <= s.max) { // written so that NaN is refused
			return fmt.Errorf("%s: %v is not between 0 and %.2f", s.name, s.share, s.max)
		}
	}
	return nil
}

// Run writes the files and returns what they hold. On an error or a cancelled ctx the folder is left without its
// onboard.yaml, so that half a world is never built from.
func Run(ctx context.Context, c Config) (Summary, error) {
	if err := c.Validate(); err != nil {
		return Summary{}, err
	}
	c.AsOf = c.AsOf.UTC().Truncate(time.Second)
	out, err := createOutput(c)
	if err != nil {
		return Summary{}, err
	}
	g := newGenerator(c)
	if err := g.writeAll(ctx, out); err != nil {
		return Summary{}, errors.Join(err, out.close())
	}
	if err := out.finish(c); err != nil {
		return Summary{}, err
	}
	g.sum.Files = out.counts()
	g.sum.Examples, g.sum.BidRequest = g.shown.list(g.unknownMaid()), g.shown.bidRequest
	return g.sum, nil
}

// generator draws households one after the other.
type generator struct {
	Config
	source *rand.ChaCha8
	rng    *rand.Rand
	recent recent   // identifiers of the households just written, for false links
	shown  examples // plain people to show in a demo
	sum    Summary
}

func newGenerator(c Config) *generator {
	source := rand.NewChaCha8([32]byte{})
	return &generator{Config: c, source: source, rng: rand.New(source), recent: recent{}}
}

// reseed makes what follows depend on the seed and number alone.
func (g *generator) reseed(number uint64) {
	var key [32]byte
	copy(key[16:], "matchd bench gen")
	binary.LittleEndian.PutUint64(key[:], g.Seed)
	binary.LittleEndian.PutUint64(key[8:], number)
	g.source.Seed(key)
}

// writeAll draws and writes households until the first tenant has its customers.
func (g *generator) writeAll(ctx context.Context, out *output) error {
	for number := uint64(0); g.sum.Customers < g.Customers; number++ {
		if number%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("household %d: %w", number, ctx.Err())
		}
		g.reseed(number)
		h := g.drawHousehold(number, g.Customers-g.sum.Customers)
		g.sum.add(h)
		if err := g.write(out, h); err != nil {
			return fmt.Errorf("household %d: %w", number, err)
		}
		// Later households draw the wrong end of their false links from here. An example must stay certain.
		if !g.shown.consider(h, g.AsOf) {
			g.recent.remember(h)
		}
	}
	return nil
}

// unknownMaid is well-formed, and in no file.
func (g *generator) unknownMaid() string {
	g.reseed(^uint64(0))
	return "maid:" + g.uuid()
}

func (g *generator) chance(p float64) bool { return g.rng.Float64() < p }

// skewed is an index below n; low ones are more frequent, as with names and towns.
func (g *generator) skewed(n int) int {
	u := g.rng.Float64()
	return int(u * u * float64(n))
}
