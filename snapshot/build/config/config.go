package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/source"
	"github.com/matchd/matchd/snapshot/resolve"
)

// Version is the version of onboard.yaml that this package reads.
const Version = 1

// Limits and defaults.
const (
	// MaxTenants is how many tenants one pool can have.
	MaxTenants = 4096
	// MaxSources is how many sources one pool can have, the tenants' own
	// profiles included.
	MaxSources = 65535
	// DefaultConsentMaxAge is how long a consent without an end lasts, in
	// months; MaxConsentMaxAge is the most a config can say.
	DefaultConsentMaxAge = 36
	MaxConsentMaxAge     = 1200
	// MaxLinkMaxAge is after how many months links of cookies and device ids
	// age out, unless configured shorter.
	MaxLinkMaxAge = 13
	// DefaultMaxConnected is how many identifiers may hang together.
	DefaultMaxConnected = 1_000_000
)

// Config is an onboard.yaml that has been validated.
type Config struct {
	// Version is the constant Version.
	Version int
	// AsOf is the time that the build is of; zero where the file gives none.
	// A caller that overrides it sets it before it calls Canonical.
	AsOf time.Time
	// DefaultRegion is the region (ISO 3166-1 alpha-2) of phone numbers
	// without a country code; empty means that they cannot be read.
	DefaultRegion string
	// Namespaces are the declared ones, sorted by name.
	Namespaces []index.Namespace
	// Normalise names the profiles by which identifiers are made.
	Normalise Normalise
	// Tenants are sorted by name: the place of a tenant is its number.
	Tenants []Tenant
	// FormerTenants are the names of those who left the pool, of whom the log of live
	// changes may tell still; sorted. They change nothing of a snapshot.
	FormerTenants []string
	// Links are the link files.
	Links []LinkSpec
	// Rules are the limits of resolution.
	Rules resolve.Rules
	// MaxConnected is how many identifiers may hang together before any rule
	// cuts them; more, and the weakest methods connect nobody.
	MaxConnected int
	// KeepAnonymous says to write persons without any profile.
	KeepAnonymous bool
	// LinkMaxAge is after how many months links of cookies and device ids age
	// out: 1 to MaxLinkMaxAge.
	LinkMaxAge int
	// Live says that live changes are built from too: their links have
	// [LiveSource]. No file says so.
	Live bool

	dir, name string // the folder that paths are relative to; the file's name in errors
}

// Tenant is a data owner and its profile files.
type Tenant struct {
	Name       string
	LegalBasis snapshot.LegalBasis
	// Domain is the tenant's name in bid requests; may be empty.
	Domain string
	// BidStream is what its segments are called there; nil where none enters one.
	// It has a Domain.
	BidStream *snapshot.BidStream
	// ConsentMaxAge is how long a consent without an end lasts, in months.
	ConsentMaxAge int
	Profiles      []FileSpec
}

// FileSpec names files that are read alike.
type FileSpec struct {
	// Path is the glob as the config gives it (see path/filepath.Match), or
	// source.Stdin for standard input.
	Path string
	// AsOf is the time that the files are of; zero means that of the build.
	AsOf time.Time
	// Layout is what the files' names do not say of them, or say wrongly.
	Layout source.Layout
	// Columns renames the files' columns: their name, as source.HeaderName
	// has it, to ours.
	Columns map[string]string
	// Line is where the config gives the spec, from 1.
	Line int
}

// LinkSpec names link files of one source.
type LinkSpec struct {
	FileSpec
	Source snapshot.Source
	// Method is that of rows that give none.
	Method snapshot.Method
}

// Load reads and validates the config at path.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return parse(data, filepath.Dir(path), path)
}

// Parse validates data, the content of an onboard.yaml in the folder dir.
func Parse(data []byte, dir string) (*Config, error) { return parse(data, dir, "onboard.yaml") }

// ProfileSource is the source of the links in a tenant's own profiles.
func ProfileSource(tenant string) snapshot.Source {
	return snapshot.Source{Name: index.CRMPrefix + tenant, Party: snapshot.FirstParty}
}

// LiveSource is the source of links that came as live changes.
func LiveSource() snapshot.Source {
	return snapshot.Source{Name: snapshot.LiveSource, Party: snapshot.FirstParty}
}

// NamespaceTable returns the namespaces in canonical order: the built-in ones,
// the declared ones by name, and crm.<tenant> by tenant.
func (c *Config) NamespaceTable() (*index.Namespaces, error) {
	list := append(index.Builtin(), c.Namespaces...)
	for i := range c.Tenants {
		list = append(list, profileNamespace(c.Tenants[i].Name))
	}
	t, err := index.NewNamespaces(list)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return t, nil
}

// HasTenant reports whether there is a tenant of a name.
func (c *Config) HasTenant(name string) bool {
	return slices.ContainsFunc(c.Tenants, func(t Tenant) bool { return t.Name == name })
}

// TenantOf returns the number of the tenant whose profiles a namespace names.
func (c *Config) TenantOf(namespace string) uint16 {
	name := strings.TrimPrefix(namespace, index.CRMPrefix)
	i, _ := slices.BinarySearchFunc(c.Tenants, name, func(t Tenant, name string) int { return strings.Compare(t.Name, name) })
	return uint16(i)
}

// RulesText returns the limits of resolution as a manifest records them.
func (c *Config) RulesText() map[string]string {
	text := c.Rules.Text()
	text["max_connected"] = strconv.Itoa(c.MaxConnected)
	return text
}

func profileNamespace(tenant string) index.Namespace {
	return index.Namespace{Name: index.CRMPrefix + tenant}
}

// SnapshotTenants returns the tenants as a snapshot records them, by name.
func (c *Config) SnapshotTenants() []snapshot.Tenant {
	list := make([]snapshot.Tenant, len(c.Tenants))
	for i, t := range c.Tenants {
		list[i] = snapshot.Tenant{
			Name: t.Name, Domain: t.Domain, BidStream: t.BidStream,
			LegalBasis: t.LegalBasis, ConsentMaxAge: t.ConsentMaxAge,
		}
	}
	return list
}

// Sources returns the different sources, the tenants' own profiles among them,
// sorted by name and party. A source's place is its number.
func (c *Config) Sources() []snapshot.Source {
	list := make([]snapshot.Source, 0, len(c.Tenants)+len(c.Links))
	for i := range c.Tenants {
		list = append(list, ProfileSource(c.Tenants[i].Name))
	}
	for i := range c.Links {
		list = append(list, c.Links[i].Source)
	}
	if c.Live {
		list = append(list, LiveSource())
	}
	slices.SortFunc(list, compareSources)
	return slices.Compact(list)
}

// SourceID finds the number of a source in sources, made by [Config.Sources].
func SourceID(sources []snapshot.Source, s snapshot.Source) (uint16, bool) {
	i, ok := slices.BinarySearchFunc(sources, s, compareSources)
	return uint16(i), ok
}

func compareSources(a, b snapshot.Source) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return int(a.Party) - int(b.Party)
}
