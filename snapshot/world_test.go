package snapshot

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/matchd/matchd/index"
)

// memFS is a file system in memory, for what a Writer does to one.
type memFS map[string]*memFile

// memLock guards the maps of all, because shards are created at once.
var memLock sync.Mutex

type memFile struct{ bytes.Buffer }

func (*memFile) Sync() error  { return nil }
func (*memFile) Close() error { return nil }

func (memFS) MkdirAll(string, os.FileMode) error { return nil }
func (memFS) Rename(string, string) error        { return nil }
func (memFS) RemoveAll(string) error             { return nil }
func (memFS) SyncDir(string) error               { return nil }

func (m memFS) Create(name string, _ os.FileMode) (File, error) {
	memLock.Lock()
	defer memLock.Unlock()
	if _, ok := m[name]; ok {
		return nil, os.ErrExist
	}
	f := &memFile{}
	m[name] = f
	return f, nil
}

func (m memFS) files() map[string][]byte {
	out := map[string][]byte{}
	for name, f := range m {
		out[filepath.Base(name)] = bytes.Clone(f.Bytes())
	}
	return out
}

// sampleSecret is the secret of all snapshots in the tests.
func sampleSecret() (s index.Secret) {
	for i := range s {
		s[i] = byte(i)
	}
	return s
}

// sampleMeta describes a snapshot; number tells two apart.
func sampleMeta(number byte, indexShards, recordShards int) Meta {
	asOf := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
	newest, _ := DayOf(asOf)
	return Meta{
		ID: ID{number, 1, 2, 3}, KeyID: sampleSecret().ID(), AsOf: asOf, Oldest: newest - 300, LinkMaxAge: 13,
		Normalised:  map[string]string{index.EmailSHA256: "uid2/1"},
		IndexShards: indexShards, RecordShards: recordShards,
	}
}

func sampleDicts(t testing.TB) Dictionaries {
	t.Helper()
	ns, err := index.NewNamespaces(append(index.Builtin(), index.Namespace{Name: "cookie.pub"}, index.Namespace{Name: "crm.acme"}))
	if err != nil {
		t.Fatal(err)
	}
	return Dictionaries{
		Namespaces: ns,
		Sources:    []Source{{"crm.acme", FirstParty}, {"pub", SecondParty}, {"pub", ThirdParty}},
		Tenants: []Tenant{
			{Name: "acme", Domain: "acme.example", LegalBasis: Consent, ConsentMaxAge: 36},
			{Name: "other", LegalBasis: Contract, ConsentMaxAge: 12},
		},
		Segments: []Segment{{0, "churn.high"}, {0, "vip"}, {1, "vip"}},
	}
}

