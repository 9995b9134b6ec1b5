package snapshot

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"

	"github.com/matchd/matchd/index"
)

// exercise does with a snapshot all that a reader may do with one. What it
// holds may be nonsense; nothing may panic.
func exercise(t testing.TB, s *Snapshot) {
	t.Helper()
	_ = s.Verify(IdentifierHasher(sampleSecret()))
	_, _ = s.Inspect(10)
	_, _ = s.Name(), s.Bytes()
	var r Record
	var buf []byte
	read := func(addr uint64) {
		var err error
		s.Prefetch(addr)
		if buf, err = s.Record(addr, buf, &r); err != nil {
			return
		}
		readRecord(&r)
		block, err := s.ReadCold(s.ColdBlockOf(addr, &r))
		if err == nil {
			_, _ = s.Cold(block, &r)
		}
	}
	for shard := range s.RecordShards {
		for p := range s.Persons(shard, IdentifierHasher(sampleSecret())) {
			if p != nil {
				_ = s.Namespaces.At(p.Nodes[len(p.Nodes)-1].Namespace)
			}
		}
		for addr := range s.Addrs(shard) {
			read(addr)
		}
		for block := range uint32(3) {
			_, _ = s.ReadCold(ColdBlock{uint32(shard), block})
		}
	}
	for i := range uint64(40) {
		h := index.Hash{Hi: i * 0x0666_6666_6666_6666, Lo: i}
		s.Filter(s.Shard(h)).MayContain(h)
		table := s.Table(s.Shard(h))
		for c := table.Seek(h); ; {
			addr, ok := table.Next(h, &c)
			if !ok {
				break
			}
			read(addr)
		}
		read(i)
		read(^uint64(0) >> i)
	}
}

// readRecord walks over all of a record.
func readRecord(r *Record) {
	r.Find(index.Hash{Hi: 1, Lo: 2})
	for i := range min(r.Len(), 1000) {
		r.Node(i)
	}
	for i := range min(r.Spares(), 1000) {
		r.Spare(i)
	}
	var p Profile
	for ps := r.Profiles(); ps.Next(&p); {
		_ = p.Kind.String()
	}
}

// open exercises files if they open.
func openAndExercise(t testing.TB, files map[string][]byte) (opened bool) {
	t.Helper()
	s, err := OpenBytes(files, nil)
	if err != nil {
		return false
	}
	exercise(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return true
}

// FuzzOpenBytes replaces a part of one file by other bytes: checksums refuse
// nearly all of that.
func FuzzOpenBytes(f *testing.F) {
	files, _ := sampleFiles(f, 1, 1, 12)
	list := names(files)
	for i, name := range list {
		size := len(files[name])
		f.Add(i, 0, []byte{})
		f.Add(i, 0, files[list[0]])
		f.Add(i, size-trailerSize, []byte("xxxxxxxx"))
		f.Add(i, size, []byte{0})
		f.Add(i, headerSize, []byte{0xff})
		f.Add(i, 8, []byte{2})
	}
	f.Fuzz(func(t *testing.T, which, at int, with []byte) {
		name := list[uint(which)%uint(len(list))]
		data := files[name]
		at = int(uint(at) % uint(len(data)+1))
		bad := maps.Clone(files)
		bad[name] = append(append(data[:at:at], with...), data[min(at+len(with), len(data)):]...)
		openAndExercise(t, bad)
	})
}

// FuzzSections replaces one section of one file and makes all checksums right
// again, so that what lies behind them is reached.
func FuzzSections(f *testing.F) {
	files, _ := sampleFiles(f, 1, 1, 12)
	type place struct{ file, tag string }
	var places []place
	for _, name := range names(files) {
		parsed, err := parseFile(name, files[name])
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range parsed.toc {
			i := len(places)
			places = append(places, place{name, e.tag})
			body := parsed.data[e.offset : e.offset+e.length]
			f.Add(i, body)
			f.Add(i, []byte{})
			f.Add(i, append(bytes.Clone(body), 0))
			f.Add(i, body[:len(body)/2])
			f.Add(i, bytes.Repeat([]byte{0xff}, len(body)))
			f.Add(i, append(bytes.Clone(body), make([]byte, 20)...))
			f.Add(i, []byte("null"))
			f.Add(i, []byte("[]"))
		}
	}
	if len(places) != 12 {
		f.Fatalf("%d sections", len(places))
	}
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		p := places[uint(which)%uint(len(places))]
		openAndExercise(t, reseal(t, files, func(file, tag string, was []byte) []byte {
			if file == p.file && tag == p.tag {
				return body
			}
			return was
		}))
	})
}

