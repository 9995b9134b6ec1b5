package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func hashOf(text string) string { return Hash(sha256.Sum256([]byte(text))).String() }

func verify(log []byte) (Summary, error) { return Verify(bytes.NewReader(log), nil) }

// refuses checks that a log is found damaged at a line, counted from 1.
func refuses(t *testing.T, what string, log []byte, line int) {
	t.Helper()
	s, err := verify(log)
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), " line "+strconv.Itoa(line)+":") {
		t.Errorf("%s: got %+v, %v, want damage at line %d", what, s, err, line)
	}
	if int(s.Entries) != line-1 {
		t.Errorf("%s: %d entries before line %d", what, s.Entries, line)
	}
}

// Each byte, changed in each bit, is found in its line.
func TestEachFlipIsFound(t *testing.T) {
	_, log := written(t)
	for i := range log {
		line := 1 + bytes.Count(log[:i], []byte("\n"))
		for bit := range 8 {
			bad := bytes.Clone(log)
			bad[i] ^= 1 << bit
			refuses(t, "byte "+strconv.Itoa(i)+", bit "+strconv.Itoa(bit), bad, line)
		}
	}
}

// A log may be cut anywhere, as by a crash: the whole lines before are sound,
// and who knows the head sees that it is another one.
func TestEachCutLeavesWholeLines(t *testing.T) {
	_, log := written(t)
	whole, err := verify(log)
	must(t, err)
	for n := range log {
		s, err := verify(log[:n])
		must(t, err)
		at := bytes.LastIndexByte(log[:n], '\n') + 1
		if int(s.Entries) != bytes.Count(log[:n], []byte("\n")) || int(s.Torn) != n-at {
			t.Fatalf("cut at %d: got %+v", n, s)
		}
		if s.Head == whole.Head {
			t.Fatalf("cut at %d: the head is that of the whole", n)
		}
	}
}

func TestLinesAreOfTheirPlace(t *testing.T) {
	_, log := written(t)
	lines := bytes.SplitAfter(log, []byte("\n"))
	lines = lines[:len(lines)-1]
	join := func(list ...[]byte) []byte { return bytes.Join(list, nil) }
	for i := range lines {
		if i+1 < len(lines) {
			refuses(t, "a line is gone", join(slices.Delete(slices.Clone(lines), i, i+1)...), i+1)
		}
		refuses(t, "a line stands twice", join(slices.Insert(slices.Clone(lines), i, lines[i])...), i+2)
		refuses(t, "an empty line", join(slices.Insert(slices.Clone(lines), i, []byte("\n"))...), i+1)
		for j := range i {
			moved := slices.Clone(lines)
			moved[i], moved[j] = moved[j], moved[i]
			refuses(t, "two lines are exchanged", join(moved...), j+1)
		}
	}
	refuses(t, "a log after a log", join(log, log), len(lines)+1)
	refuses(t, "a carriage return", bytes.ReplaceAll(log, []byte("\n"), []byte("\r\n")), 1)
	refuses(t, "a mark in front", append([]byte("\ufeff"), log...), 1)
	refuses(t, "a long line", append(bytes.Clone(log), strings.Repeat("x", MaxLine)...), len(lines)+1)
	refuses(t, "zeros, and more", append(bytes.Clone(log), 0, 0, '\n'), len(lines)+1)
	refuses(t, "text at the end", append(bytes.Clone(log), "hello"...), len(lines)+1)
}

// A line that was changed and hashed again breaks the chain at the next one.
func TestAForgedLineBreaksTheChain(t *testing.T) {
	_, log := written(t)
	lines := bytes.SplitAfter(log, []byte("\n"))
	for i := range len(lines) - 2 {
		r, err := decode(bytes.TrimSuffix(lines[i], []byte("\n")))
		must(t, err)
		r.Actor = "somebody else"
		forged, err := r.encode()
		must(t, err)
		bad := slices.Clone(lines)
		bad[i] = append(forged, '\n')
		refuses(t, "a forged line", bytes.Join(bad, nil), i+2)
	}
}

// line is a line of a log, of any number and after anything.
func line(t *testing.T, seq int64, prev Hash) (text []byte, hash Hash) {
	t.Helper()
	r := Record{Seq: seq, At: clock()(), Entry: entries()[0], Prev: prev}
	text, err := r.encode()
	must(t, err)
	return append(text, '\n'), r.Hash
}

// A chain that holds and whose numbers do not is none.
func TestNumbersCount(t *testing.T) {
	for _, seq := range []int64{-1, 0, 1, 3} {
		first, hash := line(t, 1, Genesis())
		second, _ := line(t, seq, hash)
		refuses(t, "a wrong number", append(first, second...), 2)
	}
	first, _ := line(t, 2, Genesis())
	refuses(t, "a wrong first number", first, 1)
}

