package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxKeys is how many different keys are told apart in warnings.
const maxKeys = 1000

// A jsonFile is an NDJSON file that is being read.
type jsonFile struct {
	*reports
	*framer
	decoded string
	rename  map[string]string

	mu      sync.Mutex
	keys    map[string]bool // all keys, as they are compared; at most maxKeys and one more
	unknown map[string]bool // those that are no column of ours, by our name for them
}

// readNDJSON reads one object a line.
func readNDJSON(ctx context.Context, r io.Reader, l Layout, rep *reports, _ []column, newSink func() sink) error {
	f := &jsonFile{
		reports: rep, decoded: l.Encoding, rename: rep.renames(),
		keys: map[string]bool{}, unknown: map[string]bool{},
	}
	f.framer = newFramer(r, &rep.Options, func(text []byte, eof bool) int {
		if eof {
			return len(text)
		}
		return bytes.LastIndexByte(text, '\n') + 1
	})
	err := run(ctx, rep.Workers, newSink, func(ctx context.Context, s sink) error {
		w := &jsonWorker{jsonFile: f, sink: s, keys: map[string]jsonKey{}, seen: make([]bool, len(s.columns))}
		defer w.merge()
		return f.blocks(ctx, w.block)
	}, f.readError)
	if err == nil {
		f.warnKeys()
	}
	return err
}

func (f *jsonFile) readError(err error) error {
	if errors.Is(err, errLongRow) {
		return f.fail(f.at(), "the line is %w", err)
	}
	return f.fail(f.at(), "%w", err)
}

// warnKeys names the keys that no column has, and the columns to rename that
// no row has.
func (f *jsonFile) warnKeys() {
	if len(f.keys) > maxKeys {
		f.warn(1, fmt.Sprintf("the rows have over %d different keys", maxKeys))
		return
	}
	var unknown []string
	odd := false
	for _, key := range slices.Sorted(maps.Keys(f.unknown)) {
		if plainName(key) {
			unknown = append(unknown, fmt.Sprintf("%q", key))
		} else {
			odd = true
		}
	}
	if odd {
		unknown = append(unknown, "keys that are no plain names")
	}
	f.warnUnknown(1, unknown)
	f.warnUnused(1, func(theirs string) bool { return f.keys[theirs] })
}

// A jsonKey is what a key of the file means.
type jsonKey struct {
	place int // among our columns; -1 is none
	name  string
}

// A jsonWorker splits blocks into rows, on one goroutine.
type jsonWorker struct {
	*jsonFile
	sink
	keys map[string]jsonKey // by the key as it is written
	seen []bool             // columns of the row
	// reason is why the row cannot be used, though it is valid JSON.
	reason string
}

// block hands on the rows of a block, which are parts of one string.
func (w *jsonWorker) block(b block) error {
	text := string(b.text)
	check := !utf8.ValidString(text) || w.decoded != "" && strings.ContainsRune(text, utf8.RuneError)
	line := b.line
	for row := range strings.Lines(text) {
		at := line
		line++
		if strings.Trim(row, " \t\r\n") == "" {
			continue
		}
		if check && !readable(row, w.decoded) {
			w.bad(at, "not "+encodingName(w.decoded))
			continue
		}
		if reason := w.row(row); reason != "" {
			w.bad(at, reason)
			continue
		}
		if err := w.emit(at); err != nil {
			return err
		}
	}
	return nil
}

// row fills the columns from a line; it returns why it cannot be used, or "".
func (w *jsonWorker) row(text string) string {
	for i, c := range w.columns {
		*c.value = ""
		w.seen[i] = false
	}
	w.reason = ""
	l := &jsonLine{text: text}
	if !l.take('{') {
		return "not a JSON object; write one on each line"
	}
	valid := l.elements('}', func() bool {
		name, _, ok := l.str()
		return ok && l.take(':') && w.member(l, name)
	})
	if !valid || l.peek() != 0 || l.at < len(text) {
		return fmt.Sprintf("not valid JSON at byte %d of the line", l.at+1)
	}
	for i, c := range w.columns {
		if c.required && !w.seen[i] {
			w.refuse("column " + c.name + " is missing")
		}
	}
	return w.reason
}

func (w *jsonWorker) refuse(reason string) {
	if w.reason == "" {
		w.reason = reason
	}
}

// member reads the value of a key.
func (w *jsonWorker) member(l *jsonLine, name string) bool {
	key := w.key(name)
	if key.place < 0 {
		return l.skip(0)
	}
	if w.seen[key.place] {
		w.refuse("column " + key.name + " is given twice")
	}
	w.seen[key.place] = true
	c := &w.columns[key.place]
	value, ok := "", true
	switch l.peek() {
	case '"':
		value, ok = w.text(l, c.name)
	case 't', 'f':
		value, ok = l.literal()
	case 'n':
		_, ok = l.literal()
	case '[':
		if c.list {
			value, ok = w.list(l, c.name)
			break
		}
		w.refuse("column " + c.name + " is a list, where one value is due")
		ok = l.skip(0)
	case '{':
		w.refuse("column " + c.name + " is an object, where one value is due")
		ok = l.skip(0)
	default:
		value, ok = l.number()
	}
	*c.value = trim(value)
	return ok
}

func (w *jsonWorker) text(l *jsonLine, column string) (string, bool) {
	value, escaped, ok := l.str()
	if !isCharacters(value, escaped) {
		w.refuse("column " + column + " has an escape that is no character")
	}
	return value, ok
}

// list reads a list of strings, and joins it as a CSV file has it.
func (w *jsonWorker) list(l *jsonLine, column string) (string, bool) {
	l.at++ // the bracket
	var list []string
	ok := l.elements(']', func() bool {
		if l.peek() != '"' {
			w.refuse("column " + column + " has an element that is no string")
			return l.skip(0)
		}
		value, ok := w.text(l, column)
		if strings.Contains(value, listSeparator) {
			w.refuse("column " + column + " has an element with " + listSeparator + " in it")
		}
		list = append(list, value)
		return ok
	})
	return strings.Join(list, listSeparator), ok
}

// key finds what a key means.
func (w *jsonWorker) key(written string) jsonKey {
	if k, ok := w.keys[written]; ok {
		return k
	}
	name := HeaderName(written)
	if ours, ok := w.rename[name]; ok {
		name = ours
	}
	k := jsonKey{placeOf(w.columns, name), name}
	if k.place >= 0 {
		k.name = w.columns[k.place].name // not a part of the line
	}
	if len(w.keys) <= maxKeys {
		w.keys[strings.Clone(written)] = jsonKey{k.place, strings.Clone(k.name)}
	}
	return k
}

// merge adds the keys that the worker has seen to those of the file.
func (w *jsonWorker) merge() {
	w.jsonFile.mu.Lock()
	defer w.jsonFile.mu.Unlock()
	for written, k := range w.keys {
		if len(w.jsonFile.keys) > maxKeys {
			return
		}
		w.jsonFile.keys[HeaderName(written)] = true
		if k.place < 0 {
			w.unknown[k.name] = true
		}
	}
}