// Of the seeds of FuzzSections some open: they reach what is to be reached.
func TestResealedNonsenseOpens(t *testing.T) {
	files, _ := sampleFiles(t, 1, 1, 12)
	for _, tag := range []string{sectionHot, sectionCold, sectionTable, sectionFilter} {
		zero := reseal(t, files, func(_, at string, b []byte) []byte {
			if at == tag {
				clear(b)
			}
			return b
		})
		if !openAndExercise(t, zero) {
			t.Errorf("section %s full of zeros does not open", tag)
		}
		s, err := OpenBytes(zero, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(IdentifierHasher(sampleSecret())); err == nil {
			t.Errorf("section %s full of zeros is verified", tag)
		}
	}
}

// FuzzRecord decodes the body of a hot record.
func FuzzRecord(f *testing.F) {
	d := sampleDicts(f)
	m := sampleMeta(1, 1, 1)
	l := newLayout(m, d)
	for _, p := range samplePersons(f, d, 6) {
		b, err := appendRecord(nil, p, &l, place{m.ID, 0, 0}, coldRef{1, 2})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[recordHead:])
		f.Add(b[recordHead : len(b)/2])
	}
	f.Add(append(make([]byte, 17), 0xff, 0xff, 0xff, 0x7, 0xff, 0xff, 0xff, 0x7, 0xff, 0xff, 0xff, 0x7))
	f.Add(append(make([]byte, 17), 1, 0, 0x80, 0x80, 0x80, 8, 0, 0))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r Record
		if r.parse(body, &l) == nil {
			readRecord(&r)
		}
	})
}

// FuzzCold decodes the cold part of a person from a block.
func FuzzCold(f *testing.F) {
	d := sampleDicts(f)
	l := newLayout(sampleMeta(1, 1, 1), d)
	for _, p := range samplePersons(f, d, 6) {
		b := appendCold([]byte("before"), p)
		f.Add(b, uint32(6), len(p.Nodes))
		f.Add(b[:len(b)-1], uint32(6), len(p.Nodes))
	}
	f.Add([]byte{}, uint32(1), 1)
	f.Add(make([]byte, 40), ^uint32(0), 1)
	f.Fuzz(func(t *testing.T, block []byte, offset uint32, nodes int) {
		var id PersonID
		if uint64(offset) < uint64(len(block)) {
			copy(id[:], block[offset:])
		}
		p := &ColdPerson{Links: make([]Link, 3)}
		if p.parse(block, offset, id, 1+int(uint(nodes)%1000), &l) != nil {
			return
		}
		for _, i := range p.Identifiers {
			_ = d.Namespaces.AppendText(nil, i.Namespace, i.Value)
		}
		for _, k := range p.Links {
			_ = d.Sources[k.Source]
			if int(k.B) >= len(p.Identifiers) || k.A >= k.B || k.First > k.Last {
				t.Fatalf("link %+v of %d identifiers", k, len(p.Identifiers))
			}
		}
	})
}

