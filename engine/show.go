package engine

import (
	"fmt"
	"time"

	"github.com/matchd/matchd/index"
)

func shownHash(h index.Hash) string { return fmt.Sprintf("%016x%016x", h.Hi, h.Lo) }

// shownTime formats Unix seconds; 0 is no time.
func shownTime(sec int64) string {
	if sec == 0 {
		return ""
	}
	return time.Unix(sec, 0).UTC().Format(time.RFC3339)
}
