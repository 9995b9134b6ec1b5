package snapshot

import (
	"errors"
	"fmt"

	"github.com/matchd/matchd/index"
)

// validate refuses what the format cannot hold, so that a mistake of the
// builder shows when it is written, or when it is verified, and not in an
// answer.
func (l *layout) validate(p *Person, oldest Day) error {
	if len(p.Nodes) == 0 {
		return errors.New("it has no identifiers")
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if int(n.Parent) >= i && i > 0 || i == 0 && n.Parent != 0 {
			return fmt.Errorf("identifier %d stands before its parent", i)
		}
		if int(n.Namespace) >= l.namespaces || n.Method >= methods || int(n.Source) >= l.sources ||
			n.Seen > l.newest || n.Seen < oldest || len(n.Value) > index.MaxValue {
			return fmt.Errorf("identifier %d is out of range", i)
		}
	}
	for i, s := range p.Spares {
		if s.A >= s.B || int(s.B) >= len(p.Nodes) || s.Method >= methods || s.Seen > l.newest || s.Seen < oldest {
			return fmt.Errorf("spare link %d is out of range", i)
		}
	}
	for i := range p.Links {
		k := &p.Links[i]
		if k.A >= k.B || int(k.B) >= len(p.Nodes) || k.Method >= methods || int(k.Source) >= l.sources || k.First > k.Last {
			return fmt.Errorf("link %d is out of range", i)
		}
	}
	return l.validateProfiles(p)
}

func (l *layout) validateProfiles(p *Person) error {
	for i := range p.Profiles {
		q := &p.Profiles[i]
		if int(q.Node) >= len(p.Nodes) || int(q.Tenant) >= l.tenants || q.Kind >= kinds || len(q.Customer) > index.MaxValue {
			return fmt.Errorf("profile %d is out of range", i)
		}
		for k, s := range q.Segments {
			if int(s) >= l.segments || k > 0 && s <= q.Segments[k-1] {
				return fmt.Errorf("profile %d: segments are out of range or order", i)
			}
		}
	}
	return nil
}
