package fold_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/build/fold"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func namespaces(t testing.TB) *index.Namespaces {
	t.Helper()
	ns, err := index.NewNamespaces(append(index.Builtin(), index.Namespace{Name: "cookie.pub"}, index.Namespace{Name: "crm.acme"}, index.Namespace{Name: "crm.bolt"}))
	ok(t, err)
	return ns
}

var secret = index.Secret{1, 2, 3}

func names(t testing.TB) *event.Names {
	return &event.Names{
		Namespaces: namespaces(t), Hasher: snapshot.IdentifierHasher(secret), Key: secret.ID(), Tenants: []string{"acme", "bolt"},
		Normalised: map[string]string{index.EmailSHA256: "uid2/1", index.PhoneSHA256: "e164/1"},
	}
}

// add binds changes as the daemon does and appends them, an hour apart.
func add(t testing.TB, log *eventlog.Log, n *event.Names, list ...string) {
	t.Helper()
	last, _, _ := log.Last()
	for i, text := range list {
		e, err := event.Parse(fmt.Appendf(nil, `{"id":"e-%d",%s}`, int(last)+i, text))
		ok(t, err)
		b, err := e.Bind(n, "shop", noon.Add(time.Duration(int(last)+i)*time.Hour))
		ok(t, err)
		_, err = log.Append(context.Background(), []eventlog.Entry{{Body: b.Append(nil)}})
		ok(t, err)
	}
}

func logOf(t testing.TB, list ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "log")
	log, err := eventlog.Open(dir, eventlog.Options{})
	ok(t, err)
	add(t, log, names(t), list...)
	ok(t, log.Close())
	return dir
}

// told is what a build is told, as text.
func told(l *build.Live) (out []string) {
	for k := range l.Links {
		out = append(out, fmt.Sprint("link ", min(k.Left, k.Right), " ", max(k.Left, k.Right), " ", k.Linked, k.Method, hour(k.At)))
	}
	for s := range l.Segments {
		out = append(out, fmt.Sprint("segment ", s.Customer, " ", s.Code, " ", s.Added, s.Until, hour(s.At)))
	}
	for c := range l.Consents {
		out = append(out, fmt.Sprint("consent ", c.Customer, " ", c.Granted, c.Purposes, c.Until, hour(c.At)))
	}
	for o := range l.OptOuts {
		out = append(out, fmt.Sprint("out ", o.Identifier, o.Tenants))
	}
	for e := range l.Erasures {
		out = append(out, fmt.Sprint("erased ", e.Customer, e.Tenants, len(e.Contacts)))
	}
	slices.Sort(out)
	return out
}

func hour(at int64) int { return int(time.Unix(0, at).Sub(noon) / time.Hour) }

// What is told is of each fact the change that holds, once.
func TestFactsInForce(t *testing.T) {
	n := names(t)
	hash := func(text string) index.Hash {
		h, err := n.Hash(text)
		ok(t, err)
		return h
	}
	email := index.EmailSHA256 + ":" + strings.Repeat("ab", 32)
	dir := logOf(t,
		`"type":"link","left":"cookie.pub:1","right":"crm.acme:C-1","method":"observed"`,
		`"type":"link","left":"cookie.pub:2","right":"crm.acme:C-1"`,
		`"type":"unlink","left":"crm.acme:C-1","right":"cookie.pub:2"`,
		`"type":"link","left":"cookie.pub:3","right":"crm.acme:C-9"`,
		`"type":"segment_add","customer":"acme:C-1","segment":"vip","until":"2027-01-01"`,
		`"type":"segment_remove","customer":"acme:C-1","segment":"old"`,
		`"type":"consent","customer":"acme:C-1","status":"withdrawn"`,
		`"type":"consent","customer":"bolt:B-1","status":"granted","purposes":["share"]`,
		`"type":"opt_out","tenant":"acme","identifier":"cookie.pub:4"`,
		`"type":"opt_out","tenant":"*","identifier":"cookie.pub:5"`,
		`"type":"opt_in","tenant":"*","identifier":"cookie.pub:5"`,
		`"type":"opt_out","tenant":"bolt","identifier":"`+email+`"`,
		`"type":"segment_add","customer":"acme:C-9","segment":"vip"`,
		`"type":"erase","tenant":"acme","customer":"acme:C-9"`,
		`"type":"erase","tenant":"*","customer":"bolt:B-9"`,
		`"type":"opt_in","tenant":"*","customer":"bolt:B-9"`,
	)
	l, err := fold.Dir(dir)(namespaces(t), snapshot.Keys{Secret: secret})
	ok(t, err)
	want := []string{
		"consent crm.acme:C-1 false 0 0 6",
		"consent crm.bolt:B-1 true 2 0 7",
		fmt.Sprint("erased ", hash("crm.acme:C-9"), " ", []string{"acme"}, " 0"),
		"link cookie.pub:1 crm.acme:C-1 true observed 0",
		"link cookie.pub:2 crm.acme:C-1 false authenticated 2",
		fmt.Sprint("out ", hash("cookie.pub:4"), " ", []string{"acme"}),
		fmt.Sprint("out ", hash(email), " ", []string{"bolt"}),
		"segment crm.acme:C-1 old false 0 5",
		fmt.Sprint("segment crm.acme:C-1 vip true ", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), " ", 4),
	}
	slices.Sort(want)
	if got := told(l); !slices.Equal(got, want) {
		t.Errorf("it is told\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if l.Seq != 16 || len(l.Log) != 32 || l.Hash == [sha256.Size]byte{} {
		t.Errorf("log %s, record %d", l.Log, l.Seq)
	}
	// The cookie, bolt's email and acme's erasure; not what was taken back.
	if want := map[string][]string{"cookie.pub": {"exact"}, "crm.acme": {"exact"}, index.EmailSHA256: {"uid2/1"}, index.PhoneSHA256: {"e164/1"}}; !reflect.DeepEqual(l.Normalised, want) || l.Unsaid {
		t.Errorf("made by %v, unsaid is %t", l.Normalised, l.Unsaid)
	}
}

