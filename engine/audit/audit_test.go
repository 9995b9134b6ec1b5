package audit

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/index"
)

var update = flag.Bool("update", false, "write the golden files anew")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clock ticks half a second at each look.
func clock() func() time.Time {
	at := time.Date(2026, 11, 21, 9, 59, 59, 500_000_000, time.FixedZone("", 3600))
	return func() time.Time { at = at.Add(500 * time.Millisecond); return at }
}

// entries are of the kinds that matchd writes.
func entries() []Entry {
	hasher := Hasher(index.Secret{1})
	return []Entry{
		{Actor: "cli", Action: ClientAdd, Subject: "acme-ads", Detail: map[string]string{"tenant": "acme", "segments": "*", "namespaces": "maid,cookie.site"}},
		{Actor: "acme-ads", Action: IdentifiersList, Subject: Pseudonym(hasher, "acme:C-123"), Detail: map[string]string{"tenant": "acme"}},
		{Actor: "admin", Action: AdminReload},
		{Actor: `odd "name" <é> ` + "\n\u2028", Action: "admin.pin", Subject: "20261121T100000Z-0123456789ab", Detail: map[string]string{"": ""}},
		{Actor: "cli", Action: ClientRevoke, Subject: "acme-ads"},
	}
}

// written makes a log of all entries.
func written(t testing.TB) (path string, content []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit.ndjson")
	l, err := Open(path)
	must(t, err)
	l.Now = clock()
	for _, e := range entries() {
		_, err := l.Append(e)
		must(t, err)
	}
	return path, contentOf(t, path)
}

func contentOf(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

// The format is what it was, byte for byte.
func TestGolden(t *testing.T) {
	const golden = "testdata/audit.ndjson"
	_, got := written(t)
	if *update {
		must(t, os.WriteFile(golden, got, 0o644))
	}
	if want := contentOf(t, golden); !bytes.Equal(got, want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	s, err := Verify(bytes.NewReader(got), nil)
	must(t, err)
	if want := int64(len(entries())); s.Entries != want || s.Torn != 0 {
		t.Errorf("got %+v", s)
	}
	if last := `"hash":"` + s.Head.String() + "\"}\n"; !strings.HasSuffix(string(got), last) {
		t.Errorf("the log does not end in %s", last)
	}
}

// An empty log has what its first line is chained to for a head.
func TestGenesis(t *testing.T) {
	// printf 'matchd audit log 1' | sha256sum
	const want = "1872a3fcfeae13600899cf6bae6050bd9a16c37cf9d4391f10dc8c3055261874"
	if got := Genesis().String(); got != want {
		t.Errorf("got %s", got)
	}
	s, err := Verify(strings.NewReader(""), nil)
	if err != nil || s != (Summary{Head: Genesis()}) {
		t.Errorf("an empty log: %+v, %v", s, err)
	}
}

func TestRecordsComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	l, err := Open(path)
	must(t, err)
	l.Now = clock()
	var appended []string
	for _, e := range entries() {
		r, err := l.Append(e)
		must(t, err)
		line, err := r.encode()
		must(t, err)
		appended = append(appended, string(line))
	}
	n := 0
	_, err = Verify(bytes.NewReader(contentOf(t, path)), func(r Record, line []byte) error {
		e := entries()[n]
		if string(line) != appended[n] || r.Seq != int64(n+1) || r.Actor != e.Actor || r.Action != e.Action ||
			r.Subject != e.Subject || len(r.Detail) != len(e.Detail) || r.At.Location() != time.UTC {
			t.Errorf("record %d: got %+v, want %s", n, r, appended[n])
		}
		n++
		return nil
	})
	must(t, err)
	if n != len(entries()) {
		t.Errorf("%d records", n)
	}
	stop := errors.New("stop")
	if s, err := Verify(bytes.NewReader(contentOf(t, path)), func(Record, []byte) error { return stop }); err != stop || s.Entries != 1 {
		t.Errorf("stopping: %+v, %v", s, err)
	}
}

func TestFileIsTheOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	_, err := Open(path)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 || info.Size() != 0 {
		t.Errorf("%v, %d bytes", info.Mode(), info.Size())
	}
}

