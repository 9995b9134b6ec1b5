package snapshot

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/matchd/matchd/index"
)

// otherSecret is a secret of its own for each number.
func otherSecret(n byte) index.Secret {
	s := sampleSecret()
	s[0] = 100 + n
	return s
}

// putKey puts a key into a store's folder of keys.
func putKey(t testing.TB, store *Store, secret index.Secret) {
	t.Helper()
	if err := store.addKey(secret); err != nil {
		t.Fatal(err)
	}
}

// The current snapshot says which key a store has, if it has that; otherwise
// secret.key is it. The other ones are former.
func TestKeys(t *testing.T) {
	own, other, third := sampleSecret(), otherSecret(1), otherSecret(2)
	for what, c := range map[string]struct {
		of       func(t *testing.T, store *Store, cur Current)
		want     index.Secret
		former   []index.Secret
		unopened bool
	}{
		"no folder": {of: func(*testing.T, *Store, Current) {}, want: own},
		"former keys": {
			of:   func(t *testing.T, s *Store, _ Current) { putKey(t, s, other); putKey(t, s, third) },
			want: own, former: []index.Secret{other, third},
		},
		"not settled": { // secret.key is the former one
			of: func(t *testing.T, s *Store, _ Current) {
				putKey(t, s, own)
				mustWrite(t, s.path(keysName, moveName), []byte(moveLine(own)))
				mustWrite(t, s.path(secretName), FormatSecret(other))
			},
			want: own, former: []index.Secret{other},
		},
		"a snapshot of a former key": { // as from a backup: no move is under way
			of: func(t *testing.T, s *Store, _ Current) {
				putKey(t, s, own)
				mustWrite(t, s.path(secretName), FormatSecret(other))
			},
			want: other, former: []index.Secret{own}, unopened: true,
		},
		"a snapshot of a key that is not there": {
			of: func(t *testing.T, s *Store, _ Current) {
				putKey(t, s, third)
				mustWrite(t, s.path(secretName), FormatSecret(other))
			},
			want: other, former: []index.Secret{third}, unopened: true,
		},
		"a damaged manifest": {
			of: func(t *testing.T, s *Store, cur Current) {
				putKey(t, s, own)
				mustWrite(t, s.path(secretName), FormatSecret(other))
				mustWrite(t, s.path(snapshotsName, cur.Name, manifestName), make([]byte, 4096))
			},
			want: other, former: []index.Secret{own}, unopened: true,
		},
	} {
		t.Run(what, func(t *testing.T) {
			store, cur, _ := sampleStore(t, 5)
			c.of(t, store, cur)
			keys, err := store.Keys()
			slices.SortFunc(c.former, func(a, b index.Secret) int { return strings.Compare(a.ID(), b.ID()) })
			if err != nil || keys.Secret != c.want || !slices.Equal(keys.Former, c.former) {
				t.Errorf("it has %s and %d former ones: %v", keys.Secret.ID(), len(keys.Former), err)
			}
			if s, err := store.Open(cur, Map); (err != nil) != c.unopened {
				t.Errorf("opened: %v", err)
			} else if err == nil {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			if _, err := CreateStore(OS{}, store.Dir(), &c.want); err != nil {
				t.Errorf("with its key: %v", err)
			}
			wrong := otherSecret(9)
			if _, err := CreateStore(OS{}, store.Dir(), &wrong); err == nil {
				t.Error("another key is taken for its own")
			}
		})
	}
	store, _, _ := sampleStore(t, 5)
	putKey(t, store, other)
	if err := os.Rename(store.keyPath(other.ID()), store.keyPath(third.ID())); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Keys(); err == nil || !strings.Contains(err.Error(), other.ID()) {
		t.Errorf("a key under another's name: %v", err)
	}
}

func mustWrite(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A snapshot of another key than the store's is not published: the store may have
// been moved while it was built.
func TestPublishOfAnotherKey(t *testing.T) {
	store, cur, _ := sampleStore(t, 5)
	draft, err := store.Begin()
	if err != nil {
		t.Fatal(err)
	}
	d, m := sampleDicts(t), sampleMeta(2, 1, 1)
	m.KeyID = otherSecret(1).ID()
	manifest, hash := writeSnapshot(t, OS{}, draft.Dir(), m, d, samplePersons(t, d, 5))
	if _, err := draft.Publish(manifest, hash); err == nil || !strings.Contains(err.Error(), m.KeyID) {
		t.Errorf("published: %v", err)
	}
	if err := draft.Close(); err != nil {
		t.Fatal(err)
	}
	if now := current(t, store); now != cur.Name {
		t.Errorf("%s is current", now)
	}
}

// renamedSample has entries for the first persons of the sample.
func renamedSample(persons []*Person) (list []Renamed) {
	for i, p := range persons[:10] {
		list = append(list, Renamed{Old: index.Hash{Hi: uint64(i / 2), Lo: 5}, New: p.Nodes[0].Hash})
	}
	slices.SortFunc(list, Renamed.Compare)
	return list
}

// What a snapshot says of renamed identifiers comes back as it was, and only if
// it is sorted and of identifiers that there are.
func TestRenamed(t *testing.T) {
	d := sampleDicts(t)
	persons := samplePersons(t, d, 40)
	want := renamedSample(persons)
	write := func(list []Renamed) (map[string][]byte, HexBytes) {
		t.Helper()
		d, files := d, memFS{}
		d.Renamed = list
		_, hash := writeSnapshot(t, files, "", sampleMeta(1, 2, 2), d, persons)
		return files.files(), hash
	}
	files, hash := write(want)
	s := openSample(t, files, hash)
	if !slices.Equal(s.Renamed, want) {
		t.Errorf("read as %v", s.Renamed)
	}
	if err := s.Verify(IdentifierHasher(sampleSecret())); err != nil {
		t.Error(err)
	}
	if in, err := s.Inspect(1); err != nil || in.Renamed != len(want) {
		t.Errorf("inspected: %d, %v", in.Renamed, err)
	}
	if bare, _ := write(nil); slices.ContainsFunc(openSample(t, bare, nil).manifest.toc, func(e tocEntry) bool { return e.tag == sectionRenamed }) {
		t.Error("a snapshot without any has the section")
	}
	swapped := slices.Clone(want)
	swapped[3], swapped[4] = swapped[4], swapped[3]
	unsorted := appendRenamed(nil, swapped)
	twice := appendRenamed(nil, append(want[:1:1], want...))
	for what, b := range map[string][]byte{"empty": {}, "cut": appendRenamed(nil, want)[:40], "unsorted": unsorted, "twice": twice} {
		bad := reseal(t, files, func(_, tag string, body []byte) []byte {
			if tag == sectionRenamed {
				return b
			}
			return body
		})
		if _, err := OpenBytes(bad, nil); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), sectionRenamed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	of := slices.Clone(want)
	of[9].New.Lo++
	files, hash = write(of)
	s, err := OpenBytes(files, hash)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(IdentifierHasher(sampleSecret())); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "entry 9 is of no identifier") {
		t.Errorf("of nobody: %v", err)
	}
}
