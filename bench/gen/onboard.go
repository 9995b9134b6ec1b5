package gen

import (
	"bytes"
	"fmt"
)

// onboardYAML is the build's configuration for the files of c. Links are listed in the order of their files.
func onboardYAML(c Config) []byte {
	var b bytes.Buffer
	b.WriteString("version: 1\ndefault_region: FR\nnamespaces:\n")
	for tenant := range c.Tenants {
		fmt.Fprintf(&b, "  - cookie.%s\n", tenantNames[tenant])
	}
	fmt.Fprintf(&b, "  - %s\n  - %s\ntenants:\n", publisherA, publisherB)
	for tenant := range c.Tenants {
		name := tenantNames[tenant]
		fmt.Fprintf(&b, "  - name: %s\n    legal_basis: consent\n    domain: %s.example\n", name, name)
		writeBidStream(&b, tenant)
		b.WriteString("    profiles:\n")
		for i := range crmFiles {
			fmt.Fprintf(&b, "      - {path: \"crm/%s-%d.csv\"}\n", name, i+1)
		}
	}
	b.WriteString("links:\n")
	for _, p := range partnerFiles {
		fmt.Fprintf(&b, "  - {path: %q, source: %s, party: %s}\n", p.path, p.source, p.party)
	}
	for tenant := range c.Tenants {
		fmt.Fprintf(&b, "  - {path: %q, source: %s.example, party: first}\n", loginsPath(tenant), tenantNames[tenant])
	}
	return b.Bytes()
}
