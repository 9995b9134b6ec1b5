package source

import (
	"encoding/binary"
	"errors"
)

var errThrift = errors.New("no valid Thrift")

// errShort says that data may go on.
var errShort = errors.New("it ends too early")

// Limits of a Thrift structure.
const (
	maxThriftDepth   = 16
	maxThriftStructs = 1 << 19 // in lists
)

// thriftLen returns the length of the structure in Thrift's compact protocol
// that data starts with. It checks what a decoder would otherwise allocate
// memory for: that every text and list is as long as it says, and that the
// number of structures is bounded. The protocol is described at
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
func thriftLen(data []byte) (int, error) {
	t := thriftWalk{data: data}
	err := t.structure(0)
	return t.at, err
}

type thriftWalk struct {
	data        []byte
	at, structs int
}

func (t *thriftWalk) uvarint() (uint64, error) {
	v, n := binary.Uvarint(t.data[t.at:])
	if n < 0 {
		return 0, errThrift
	}
	if n == 0 {
		return 0, errShort
	}
	t.at += n
	return v, nil
}

func (t *thriftWalk) pass(n uint64) error {
	if n > uint64(len(t.data)-t.at) {
		return errShort
	}
	t.at += int(n)
	return nil
}

func (t *thriftWalk) byte() (byte, error) {
	if err := t.pass(1); err != nil {
		return 0, err
	}
	return t.data[t.at-1], nil
}

func (t *thriftWalk) structure(depth int) error {
	if depth == maxThriftDepth {
		return errThrift
	}
	for {
		field, err := t.byte()
		if err != nil || field == 0 {
			return err
		}
		if field>>4 == 0 { // the field's number follows
			if _, err := t.uvarint(); err != nil {
				return err
			}
		}
		if typ := field & 15; typ > 2 { // a boolean is its type
			if err := t.value(typ, depth); err != nil {
				return err
			}
		}
	}
}

// value passes over a value of a type.
func (t *thriftWalk) value(typ byte, depth int) error {
	switch typ {
	case 1, 2, 3: // booleans in a list, and bytes
		return t.pass(1)
	case 4, 5, 6:
		_, err := t.uvarint()
		return err
	case 7:
		return t.pass(8)
	case 8:
		n, err := t.uvarint()
		if err != nil {
			return err
		}
		return t.pass(n)
	case 9, 10:
		return t.list(depth)
	case 12:
		return t.structure(depth + 1)
	}
	return errThrift // maps are nowhere in Parquet
}

func (t *thriftWalk) list(depth int) error {
	if depth == maxThriftDepth {
		return errThrift
	}
	head, err := t.byte()
	if err != nil {
		return err
	}
	n, typ := uint64(head>>4), head&15
	if n == 15 {
		if n, err = t.uvarint(); err != nil {
			return err
		}
	}
	if n > uint64(len(t.data)-t.at) { // every element has a byte
		return errShort
	}
	if typ >= 8 {
		if t.structs += int(n); t.structs > maxThriftStructs {
			return errors.New("it has too many parts")
		}
	}
	for range n {
		if err := t.value(typ, depth+1); err != nil {
			return err
		}
	}
	return nil
}
