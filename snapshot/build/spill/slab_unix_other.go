//go:build unix && !linux

package spill

func adviseHuge([]byte) {}