// FuzzColdBlocks reads blocks through an index and a dictionary.
func FuzzColdBlocks(f *testing.F) {
	files, _ := sampleFiles(f, 1, 1, 500)
	file, err := parseFile("records-0000", files["records-0000"])
	if err != nil {
		f.Fatal(err)
	}
	sections := map[string][]byte{}
	for _, tag := range []string{sectionCold, sectionColdIndex, sectionDict} {
		if sections[tag], err = file.section(tag); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(sections[sectionCold][:500], sections[sectionDict], uint32(40_000))
	f.Add([]byte{}, []byte{}, uint32(0))
	f.Add([]byte("\x28\xb5\x2f\xfd"), []byte("\x37\xa4\x30\xec"), uint32(1))
	f.Fuzz(func(t *testing.T, blocks, dict []byte, size uint32) {
		out := memFS{}
		w, err := newFileWriter(out, "records-0000", "records-0000", file.header, nil)
		if err != nil {
			t.Fatal(err)
		}
		pl := place{file.header.snapshot, 0, 0}
		var idx []byte
		idx = append(idx, make([]byte, 8)...)
		idx = append(idx, byte(size), byte(size>>8), byte(size>>16), byte(size>>24))
		check := pl.check(blocks)
		idx = append(idx, byte(check), byte(check>>8), byte(check>>16), byte(check>>24))
		for tag, body := range map[string][]byte{sectionCold: blocks, sectionColdIndex: idx, sectionDict: dict} {
			w.section(tag)
			w.write(body)
		}
		if _, err := w.finish(); err != nil {
			t.Fatal(err)
		}
		parsed, err := parseFile("records-0000", out.files()["records-0000"])
		if err != nil {
			t.Fatal(err)
		}
		r, err := newColdReader(parsed)
		if err != nil {
			return
		}
		defer r.dec.Close()
		if raw, err := r.read(pl, &coldBuffers{}); err == nil && len(raw) != int(size) {
			t.Fatalf("%d bytes where %d are due", len(raw), size)
		}
	})
}

func FuzzSegments(f *testing.F) {
	f.Add(appendSegments(nil, sampleDicts(f).Segments), 2)
	f.Add([]byte{0, 0xff}, 1)
	f.Add([]byte{0xff, 0xff, 0xff}, 0)
	f.Fuzz(func(t *testing.T, b []byte, tenants int) {
		list, err := parseSegments(b, tenants)
		if err != nil {
			return
		}
		again, err := parseSegments(appendSegments(nil, list), tenants)
		if err != nil || len(again) != len(list) {
			t.Fatalf("%d segments, written and read %d (%v)", len(list), len(again), err)
		}
		for _, s := range list {
			if int(s.Tenant) >= max(tenants, 1) {
				t.Fatalf("tenant %d of %d", s.Tenant, tenants)
			}
		}
	})
}

// FuzzManifest decodes the JSON of the manifest, and opens what it says.
func FuzzManifest(f *testing.F) {
	files, _ := sampleFiles(f, 1, 1, 5)
	parsed, err := parseFile(manifestName, files[manifestName])
	if err != nil {
		f.Fatal(err)
	}
	meta, err := parsed.section(sectionMeta)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(meta)
	for _, pair := range [][2]string{
		{`"index_shards":1`, `"index_shards":4096`},
		{`"index_shards":1`, `"index_shards":-1`},
		{`"record_shards":1`, `"record_shards":0`},
		{`"link_max_age_months":13`, `"link_max_age_months":9223372036854775807`},
		{`"as_of":"2026`, `"as_of":"2150`},
		{`"as_of":"2026`, `"as_of":"1969`},
		{`"oldest_day":`, `"oldest_day":9`},
		{`"oldest_day":`, `"oldest_day":-`},
		{`"name":"index-0000"`, `"name":"../index"`},
		{`"files":[`, `"files":null,"x":[`},
		{`"size":`, `"size":-`},
	} {
		bad := bytes.Replace(meta, []byte(pair[0]), []byte(pair[1]), 1)
		if bytes.Equal(bad, meta) {
			f.Fatalf("the manifest has no %s: %s", pair[0], meta)
		}
		f.Add(bad)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		bad := reseal(t, files, func(file, tag string, b []byte) []byte {
			if tag == sectionMeta {
				return text
			}
			return b
		})
		if openAndExercise(t, bad) && !json.Valid(bytes.TrimSpace(text)) {
			// A decoder that stops after the first value takes more.
			var m Manifest
			if json.NewDecoder(bytes.NewReader(text)).Decode(&m) != nil {
				t.Fatalf("%q opens", text)
			}
		}
	})
}

func FuzzParams(f *testing.F) {
	f.Add(appendParams(nil, index.TableParams{ShardBits: 3, Lines: 9, Displacement: 2}, 50))
	f.Add(make([]byte, paramsSize))
	f.Add(bytes.Repeat([]byte{0xff}, paramsSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, entries, err := parseParams(b)
		if err != nil {
			return
		}
		if p.Validate() != nil || !bytes.Equal(appendParams(nil, p, int(entries)), b) {
			t.Fatalf("%x is read as %+v, %d", b, p, entries)
		}
	})
}
