package engine_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails where a goroutine is left over, but for one of Pebble's: of a
// store whose opening fails late, it leaves what looks for compactions.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/cockroachdb/pebble/v2.(*ConcurrencyLimitScheduler).periodicGranter"))
}