// A line is an entry only as it would be written, so that every reader of JSON
// sees in it what this one sees.
func TestOneWayToWriteALine(t *testing.T) {
	r := Record{Seq: 1, At: clock()(), Entry: entries()[0], Prev: Genesis()}
	line, err := r.encode()
	must(t, err)
	_, err = decode(line)
	must(t, err)
	for what, change := range map[string][2]string{
		"white space":           {`"seq":1,`, `"seq": 1,`},
		"another case":          {`"seq":1,`, `"Seq":1,`},
		"twice":                 {`"seq":1,`, `"seq":2,"seq":1,`},
		"unknown":               {`"seq":1,`, `"seq":1,"x":1,`},
		"an escape":             {`"cli"`, `"\u0063li"`},
		"another order":         {`"actor":"cli","action":"client.add"`, `"action":"client.add","actor":"cli"`},
		"a missing member":      {`"subject":"acme-ads",`, ``},
		"details out of order":  {`"namespaces":"maid,cookie.site","segments":"*"`, `"segments":"*","namespaces":"maid,cookie.site"`},
		"another zone":          {`"2026-11-21T09:00:00Z"`, `"2026-11-21T10:00:00+01:00"`},
		"zeros of a second":     {`00Z"`, `00.0Z"`},
		"capitals in a hash":    {r.Prev.String(), strings.ToUpper(r.Prev.String())},
		"no detail":             {`"detail":{`, `"detail":null,"x":{`},
		"torn 0":                {`"prev"`, `"torn":0,"prev"`},
		"a number as a text":    {`"seq":1`, `"seq":"1"`},
		"a number of two kinds": {`"seq":1`, `"seq":1.0`},
	} {
		bad := strings.Replace(string(line), change[0], change[1], 1)
		if bad == string(line) {
			t.Fatalf("%s: nothing was changed", what)
		}
		// With the hash of what it is now.
		body := bad[:len(bad)-hashed]
		bad = body + `,"hash":"` + hashOf(body) + `"}`
		if _, err := decode([]byte(bad)); err == nil {
			t.Errorf("%s: taken: %s", what, bad)
		}
	}
	// Hashes with capitals in the last member.
	if _, err := decode([]byte(strings.Replace(string(line), r.Hash.String(), strings.ToUpper(r.Hash.String()), 1))); err == nil {
		t.Error("a hash in capitals was taken")
	}
}

// What an append leaves when it is cut short anywhere is recovered by the next,
// which says so; and the log then verifies.
func TestTornEndsAreCutOff(t *testing.T) {
	_, log := written(t)
	path := filepath.Join(t.TempDir(), "a")
	for n := range log {
		must(t, os.WriteFile(path, log[:n], 0o600))
		left := checkRecovery(t, path)
		if kept := bytes.LastIndexByte(log[:n], '\n') + 1; !bytes.Equal(left[:kept], log[:kept]) {
			t.Fatalf("cut at %d: a whole line is gone", n)
		}
	}
	for _, end := range []string{"\x00", strings.Repeat("\x00", 500), `{"seq":6,` + "\x00\x00\x00", `{"seq":6,"at"` + strings.Repeat("x", MaxLine-100)} {
		must(t, os.WriteFile(path, append(bytes.Clone(log), end...), 0o600))
		checkRecovery(t, path)
	}
}

// checkRecovery opens and appends, and returns the log.
func checkRecovery(t *testing.T, path string) []byte {
	t.Helper()
	before, err := verify(contentOf(t, path))
	must(t, err)
	l, err := Open(path)
	must(t, err)
	r, err := l.Append(entries()[0])
	must(t, err)
	after, err := verify(contentOf(t, path))
	must(t, err)
	if after.Entries != before.Entries+1 || after.Torn != 0 || r.Torn != before.Torn || r.Prev != before.Head || after.Head != r.Hash {
		t.Fatalf("before %+v, after %+v, entry %+v", before, after, r)
	}
	return contentOf(t, path)
}

// Damage at the end that no crash makes is refused, and nothing is changed:
// neither a damaged log nor some other file.
func TestOtherDamageIsNotAppendedTo(t *testing.T) {
	path, log := written(t)
	l, err := Open(path)
	must(t, err)
	lines := bytes.SplitAfter(log, []byte("\n"))
	last := lines[len(lines)-2]
	foreign, _ := line(t, 1, Hash{})
	zeroth, _ := line(t, 0, Genesis())
	for what, bad := range map[string][]byte{
		"the last line changed":    bytes.Replace(log, []byte("client.revoke"), []byte("client.remove"), 1),
		"the last line is empty":   append(bytes.Clone(log), '\n'),
		"the last line feed":       append(log[:len(log)-1:len(log)-1], 'x'),
		"text without a line feed": append(bytes.Clone(log), "hello"...),
		"another file":             []byte("stores: [store]\nlisten: 127.0.0.1:80\n"),
		"a key file":               []byte("matchd-key 1 0123"),
		"a long one":               bytes.Repeat([]byte("x"), 5*MaxLine),
		"a long line":              append(bytes.Repeat([]byte("x"), 5*MaxLine), '\n'),
		"many zeros":               make([]byte, MaxLine),
		"a first line of another":  foreign,
		"a line before the first":  zeroth,
		"a half line, and a line":  append(bytes.Clone(last[20:]), last[:len(last)/2]...),
	} {
		must(t, os.WriteFile(path, bad, 0o600))
		for _, try := range []func() error{
			func() error { _, err := Open(path); return err },
			func() error { _, err := l.Append(entries()[0]); return err },
		} {
			if err := try(); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: got %v", what, err)
			}
		}
		if !bytes.Equal(contentOf(t, path), bad) {
			t.Fatalf("%s: the file was changed", what)
		}
	}
	if _, err := Open(filepath.Dir(path)); err == nil {
		t.Error("a folder was opened")
	}
}

