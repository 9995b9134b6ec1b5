package source

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// A kind is how the values of a Parquet column become text.
type kind uint8

const (
	kindText kind = iota
	kindBool
	kindInt
	kindUint32
	kindUint64
	kindDate // days since 1970
	kindMillis
	kindMicros
	kindNanos
	kindInt96 // nanoseconds of a Julian day, of old
	kindUUID
)

var errKind = errors.New("is of a type that is not read; make it a text, an integer, a boolean, a date or a timestamp")

// kindOf says how the values of a column become text.
func kindOf(e *format.SchemaElement) (kind, error) {
	if !e.Type.Valid || e.NumChildren.V != 0 {
		return 0, errKind
	}
	switch e.Type.V {
	case format.Boolean:
		return kindBool, nil
	case format.Int96:
		return kindInt96, nil
	case format.Int32, format.Int64:
		return intKind(e)
	case format.FixedLenByteArray:
		if _, ok := e.LogicalType.Value.(*format.UUIDType); ok && e.TypeLength.V == 16 {
			return kindUUID, nil
		}
	case format.ByteArray:
		return textKind(e)
	}
	return 0, errKind
}

func textKind(e *format.SchemaElement) (kind, error) {
	switch e.LogicalType.Value.(type) {
	case nil:
		if !e.ConvertedType.Valid {
			return kindText, nil
		}
		switch e.ConvertedType.V {
		case deprecated.UTF8, deprecated.Enum, deprecated.Json:
			return kindText, nil
		}
	case *format.StringType, *format.EnumType, *format.JsonType:
		return kindText, nil
	}
	return 0, errKind
}

// intKind is kindOf for integers, by either of the two ways to annotate them.
func intKind(e *format.SchemaElement) (kind, error) {
	wide := e.Type.V == format.Int64
	unsigned := kindUint32
	if wide {
		unsigned = kindUint64
	}
	switch t := e.LogicalType.Value.(type) {
	case *format.IntType:
		if t.IsSigned {
			return kindInt, nil
		}
		return unsigned, nil
	case *format.DateType:
		if !wide {
			return kindDate, nil
		}
	case *format.TimestampType:
		if !wide {
			break
		}
		switch t.Unit.Value.(type) {
		case *format.MilliSeconds:
			return kindMillis, nil
		case *format.MicroSeconds:
			return kindMicros, nil
		case *format.NanoSeconds:
			return kindNanos, nil
		}
	case nil:
		return convertedKind(e, wide, unsigned)
	}
	return 0, errKind
}

func convertedKind(e *format.SchemaElement, wide bool, unsigned kind) (kind, error) {
	if !e.ConvertedType.Valid {
		return kindInt, nil
	}
	switch c := e.ConvertedType.V; {
	case c >= deprecated.Int8 && c <= deprecated.Int64:
		return kindInt, nil
	case c >= deprecated.Uint8 && c <= deprecated.Uint64:
		return unsigned, nil
	case c == deprecated.Date && !wide:
		return kindDate, nil
	case c == deprecated.TimestampMillis && wide:
		return kindMillis, nil
	case c == deprecated.TimestampMicros && wide:
		return kindMicros, nil
	}
	return 0, errKind
}

// integer appends the text of an integer.
func (k kind) integer(dst []byte, v int64) []byte {
	switch k {
	case kindUint32:
		return strconv.AppendUint(dst, uint64(uint32(v)), 10)
	case kindUint64:
		return strconv.AppendUint(dst, uint64(v), 10)
	case kindDate:
		return time.Unix(v*86400, 0).UTC().AppendFormat(dst, time.DateOnly)
	case kindMillis:
		return appendTime(dst, time.UnixMilli(v))
	case kindMicros:
		return appendTime(dst, time.UnixMicro(v))
	case kindNanos:
		return appendTime(dst, time.Unix(v/1e9, v%1e9))
	case kindBool:
		return strconv.AppendBool(dst, v != 0)
	}
	return strconv.AppendInt(dst, v, 10)
}

func appendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, time.RFC3339Nano)
}

// julianUnix is the Julian day of 1970-01-01.
const julianUnix = 2440588

// fixed appends the text of a value of a fixed number of bytes.
func (k kind) fixed(dst, v []byte) []byte {
	switch k {
	case kindUUID:
		for i, n := range []int{4, 2, 2, 2, 6} {
			if i > 0 {
				dst = append(dst, '-')
			}
			dst, v = hex.AppendEncode(dst, v[:n]), v[n:]
		}
		return dst
	case kindInt96:
		days := int64(binary.LittleEndian.Uint32(v[8:])) - julianUnix
		return appendTime(dst, time.Unix(days*86400, int64(binary.LittleEndian.Uint64(v))))
	}
	if len(v) == 4 {
		return k.integer(dst, int64(int32(binary.LittleEndian.Uint32(v))))
	}
	return k.integer(dst, int64(binary.LittleEndian.Uint64(v)))
}
