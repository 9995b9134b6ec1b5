package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/source"
)

func (p *parser) tenant(n *yaml.Node) {
	t := Tenant{ConsentMaxAge: DefaultConsentMaxAge}
	named, bidStream := false, 0 // whether a domain is given, right or wrong; the line of bid_stream
	p.mapping(n, "tenant", keys{
		"name":        func(n *yaml.Node) { value(&p.decoder, n, "tenant name", &t.Name, parseTenantName) },
		"legal_basis": func(n *yaml.Node) { value(&p.decoder, n, "legal_basis", &t.LegalBasis, snapshot.ParseLegalBasis) },
		"domain": func(n *yaml.Node) {
			named = true
			value(&p.decoder, n, "domain", &t.Domain, parseDomain)
		},
		"bid_stream": func(n *yaml.Node) { t.BidStream, bidStream = p.bidStream(n), n.Line },
		"consent_max_age": func(n *yaml.Node) {
			value(&p.decoder, n, "consent_max_age", &t.ConsentMaxAge, parseMonths(MaxConsentMaxAge))
		},
		"profiles": func(n *yaml.Node) {
			p.list(n, "profiles", func(n *yaml.Node) {
				spec := FileSpec{Line: n.Line}
				p.mapping(n, "profiles", p.specKeys(&spec, source.ProfileColumns()), "path")
				p.layout(&spec)
				t.Profiles = append(t.Profiles, spec)
			})
		},
	}, "name", "profiles")
	if bidStream != 0 && !named {
		p.fail(bidStream, "bid_stream: the tenant has no domain, which is its name in a bid request; add one")
	}
	if t.Name == "" {
		return
	}
	if before := p.tenants[t.Name]; before != 0 {
		p.fail(n.Line, "tenant %q is given twice, first at line %d; put its profiles into one", t.Name, before)
		return
	}
	p.tenants[t.Name] = n.Line
	p.c.Tenants = append(p.c.Tenants, t)
}

// formerTenant reads the name of a tenant who left.
func (p *parser) formerTenant(n *yaml.Node) {
	var name string
	value(&p.decoder, n, "former_tenants", &name, parseTenantName)
	switch before := p.former[name]; {
	case name == "":
	case before != 0:
		p.fail(n.Line, "former_tenants: %q is given twice, first at line %d; remove one", name, before)
	default:
		p.former[name] = n.Line
		p.c.FormerTenants = append(p.c.FormerTenants, name)
	}
}

// formerTenants checks, once all is read, that none of them is a tenant still.
func (p *parser) formerTenants() {
	slices.Sort(p.c.FormerTenants)
	for _, name := range p.c.FormerTenants {
		if at := p.tenants[name]; at != 0 {
			p.fail(p.former[name], "former_tenants: %q is a tenant, at line %d; remove it here", name, at)
		}
	}
}

// bidStream reads what a tenant's segments are called in bid requests.
func (p *parser) bidStream(n *yaml.Node) *snapshot.BidStream {
	b := &snapshot.BidStream{Segments: map[string]string{}}
	p.mapping(n, "bid_stream", keys{
		"segtax": func(n *yaml.Node) { value(&p.decoder, n, "segtax", &b.Segtax, parseSegtax) },
		"segments": func(n *yaml.Node) {
			p.pairs(n, "bid_stream segments", func(code string, line int, n *yaml.Node) {
				if !snapshot.IsSegmentCode(code) {
					p.fail(line, "bid_stream segments: no row can have the segment %q: codes have 1 to %d bytes, and no '|', control characters or spaces around them",
						code, snapshot.MaxSegmentCode)
				}
				var id string
				value(&p.decoder, n, "bid_stream segments", &id, parseBidStreamID)
				b.Segments[code] = id
			})
			if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
				p.fail(n.Line, "bid_stream segments: none is given; declare one, or remove bid_stream")
			}
		},
	}, "segtax", "segments")
	return b
}

func parseSegtax(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < snapshot.MinSegtax || n > snapshot.MaxSegtax {
		return 0, fmt.Errorf("%q is not the number of a vendor's taxonomy, from %d to %d", s, snapshot.MinSegtax, snapshot.MaxSegtax)
	}
	return n, nil
}

func parseBidStreamID(s string) (string, error) {
	if !snapshot.IsBidStreamID(s) {
		return "", fmt.Errorf("%q is not an id of 1 to %d bytes that can all be printed", s, snapshot.MaxBidStreamID)
	}
	return s, nil
}

func parseTenantName(s string) (string, error) {
	if profileNamespace(s).Validate() != nil {
		return "", fmt.Errorf("%q is not a name of 1 to %d of a-z, 0-9, '.', '_' and '-'", s, index.MaxName-len(index.CRMPrefix))
	}
	return s, nil
}

func parseDomain(s string) (string, error) {
	if len(s) > 253 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return "", fmt.Errorf("%q is not a domain in lower case, such as acme.example", s)
	}
	return s, nil
}