// A log that is moved away goes on under its name, from the beginning, and who
// has seen the old one says so; who has not cannot.
func TestMovedAway(t *testing.T) {
	path, before := written(t)
	old, err := verify(before)
	must(t, err)
	l, err := Open(path)
	must(t, err)
	must(t, os.Rename(path, path+".1"))
	r, err := l.Append(entries()[0])
	must(t, err)
	var list []Record
	_, err = Verify(bytes.NewReader(contentOf(t, path)), func(r Record, _ []byte) error { list = append(list, r); return nil })
	must(t, err)
	if r.Seq != 2 || len(list) != 2 || list[0].Prev != Genesis() || !bytes.Equal(contentOf(t, path+".1"), before) {
		t.Errorf("got %+v", list)
	}
	if first := list[0]; first.Action != LogContinued || first.Detail["seq"] != strconv.FormatInt(old.Entries, 10) || first.Detail["head"] != old.Head.String() {
		t.Errorf("it begins with %+v", first)
	}
	stranger, err := Open(path + ".2")
	must(t, err)
	r, err = stranger.Append(entries()[0])
	must(t, err)
	if r.Seq != 1 || r.Prev != Genesis() {
		t.Errorf("got %+v", r)
	}
}

// A log that has lost its end while somebody has it open takes no more from
// them.
func TestCutWhileOpen(t *testing.T) {
	path, before := written(t)
	l, err := Open(path)
	must(t, err)
	lines := bytes.SplitAfter(before, []byte{'\n'})
	cut := bytes.Join(lines[:len(lines)-2], nil)
	must(t, os.WriteFile(path, cut, 0o600))
	if _, err := l.Append(entries()[0]); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	if !bytes.Equal(contentOf(t, path), cut) {
		t.Error("it was appended to")
	}
}

// The shell script of the package's doc finds what this package finds.
func TestScriptOfTheDoc(t *testing.T) {
	for _, tool := range []string{"sh", "sha256sum", "jq", "cut"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	doc := string(contentOf(t, "doc.go"))
	_, script, _ := strings.Cut(doc, "//\tprev=$(printf")
	script, _, ok := strings.Cut("//\tprev=$(printf"+script, "< audit.ndjson\n")
	if !ok {
		t.Fatal("there is no script in the doc")
	}
	script = strings.ReplaceAll(script, "//\t", "") + "< audit.ndjson\n"
	path, log := written(t)
	run := func(log []byte) string {
		t.Helper()
		must(t, os.WriteFile(path, log, 0o600))
		cmd := exec.Command("sh", "-c", script)
		cmd.Dir = filepath.Dir(path)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if out := run(log); out != "" {
		t.Errorf("it says of a sound log: %s", out)
	}
	for range 2 { // each starts some twenty processes
		bad := bytes.Clone(log)
		bad[rand.IntN(len(bad)-1)] ^= 1
		if out := run(bad); !strings.Contains(out, "damaged: ") {
			t.Errorf("it says %q of\n%s", out, bad)
		}
	}
}

func FuzzVerify(f *testing.F) {
	_, log := written(f)
	f.Add(log)
	f.Add(log[:len(log)/2])
	f.Add([]byte(`{"seq":1}` + "\n"))
	f.Add([]byte("\x00\x00"))
	f.Fuzz(func(t *testing.T, log []byte) {
		var again []byte
		s, err := Verify(bytes.NewReader(log), func(r Record, line []byte) error {
			back, err := r.encode()
			if err != nil {
				return err
			}
			again = append(append(again, back...), '\n')
			return nil
		})
		if !bytes.HasPrefix(log, again) || int64(bytes.Count(again, []byte("\n"))) != s.Entries {
			t.Fatalf("%d entries are not the beginning of the log", s.Entries)
		}
		if err == nil && len(log) != len(again)+int(s.Torn) {
			t.Fatalf("%d bytes are neither an entry nor torn", len(log)-len(again)-int(s.Torn))
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}
