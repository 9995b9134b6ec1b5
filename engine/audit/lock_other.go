//go:build !unix

package audit

import (
	"os"
	"time"
)

// lock does nothing: where there is no flock, two processes that append at
// once are the operator's to prevent.
func lock(*os.File, time.Time) error { return nil }

func unlock(*os.File) error { return nil }
