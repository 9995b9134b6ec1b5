package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// auditLog makes a log of three entries, a minute apart, one of them about
// customer acme:C-1 of the store with secret.
func auditLog(t *testing.T, secret index.Secret) (path string, heads []audit.Hash) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit.ndjson")
	l, err := audit.Open(path)
	must(t, err)
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	l.Now = func() time.Time { at = at.Add(time.Minute); return at }
	for _, e := range []audit.Entry{
		{Actor: "cli", Action: audit.ClientAdd, Subject: "my dsp", Detail: map[string]string{"tenant": "acme", "segments": "a=b c"}},
		{Actor: "my dsp", Action: audit.IdentifiersList, Subject: audit.Pseudonym(audit.Hasher(secret), "acme:C-1")},
		{Actor: "cli", Action: audit.ClientRevoke, Subject: "my dsp"},
	} {
		r, err := l.Append(e)
		must(t, err)
		heads = append(heads, r.Hash)
	}
	return path, heads
}

func TestAuditVerify(t *testing.T) {
	path, heads := auditLog(t, index.Secret{1})
	whole, err := os.ReadFile(path)
	must(t, err)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	genesis, last, first := audit.Genesis().String(), heads[2].String(), heads[0].String()
	join := func(list ...[]byte) []byte { return bytes.Join(list, nil) }
	for name, c := range map[string]struct {
		log  []byte
		args []string
		code int
		want string
	}{
		"sound":                   {whole, nil, exitDone, "sound: 3 entries, head " + last},
		"sound, JSON":             {whole, []string{"--json"}, exitDone, `{"entries":3,"head":"` + last + `","torn":0}`},
		"the head is there":       {whole, []string{"--head", last}, exitDone, "sound"},
		"an earlier head":         {whole, []string{"--head", first}, exitDone, "sound"},
		"the head of an empty":    {whole, []string{"--head", genesis}, exitDone, "sound"},
		"empty":                   {nil, nil, exitDone, "0 entries, head " + genesis},
		"torn":                    {whole[:len(whole)-9], nil, exitDone, "acknowledged to nobody"},
		"torn, JSON":              {append(bytes.Clone(whole), 0), []string{"--json"}, exitDone, `"torn":1`},
		"cut, and the head known": {join(lines[:2]...), []string{"--head", last}, exitFailed, "cut off or written anew"},
		"empty, and head known":   {nil, []string{"--head", last}, exitFailed, "none of its 0 entries"},
		"a line is gone":          {join(lines[0], lines[2]), nil, exitFailed, "line 2"},
		"a line is changed":       {bytes.Replace(whole, []byte("my dsp"), []byte("no dsp"), 1), nil, exitFailed, "line 1"},
		"no hash":                 {whole, []string{"--head", "xyz"}, exitUsage, "--head"},
		"two files":               {whole, []string{"other"}, exitUsage, "arg"},
	} {
		must(t, os.WriteFile(path, c.log, 0o600))
		code, out, errOut := command(t, append([]string{"audit", "verify", path}, c.args...)...)
		if code != c.code || !strings.Contains(out+errOut, c.want) || code != exitDone && out != "" {
			t.Errorf("%s: exit code %d, printed %q, said %q", name, code, out, errOut)
		}
		if code == exitFailed && !strings.Contains(errOut, path) {
			t.Errorf("%s: does not name the file: %q", name, errOut)
		}
	}
	if code, _, errOut := command(t, "audit", "verify", path+".no"); code != exitFailed || !strings.Contains(errOut, path) {
		t.Errorf("no such file: exit code %d, said %q", code, errOut)
	}
}

func TestAuditShow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	secret := index.Secret{7}
	_, err := snapshot.CreateStore(snapshot.OS{}, dir, &secret)
	must(t, err)
	path, _ := auditLog(t, secret)
	all := []string{
		`1  2026-11-21T10:01:00Z  cli  client.add  "my dsp"  segments="a=b c"  tenant=acme`,
		`2  2026-11-21T10:02:00Z  "my dsp"  identifiers.list  ` + audit.Pseudonym(audit.Hasher(secret), "acme:C-1"),
		`3  2026-11-21T10:03:00Z  cli  client.revoke  "my dsp"`,
	}
	for args, want := range map[string][]string{
		"":                                   all,
		"--action client":                    {all[0], all[2]},
		"--action client.add":                {all[0]},
		"--action clien":                     nil,
		"--since 2026-11-21T10:02:00Z":       all[1:],
		"--since 2026-11-22":                 nil,
		"--customer acme:C-1 --store " + dir: {all[1]},
		"--customer acme:C-2 --store " + dir: nil,
	} {
		out := succeed(t, append([]string{"audit", "show", path}, strings.Fields(args)...)...)
		if got := strings.TrimSuffix(out, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", args, got, strings.Join(want, "\n"))
		}
	}
	if out := succeed(t, "audit", "show", path, "--subject", "my dsp"); strings.Count(out, "\n") != 2 {
		t.Errorf("a subject: got %s", out)
	}
	whole, err := os.ReadFile(path)
	must(t, err)
	if out := succeed(t, "audit", "show", path, "--json"); out != string(whole) {
		t.Errorf("--json: got %s", out)
	}
	for _, args := range []string{"--since yesterday", "--customer acme:C-1", "--store " + dir, "--customer a:b --subject x --store " + dir} {
		if code, _, errOut := command(t, append([]string{"audit", "show", path}, strings.Fields(args)...)...); code != exitUsage {
			t.Errorf("%s: exit code %d, said %q", args, code, errOut)
		}
	}
	must(t, os.WriteFile(path, bytes.Replace(whole, []byte("revoke"), []byte("remove"), 1), 0o600))
	if code, out, errOut := command(t, "audit", "show", path); code != exitFailed || strings.Count(out, "\n") != 2 || !strings.Contains(errOut, "line 3") {
		t.Errorf("a damaged log: exit code %d, printed %q, said %q", code, out, errOut)
	}
}

// What stands in a log cannot write lines or columns of its own.
func TestAuditShowQuotes(t *testing.T) {
	for in, want := range map[string]string{
		"acme-ads": "acme-ads", "": `""`, "a b": `"a b"`, "a=b": `"a=b"`, "a\nb": `"a\nb"`, "\x1b[2J": `"\x1b[2J"`, `a"b`: `"a\"b"`, "é": "é", "\u202e": `"\u202e"`,
	} {
		if got := shownText(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