// A log is read up to the record that was last when reading began.
func TestReadsUpToTheLastRecord(t *testing.T) {
	log, err := eventlog.Open(filepath.Join(t.TempDir(), "log"), eventlog.Options{})
	ok(t, err)
	defer func() { ok(t, log.Close()) }()
	add(t, log, names(t), `"type":"opt_out","tenant":"acme","identifier":"cookie.pub:1"`)
	l, err := fold.Read(growing{log, func() {
		add(t, log, names(t), `"type":"opt_out","tenant":"acme","identifier":"cookie.pub:2"`)
	}}, namespaces(t), snapshot.Keys{Secret: secret})
	ok(t, err)
	if got := told(l); l.Seq != 1 || len(got) != 1 {
		t.Errorf("record %d, %q", l.Seq, got)
	}
}

// growing is a log that grows after its end was asked for.
type growing struct {
	*eventlog.Log
	grow func()
}

func (g growing) Last() (uint64, time.Time, eventlog.Hash) {
	defer g.grow()
	return g.Log.Last()
}

// Of a store that was moved to another key, what was told before is by hashes of
// its time, and what is told since by those of the store's.
func TestFactsUnderFormerKeys(t *testing.T) {
	former := index.Secret{7}
	before := names(t)
	before.Hasher, before.Key = snapshot.IdentifierHasher(former), former.ID()
	hash := func(n *event.Names, text string) index.Hash {
		h, err := n.Hash(text)
		ok(t, err)
		return h
	}
	dir := filepath.Join(t.TempDir(), "log")
	log, err := eventlog.Open(dir, eventlog.Options{})
	ok(t, err)
	add(
		t, log, before,
		`"type":"opt_out","tenant":"acme","identifier":"cookie.pub:4"`,
		`"type":"opt_out","tenant":"acme","identifier":"cookie.pub:5"`,
		`"type":"opt_in","tenant":"acme","identifier":"cookie.pub:5"`,
		`"type":"erase","tenant":"acme","customer":"acme:C-9"`,
	)
	now := names(t)
	now.Normalised = nil // of a time whose rules were not known
	add(
		t, log, now,
		`"type":"opt_out","tenant":"bolt","identifier":"cookie.pub:4"`,
		`"type":"link","left":"cookie.pub:1","right":"crm.acme:C-1"`,
	)
	ok(t, log.Close())
	moved := snapshot.Keys{Secret: secret, Former: []index.Secret{{8}, former}}
	l, err := fold.Dir(dir)(namespaces(t), moved)
	ok(t, err)
	want := []string{
		fmt.Sprint("erased ", hash(before, "crm.acme:C-9"), " ", []string{"acme"}, " 0"),
		"link cookie.pub:1 crm.acme:C-1 true authenticated 5",
		fmt.Sprint("out ", hash(before, "cookie.pub:4"), " ", []string{"acme"}),
		fmt.Sprint("out ", hash(now, "cookie.pub:4"), " ", []string{"bolt"}),
	}
	slices.Sort(want)
	if got := told(l); !slices.Equal(got, want) {
		t.Errorf("it is told\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := map[string][]string{"cookie.pub": {"exact"}, "crm.acme": {"exact"}, index.EmailSHA256: {"uid2/1"}, index.PhoneSHA256: {"e164/1"}}; !reflect.DeepEqual(l.Normalised, want) {
		t.Errorf("made by %v", l.Normalised)
	}
	moved.Former = moved.Former[:1]
	if _, err := fold.Dir(dir)(namespaces(t), moved); !errors.Is(err, overlay.ErrKey) || !strings.Contains(err.Error(), former.ID()) || !strings.Contains(err.Error(), "matchd rekey") {
		t.Errorf("a key that the store has no more: %v", err)
	}
}

// What cannot be read is refused, with what to do.
func TestRefuses(t *testing.T) {
	dir := logOf(t, `"type":"opt_out","tenant":"acme","identifier":"cookie.pub:1"`)
	if _, err := fold.Dir(dir)(namespaces(t), snapshot.Keys{Secret: index.Secret{9}}); !errors.Is(err, overlay.ErrKey) || !strings.Contains(err.Error(), secret.ID()) || !strings.Contains(err.Error(), "--key") {
		t.Errorf("another key: %v", err)
	}
	none := filepath.Join(t.TempDir(), "none")
	if _, err := fold.Dir(none)(namespaces(t), snapshot.Keys{Secret: secret}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), none) {
		t.Errorf("no log: %v", err)
	}
	log, err := eventlog.Open(dir, eventlog.Options{})
	ok(t, err)
	defer func() { ok(t, log.Close()) }()
	if _, err := fold.Dir(dir)(namespaces(t), snapshot.Keys{Secret: secret}); !errors.Is(err, eventlog.ErrInUse) || !strings.Contains(err.Error(), "--live-key-file") {
		t.Errorf("an open log: %v", err)
	}
}
