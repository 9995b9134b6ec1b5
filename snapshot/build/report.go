package build

import (
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/report"
)

// Report says what went into a build and what came out.
type Report struct {
	Snapshot    string            `json:"snapshot"`
	Bytes       int64             `json:"bytes"`
	AsOf        string            `json:"as_of"`
	Read        ReadReport        `json:"read"`
	Aged        int64             `json:"aged_links"` // left out, too old at as_of
	Merged      int64             `json:"merged_rows"`
	Identifiers int64             `json:"identifiers_read"`        // different ones
	Dropped     int64             `json:"persons_without_profile"` // left out
	Shared      int64             `json:"shared_identifiers"`      // which serve nobody
	Cuts        map[string]int64  `json:"cut_links"`               // by reason; they stand in quarantine.ndjson
	Lineage     *snapshot.Lineage `json:"lineage,omitempty"`
	Counts      snapshot.Counts   `json:"counts"`
	// Live is nil where no log of live changes was built from.
	Live *LiveReport `json:"live_changes,omitempty"`
	// Onboarding is what the report shows; its JSON withholds small counts.
	Onboarding *report.Data      `json:"onboarding"`
	Pruned     []string          `json:"pruned"`
	Spilled    int64             `json:"spilled_bytes"`
	Stages     map[string]string `json:"stages"` // how long each took
}
