//go:build !unix

package spill

func mapSlab(size int) ([]byte, error) { return make([]byte, size), nil }

func unmapSlab([]byte) error { return nil }
