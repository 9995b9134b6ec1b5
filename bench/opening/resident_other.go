//go:build !linux

package opening

// resident is not known here.
func resident() (r Resident) { return r }
