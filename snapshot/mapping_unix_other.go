//go:build unix && !linux

package snapshot

func adviseHuge([]byte) {}

func populate([]byte) {}
