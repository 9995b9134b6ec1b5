//go:build !linux

package eventlog

func adviseHuge([]byte) {}