// samplePersons makes n persons, ascending by id, with one to five
// identifiers each.
func samplePersons(t testing.TB, d Dictionaries, n int) []*Person {
	t.Helper()
	hasher := IdentifierHasher(sampleSecret())
	newest, _ := DayOf(sampleMeta(0, 1, 1).AsOf)
	node := func(p *Person, namespace, value string) {
		t.Helper()
		k, id, err := d.Namespaces.AppendKey(nil, []byte(namespace+":"+value))
		if err != nil {
			t.Fatal(err)
		}
		at := len(p.Nodes)
		p.Nodes = append(p.Nodes, Node{
			Hash: hasher.Sum(k), Namespace: id, Value: d.Namespaces.Value(id, k), Parent: uint32(max(at-1, 0)),
			Method: Method(at % 4), Source: uint16(at % 3), Seen: newest - Day(10*at),
		})
	}
	out := make([]*Person, n)
	for i := range out {
		sum := hasher.Sum(binary.BigEndian.AppendUint64([]byte("person"), uint64(i)))
		p := &Person{Born: 1_600_000_000 + int64(i)}
		binary.BigEndian.PutUint64(p.ID[:], sum.Hi)
		binary.BigEndian.PutUint64(p.ID[8:], sum.Lo)
		node(p, "crm.acme", fmt.Sprint("C-", i))
		if i%5 > 0 {
			node(p, "email_sha256", fmt.Sprintf("%064x", i+1<<20))
		}
		if i%5 > 1 {
			node(p, "maid", fmt.Sprintf("6d92078a-8246-4ba4-ae5b-%012x", i))
		}
		for k := 2; k < i%5; k++ {
			node(p, "cookie.pub", fmt.Sprint("cookie-", i, "-", k))
		}
		for k := 1; k < len(p.Nodes); k++ {
			p.Links = append(p.Links, Link{
				A: uint32(k - 1), B: uint32(k), Method: p.Nodes[k].Method, Source: p.Nodes[k].Source,
				First: p.Nodes[k].Seen - Day(i%200), Last: p.Nodes[k].Seen,
			})
		}
		if len(p.Nodes) > 2 {
			p.Spares = []Spare{{A: 0, B: 2, Method: Inferred, Seen: newest}}
		}
		p.Profiles = []Profile{{
			Tenant: 0, Kind: Kind(i % 2), Customer: p.Nodes[0].Value, Segments: []uint32{uint32(i % 2)},
			Consent: ConsentState{At: 1_700_000_000 + int64(i), Expires: int64(i%2) * 1_900_000_000, Purposes: Use},
		}}
		out[i] = p
	}
	slices.SortFunc(out, func(a, b *Person) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return out
}

// writeSnapshot writes persons into dir.
func writeSnapshot(t testing.TB, fs FS, dir string, m Meta, d Dictionaries, persons []*Person) (Manifest, HexBytes) {
	t.Helper()
	w, err := NewWriter(fs, dir, m, d)
	if err != nil {
		t.Fatal(err)
	}
	manifest, hash, err := w.WriteAll(t.Context(), func(shard int) iter.Seq[*Person] {
		return shardOf(persons, shard, m.RecordShards)
	})
	if err != nil {
		t.Fatal(err)
	}
	return manifest, hash
}

// shardOf yields the persons of one record shard.
func shardOf(persons []*Person, shard, shards int) iter.Seq[*Person] {
	return func(yield func(*Person) bool) {
		for _, p := range persons {
			if RecordShard(p.ID, shards) == shard && !yield(p) {
				return
			}
		}
	}
}

// sampleFiles makes a snapshot of n persons in memory.
func sampleFiles(t testing.TB, number byte, shards, n int) (map[string][]byte, HexBytes) {
	t.Helper()
	fs, d := memFS{}, sampleDicts(t)
	_, hash := writeSnapshot(t, fs, "", sampleMeta(number, shards, shards), d, samplePersons(t, d, n))
	return fs.files(), hash
}

// openSample opens and verifies files.
func openSample(t testing.TB, files map[string][]byte, hash HexBytes) *Snapshot {
	t.Helper()
	s, err := OpenBytes(files, hash)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Verify(IdentifierHasher(sampleSecret())); err != nil {
		t.Fatal(err)
	}
	return s
}

// lookup finds the record of an identifier as the engine does.
func lookup(t testing.TB, s *Snapshot, h index.Hash) (r Record, at int, ok bool) {
	t.Helper()
	if !s.Filter(s.Shard(h)).MayContain(h) {
		return r, 0, false
	}
	table := s.Table(s.Shard(h))
	for c := table.Seek(h); ; {
		addr, ok := table.Next(h, &c)
		if !ok {
			return r, 0, false
		}
		if _, err := s.Record(addr, nil, &r); err != nil {
			t.Fatal(err)
		}
		if at := r.Find(h); at >= 0 {
			return r, at, true
		}
	}
}

// names lists the files of a snapshot in order.
func names(files map[string][]byte) []string { return slices.Sorted(maps.Keys(files)) }

// reseal writes every file again with what edit makes of each section, and
// with all checksums right, so that what lies behind them is reached.
func reseal(t testing.TB, files map[string][]byte, edit func(file, tag string, body []byte) []byte) map[string][]byte {
	t.Helper()
	out := memFS{}
	infos := map[string]FileInfo{}
	write := func(name string, body func(tag string, b []byte) []byte) {
		f, err := parseFile(name, files[name])
		if err != nil {
			t.Fatal(err)
		}
		w, err := newFileWriter(out, name, name, f.header, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range f.toc {
			w.section(e.tag)
			w.write(body(e.tag, bytes.Clone(f.data[e.offset:e.offset+e.length])))
		}
		if infos[name], err = w.finish(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names(files) {
		if name != manifestName {
			write(name, func(tag string, b []byte) []byte { return edit(name, tag, b) })
		}
	}
	write(manifestName, func(tag string, b []byte) []byte {
		if tag == sectionMeta {
			b = refile(t, b, infos)
		}
		return edit(manifestName, tag, b)
	})
	return out.files()
}

// refile puts the sizes and hashes of infos into the manifest's JSON.
func refile(t testing.TB, meta []byte, infos map[string]FileInfo) []byte {
	t.Helper()
	var m Manifest
	if err := json.Unmarshal(meta, &m); err != nil {
		t.Fatal(err)
	}
	for i := range m.Files {
		m.Files[i] = infos[m.Files[i].Name]
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The tests' own tools work: a snapshot written again without an edit is the
// same, byte for byte, and what it holds is found.
func TestSampleAndReseal(t *testing.T) {
	files, hash := sampleFiles(t, 1, 2, 500)
	same := reseal(t, files, func(_, _ string, b []byte) []byte { return b })
	for _, name := range names(files) {
		if !bytes.Equal(files[name], same[name]) {
			t.Errorf("%s changed", name)
		}
	}
	s := openSample(t, same, hash)
	for _, p := range samplePersons(t, s.Dictionaries, 500) {
		for i := range p.Nodes {
			r, at, ok := lookup(t, s, p.Nodes[i].Hash)
			if !ok || r.ID != p.ID || at != i {
				t.Fatalf("identifier %d of %v leads to %v, %d (%t)", i, p.ID, r.ID, at, ok)
			}
		}
	}
}
