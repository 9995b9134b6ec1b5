package server

import (
	"fmt"
	"math/bits"
	"strings"
)

// Scopes is a set of what a client may do, whatever its grants let it see.
type Scopes uint8

// The scopes.
const (
	ScopeMatch       Scopes = 1 << iota // ask who somebody is
	ScopeSegments                       // ask for segments and buckets
	ScopeIdentifiers                    // list a customer's identifiers
	ScopeEnrich                         // have bid requests enriched
	ScopeEvents                         // change links, segments and consents
	ScopePrivacy                        // opt out, opt in and erase
	ScopeAdmin                          // what concerns other clients' tenants
	allScopes        = ScopeMatch | ScopeSegments | ScopeIdentifiers | ScopeEnrich | ScopeEvents | ScopePrivacy | ScopeAdmin
)

var scopeNames = []string{"match", "segments", "identifiers", "enrich", "events", "privacy", "admin"}

// ParseScope reads the name of one scope.
func ParseScope(s string) (Scopes, error) {
	for i, name := range scopeNames {
		if s == name {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("unknown scope %q; %s", s, Suggest(s, scopeNames))
}

// Names lists the scopes of the set.
func (s Scopes) Names() []string {
	out := []string{}
	for i, name := range scopeNames {
		if s>>i&1 != 0 {
			out = append(out, name)
		}
	}
	return out
}

func (s Scopes) String() string { return strings.Join(s.Names(), ", ") }

// routeScopes says which scopes a route takes one of. A route that is not named takes
// one that nobody has.
var routeScopes = [routeIDs]Scopes{
	routeMatch:       ScopeMatch,
	routeBatch:       ScopeMatch,
	routeSegments:    ScopeSegments,
	routeIdentifiers: ScopeIdentifiers,
	routeEnrich:      ScopeEnrich,
	routeEvents:      ScopeEvents | ScopePrivacy,
	routeFeed:        ScopeAdmin,
}

// problemScopes are the refusals for want of a scope, by its number.
var problemScopes = [...]*problem{
	lacks("match"), lacks("segments"), lacks("identifiers"), lacks("enrich"), lacks("events"), lacks("privacy"), lacks("admin"),
	{status: 403, detail: "no client may ask for this"},
}

func lacks(scope string) *problem {
	return &problem{status: 403, detail: "this client lacks the scope " + scope}
}

// may returns nil where the caller has the scope that a route takes.
func (c *caller) may(id routeID) *problem {
	need := routeScopes[id]
	if c.scopes&need != 0 { // each change takes one of its own
		return nil
	}
	return problemScopes[min(bits.TrailingZeros8(uint8(need)), len(scopeNames))]
}
