package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"
)

// A testType is a type of column, and makes values of it with their texts.
type testType struct {
	node      parquet.Node
	encodings []encoding.Encoding
	value     func(*rand.Rand) (parquet.Value, string)
}

var (
	textEncodings = []encoding.Encoding{&parquet.Plain, &parquet.RLEDictionary, &parquet.DeltaLengthByteArray, &parquet.DeltaByteArray}
	intEncodings  = []encoding.Encoding{&parquet.Plain, &parquet.RLEDictionary, &parquet.DeltaBinaryPacked}
)

func randomText(r *rand.Rand) (parquet.Value, string) {
	s := strings.Repeat("jane", r.IntN(3)) + fmt.Sprint(r.IntN(50)) + strings.Repeat("é", r.IntN(3))
	return parquet.ByteArrayValue([]byte(s)), s
}

func randomInt(r *rand.Rand) int64 { return r.Int64() >> r.IntN(64) * int64(1-2*r.IntN(2)) }

func timestamp(unit parquet.TimeUnit, of func(int64) time.Time) testType {
	return testType{parquet.Timestamp(unit), intEncodings, func(r *rand.Rand) (parquet.Value, string) {
		v := r.Int64N(2e12)
		return parquet.Int64Value(v), of(v).UTC().Format(time.RFC3339Nano)
	}}
}

var testTypes = []testType{
	{parquet.String(), textEncodings, randomText},
	{parquet.Enum(), textEncodings, randomText},
	{parquet.Leaf(parquet.ByteArrayType), textEncodings, randomText},
	{parquet.Int(64), intEncodings, func(r *rand.Rand) (parquet.Value, string) {
		v := randomInt(r)
		return parquet.Int64Value(v), fmt.Sprint(v)
	}},
	{parquet.Int(32), intEncodings, func(r *rand.Rand) (parquet.Value, string) {
		v := int32(randomInt(r))
		return parquet.Int32Value(v), fmt.Sprint(v)
	}},
	{parquet.Uint(32), intEncodings, func(r *rand.Rand) (parquet.Value, string) {
		v := uint32(randomInt(r))
		return parquet.Int32Value(int32(v)), fmt.Sprint(v)
	}},
	{parquet.Uint(64), intEncodings, func(r *rand.Rand) (parquet.Value, string) {
		v := uint64(randomInt(r))
		return parquet.Int64Value(int64(v)), fmt.Sprint(v)
	}},
	{parquet.Leaf(parquet.BooleanType), []encoding.Encoding{&parquet.Plain, &parquet.RLE}, func(r *rand.Rand) (parquet.Value, string) {
		v := r.IntN(3) == 0
		return parquet.BooleanValue(v), fmt.Sprint(v)
	}},
	{parquet.Date(), intEncodings, func(r *rand.Rand) (parquet.Value, string) {
		v := int32(r.IntN(40_000) - 5_000)
		return parquet.Int32Value(v), time.Unix(int64(v)*86400, 0).UTC().Format(time.DateOnly)
	}},
	timestamp(parquet.Millisecond, time.UnixMilli),
	timestamp(parquet.Microsecond, time.UnixMicro),
	timestamp(parquet.Nanosecond, func(v int64) time.Time { return time.Unix(0, v) }),
	{parquet.UUID(), []encoding.Encoding{&parquet.Plain, &parquet.RLEDictionary}, func(r *rand.Rand) (parquet.Value, string) {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], r.Uint64())
		binary.BigEndian.PutUint64(b[8:], r.Uint64())
		return parquet.FixedLenByteArrayValue(b[:]), fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	}},
	{parquet.Leaf(parquet.Int96Type), []encoding.Encoding{&parquet.Plain}, func(r *rand.Rand) (parquet.Value, string) {
		day, nanos := r.IntN(30_000), r.Int64N(86400e9)
		v := deprecated.Int96{uint32(nanos), uint32(nanos >> 32), uint32(day) + julianUnix}
		return parquet.Int96Value(v), time.Unix(int64(day)*86400, nanos).UTC().Format(time.RFC3339Nano)
	}},
}

// A testFile is a Parquet file, and the rows it should give.
type testFile struct {
	data []byte
	rows []string
}