func TestNilLogTakesEntries(t *testing.T) {
	var l *Log
	if r, err := l.Append(entries()[0]); err != nil || r.Seq != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
}

// A refused entry leaves the log as it is, and its error quotes nothing.
func TestBadEntries(t *testing.T) {
	path, before := written(t)
	l, err := Open(path)
	must(t, err)
	const maid = "maid:6d92078a-8246-4ba4-ae5b-76104861e7dc"
	email := "email_sha256:" + strings.Repeat("0a", 32)
	for name, e := range map[string]Entry{
		"no actor":             {Action: ClientAdd},
		"no action":            {Actor: "a"},
		"an action with space": {Actor: "a", Action: "client add"},
		"an action with dots":  {Actor: "a", Action: "client..add"},
		"an action in capital": {Actor: "a", Action: "Client.add"},
		"an action with lines": {Actor: "a", Action: "client.add\n"},
		"bytes":                {Actor: "a", Action: ClientAdd, Subject: "\xff"},
		"bytes as a key":       {Actor: "a", Action: ClientAdd, Detail: map[string]string{"\xff": ""}},
		"a device id":          {Actor: "a", Action: IdentifiersList, Subject: maid},
		"a device id's case":   {Actor: "a", Action: IdentifiersList, Subject: "maid:" + strings.ToUpper(maid[5:])},
		"an email hash":        {Actor: email, Action: ClientAdd},
		"a detail":             {Actor: "a", Action: ClientAdd, Detail: map[string]string{"id": maid}},
		"a detail's name":      {Actor: "a", Action: ClientAdd, Detail: map[string]string{email: ""}},
		"too long":             {Actor: "a", Action: ClientAdd, Subject: strings.Repeat("x", MaxLine)},
	} {
		_, err := l.Append(e)
		if err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), "6d92") || strings.Contains(err.Error(), "0a0a") || strings.Contains(err.Error(), "xxx") {
			t.Errorf("%s: the error quotes it: %.200v", name, err)
		}
	}
	if !bytes.Equal(contentOf(t, path), before) {
		t.Error("the log has changed")
	}
}

// The longest line that is written can be read, and be followed by another.
func TestLongestLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	l, err := Open(path)
	must(t, err)
	l.Now = clock()
	r, err := l.Append(Entry{Actor: "a", Action: "b", Subject: "x"})
	must(t, err)
	line, err := r.encode()
	must(t, err)
	room := MaxLine - 1 - len(line)
	_, err = l.Append(Entry{Actor: "a", Action: "b", Subject: strings.Repeat("x", room+10)})
	if err == nil {
		t.Fatal("a longer line was written")
	}
	// Times differ in length: at least one of these fits exactly.
	longest := 0
	for extra := -3; extra <= 3; extra++ {
		if r, err := l.Append(Entry{Actor: "a", Action: "b", Subject: strings.Repeat("x", room+extra)}); err == nil {
			line, err := r.encode()
			must(t, err)
			longest = max(longest, len(line)+1)
		}
	}
	if longest != MaxLine {
		t.Errorf("the longest line has %d bytes", longest)
	}
	_, err = l.Append(entries()[0])
	must(t, err)
	_, err = Verify(bytes.NewReader(contentOf(t, path)), nil)
	must(t, err)
}

func TestPseudonyms(t *testing.T) {
	a, b := Hasher(index.Secret{1}), Hasher(index.Secret{2})
	one := Pseudonym(a, "acme:C-1")
	if len(one) != 32 || strings.Contains(one, "C-1") || one != Pseudonym(a, "acme:C-1") {
		t.Errorf("got %q", one)
	}
	for _, other := range []string{Pseudonym(a, "acme:C-2"), Pseudonym(b, "acme:C-1"), Pseudonym(index.Secret{1}.Hasher("identifier"), "acme:C-1")} {
		if other == one {
			t.Error("two have one pseudonym")
		}
	}
}
