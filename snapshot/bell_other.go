//go:build !unix

package snapshot

// Where a pipe cannot be waited for as the network is, there is no bell.
type bell struct{}

func newBell() *bell { return nil }

func (*bell) wait() bool { return false }

func (*bell) close() {}