func profileText(r *ProfileRow) string {
	texts := []string{fmt.Sprint(r.Line)}
	for _, c := range r.columns() {
		texts = append(texts, *c.value)
	}
	return strings.Join(texts, ";")
}

// randomParquet writes a file of random columns and rows by parquet-go.
func randomParquet(rnd *rand.Rand, codec compress.Codec, rows int) testFile {
	columns := new(ProfileRow).columns()
	group := parquet.Group{"unknown": parquet.List(parquet.Leaf(parquet.DoubleType))}
	types := make([]*testType, len(columns))
	shapes := make([]string, len(columns))
	for i, c := range columns {
		if !c.required && rnd.IntN(3) == 0 {
			continue
		}
		types[i] = &testTypes[rnd.IntN(len(testTypes))]
		if c.list {
			types[i] = &testTypes[0]
		}
		n := parquet.Encoded(types[i].node, types[i].encodings[rnd.IntN(len(types[i].encodings))])
		shapes[i] = []string{"one", "optional", "repeated", "list"}[rnd.IntN(4)]
		if !c.list && len(shapes[i]) < 5 {
			shapes[i] = "one"
		}
		switch {
		case shapes[i] == "optional" || shapes[i] != "one" && !c.list:
			n, shapes[i] = parquet.Optional(n), "optional"
		case shapes[i] == "repeated":
			n = parquet.Repeated(n)
		case shapes[i] == "list":
			n = parquet.Optional(parquet.List(parquet.Optional(n)))
		}
		group[c.name] = n
	}
	schema := parquet.NewSchema("p", group)
	var f testFile
	var buf bytes.Buffer
	w := parquet.NewWriter(&buf, schema, parquet.Compression(codec), parquet.DataPageVersion(1+rnd.IntN(2)), parquet.PageBufferSize(50+rnd.IntN(500)))
	for line := range rows {
		row := parquet.Row{}
		want := ProfileRow{Line: line + 1}
		texts := want.columns()
		for i, c := range columns {
			if types[i] == nil {
				continue
			}
			path := []string{c.name}
			if shapes[i] == "list" {
				path = []string{c.name, "list", "element"}
			}
			leaf, ok := schema.Lookup(path...)
			if !ok {
				panic("no column " + c.name)
			}
			values, text := randomEntries(rnd, types[i], shapes[i])
			for _, v := range values {
				row = append(row, v.Level(v.RepetitionLevel(), v.DefinitionLevel(), leaf.ColumnIndex))
			}
			*texts[i].value = strings.TrimSpace(text)
		}
		leaf, _ := schema.Lookup("unknown", "list", "element")
		row = append(row, parquet.Value{}.Level(0, 0, leaf.ColumnIndex))
		slices.SortStableFunc(row, func(a, b parquet.Value) int { return a.Column() - b.Column() })
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			panic(err)
		}
		f.rows = append(f.rows, profileText(&want))
		if rnd.IntN(100) == 0 {
			if err := w.Flush(); err != nil { // ends the row group
				panic(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	f.data = buf.Bytes()
	slices.Sort(f.rows)
	return f
}

// randomEntries returns the values of one row of a column, and their text.
func randomEntries(rnd *rand.Rand, t *testType, shape string) ([]parquet.Value, string) {
	v, text := t.value(rnd)
	switch {
	case shape == "one":
		return []parquet.Value{v.Level(0, 0, 0)}, text
	case shape == "optional" && rnd.IntN(3) == 0, rnd.IntN(5) == 0:
		return []parquet.Value{parquet.Value{}.Level(0, 0, 0)}, "" // null, or no element
	case shape == "optional":
		return []parquet.Value{v.Level(0, 1, 0)}, text
	}
	most := 1
	if shape == "list" {
		most = 3
	}
	var list []parquet.Value
	var texts []string
	for i := range 1 + rnd.IntN(5) {
		v, text := t.value(rnd)
		if shape == "list" && rnd.IntN(5) == 0 {
			list = append(list, parquet.Value{}.Level(min(i, 1), 2, 0)) // a null element
			continue
		}
		list = append(list, v.Level(min(i, 1), most, 0))
		texts = append(texts, text)
	}
	return list, strings.Join(texts, "|")
}

// parquetRows reads a file, and returns its rows and what is wrong.
func parquetRows(path string, opt Options) (rows, bad []string, err error) {
	var mu sync.Mutex
	opt.File = "p"
	opt.Bad = func(b BadRow) { bad = append(bad, b.String()) }
	err = ReadProfiles(context.Background(), path, opt, func() func(*ProfileRow) error {
		return func(r *ProfileRow) error {
			mu.Lock()
			defer mu.Unlock()
			rows = append(rows, profileText(r))
			return nil
		}
	})
	slices.Sort(rows)
	return rows, bad, err
}

var testCodecs = []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Zstd}

// What parquet-go writes is read, in every type, encoding, shape of list,
// compression and version of pages.
func TestParquetRoundTrip(t *testing.T) {
	seeds := uint64(80)
	if testing.Short() {
		seeds = 4 // each codec once
	}
	for seed := range seeds {
		rnd := rand.New(rand.NewPCG(seed, 5))
		f := randomParquet(rnd, testCodecs[seed%4], 1+rnd.IntN(700))
		rows, bad, err := parquetRows(write(t, "p.parquet", f.data), Options{Workers: 1 + int(seed%3)})
		if err != nil || len(bad) > 0 || !slices.Equal(rows, f.rows) {
			for i := range min(len(rows), len(f.rows)) {
				if rows[i] != f.rows[i] {
					t.Errorf("row %q\nwant %q", rows[i], f.rows[i])
					break
				}
			}
			t.Fatalf("seed %d: %d rows, want %d; bad %q, error %v", seed, len(rows), len(f.rows), bad, err)
		}
	}
}

// The same files as standard input and compressed as a whole, up to a limit.
func TestParquetHeld(t *testing.T) {
	f := randomParquet(rand.New(rand.NewPCG(1, 1)), &parquet.Snappy, 300)
	check := func(name, path string, opt Options) {
		t.Helper()
		opt.Layout.Format = Parquet
		if rows, _, err := parquetRows(path, opt); err != nil || !slices.Equal(rows, f.rows) {
			t.Errorf("%s: %d rows, want %d; error %v", name, len(rows), len(f.rows), err)
		}
		opt.maxRow = len(f.data) - 1
		opt.Stdin = bytes.NewReader(f.data)
		if rows, _, err := parquetRows(path, opt); err == nil || !strings.Contains(err.Error(), "held in memory, up to") || rows != nil {
			t.Errorf("%s: %d rows of a file over the limit, error %v", name, len(rows), err)
		}
	}
	check("standard input", Stdin, Options{Stdin: bytes.NewReader(f.data)})
	check("gzip", write(t, "p.parquet.gz", pack(t, Gzip, f.data)), Options{})
	check("zstd, by its first bytes", write(t, "p.parquet", pack(t, Zstd, f.data)), Options{})
}

// oneColumn writes a file with a customer id, and a column of some type.
func oneColumn(t *testing.T, name string, n parquet.Node, values ...parquet.Value) []byte {
	t.Helper()
	var buf bytes.Buffer
	schema := parquet.NewSchema("p", parquet.Group{"customer_id": parquet.String(), name: n})
	w := parquet.NewWriter(&buf, schema)
	for _, v := range values {
		row := parquet.Row{parquet.ByteArrayValue([]byte("C")).Level(0, 0, 0), v.Level(0, v.DefinitionLevel(), 1)}
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestParquetErrors(t *testing.T) {
	odd := " is of a type that is not read; make it a text, an integer, a boolean, a date or a timestamp"
	good := oneColumn(t, "email", parquet.String(), parquet.ByteArrayValue([]byte("a")))
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "the file is cut off, or not Parquet: it has 0 bytes"},
		{"not Parquet", []byte("customer_id\nC-1\n"), "the file is cut off, or not Parquet: it does not end in PAR1"},
		{"cut", good[:len(good)-1], "the file is cut off, or not Parquet: it does not end in PAR1"},
		{"start lost", good[9:], "damaged"},
		{"footer too long", append(good[:len(good)-8:len(good)-8], "\xff\xff\xff\x03PAR1"...), "longer than the file"},
		{"double", oneColumn(t, "email", parquet.Leaf(parquet.DoubleType)), "p:1: column email" + odd},
		{"decimal", oneColumn(t, "email", parquet.Decimal(2, 10, parquet.Int64Type)), "p:1: column email" + odd},
		{"time", oneColumn(t, "email", parquet.Time(parquet.Millisecond)), "p:1: column email" + odd},
		{"a list for a text", oneColumn(t, "email", parquet.Repeated(parquet.String())), "p:1: column email is a list, where one value is due"},
		{"nested", oneColumn(t, "segments", parquet.Group{"a": parquet.String()}), "p:1: column segments is nested"},
		{"lz4", compressedBy(t, &parquet.Lz4Raw), "compression LZ4_RAW is not read"},
		{"missing", renamed(good, "customer_id", "customer_ix"), "p:1: column customer_id is missing; the header has 2"},
	} {
		rows, _, err := parquetRows(write(t, "p.parquet", c.data), Options{})
		if err == nil || !strings.HasPrefix(err.Error(), "p:1: ") || !strings.Contains(err.Error(), c.want) || len(rows) > 0 {
			t.Errorf("%s: %d rows, error %v; want %s", c.name, len(rows), err, c.want)
		}
	}
}

func compressedBy(t *testing.T, c compress.Codec) []byte {
	t.Helper()
	return randomParquet(rand.New(rand.NewPCG(2, 2)), c, 10).data
}

func renamed(data []byte, from, to string) []byte {
	return bytes.ReplaceAll(data, []byte(from), []byte(to))
}

// Values that are no text of a usual length are bad rows; the others stay.
func TestParquetBadRows(t *testing.T) {
	text := func(s string) parquet.Value { return parquet.ByteArrayValue([]byte(s)) }
	data := oneColumn(t, "email", parquet.String(), text("a"), text("b\xff"), text(strings.Repeat("x", maxText+1)), text("d"))
	rows, bad, err := parquetRows(write(t, "p.parquet", data), Options{})
	wantBad := []string{"p:2: column email: not UTF-8", "p:3: column email: over 65536 bytes"}
	if err != nil || len(rows) != 2 || !slices.Equal(bad, wantBad) {
		t.Errorf("rows %q, bad %q, error %v", rows, bad, err)
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzParquet reads bytes that may be Parquet: no panic, no memory for what
// the file only claims.
func FuzzParquet(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(randomParquet(rand.New(rand.NewPCG(seed, 6)), testCodecs[seed%4], 5).data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		check := &fuzzed{t: t}
		used := allocated(func() {
			_, bad, err := parquetRows(Stdin, Options{Stdin: bytes.NewReader(data), Layout: Layout{Format: Parquet}})
			for _, b := range bad {
				check.text(b)
			}
			check.done(err)
		})
		if used > 256<<20 {
			t.Fatalf("%d bytes are allocated for %d", used, len(data))
		}
	})
}

// FuzzParquetPage decodes the values of a page, whatever its bytes.
func FuzzParquetPage(f *testing.F) {
	f.Add(uint8(0), uint8(1), []byte("\x03\x00\x00\x00abc"))
	f.Add(uint8(5), uint8(4), []byte("\x80\x01\x04\x03\x02\x02\x00\x00\x00\x00"))
	f.Add(uint8(6), uint8(0), []byte("\x80\x01\x04\x01\x06abc"))
	f.Add(uint8(7), uint8(0), []byte("\x80\x01\x04\x01\x00\x80\x01\x04\x01\x06abc"))
	f.Add(uint8(8), uint8(0), []byte("\x02\x03\xff\xff\x08\x01"))
	f.Fuzz(func(t *testing.T, e, typ uint8, data []byte) {
		test := testTypes[int(typ)%len(testTypes)]
		schema := &format.SchemaElement{}
		schema.Type.Set(format.Type(test.node.Type().Kind()))
		schema.TypeLength.Set(16)
		l := &leaf{schema: schema, kind: kind(typ) % (kindUUID + 1)}
		if typ := schema.Type.V; typ == format.FixedLenByteArray {
			l.kind = kindUUID
		} else if typ == format.Int96 {
			l.kind = kindInt96
		} else if l.kind >= kindInt96 {
			l.kind = kindInt
		}
		v, err := newValues(format.Encoding(e%9), l, data, 1000, []string{"a", "b"})
		for range 1000 {
			if err != nil {
				return
			}
			_, err = v.next()
		}
	})
}
