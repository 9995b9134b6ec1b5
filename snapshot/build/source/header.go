package source

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// shownColumns is how many unknown columns a warning names.
const shownColumns = 20

// HeaderName returns a column's name as it is compared: without case and
// surrounding white space.
func HeaderName(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// A header says where the values of a file's columns go.
type header struct {
	names  []string // of the file's columns, as reports call them
	places []int    // of the file's columns among ours; -1 ignores one
}

// targets returns where the values of the file's columns go.
func (h *header) targets(columns []column) []*string {
	list := make([]*string, len(h.places))
	for i, place := range h.places {
		if place >= 0 {
			list[i] = columns[place].value
		}
	}
	return list
}

// renames returns our names by theirs as they are compared.
func (o *Options) renames() map[string]string {
	m := make(map[string]string, len(o.Columns))
	for theirs, ours := range o.Columns {
		m[HeaderName(theirs)] = ours
	}
	return m
}

func placeOf(columns []column, name string) int {
	return slices.IndexFunc(columns, func(c column) bool { return c.name == name })
}

// newHeader decides where each column of a file goes; record is their names.
func newHeader(r *reports, columns []column, record []string, line int, decoded string) (*header, error) {
	h := &header{names: make([]string, len(record)), places: make([]int, len(record))}
	rename := r.renames()
	var unknown []string // as warnings name them
	before := make(map[string]int, len(columns))
	for i, cell := range record {
		if !readable(cell, decoded) {
			return nil, r.fail(line, "column %d of the header is not %s; %s", i+1, encodingName(decoded), sayEncoding)
		}
		if strings.ContainsFunc(cell, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
			return nil, r.fail(line, "column %d of the header holds a control character; %s", i+1, lineEndings)
		}
		name := HeaderName(cell)
		if ours, ok := rename[name]; ok {
			name = ours
		}
		h.places[i] = placeOf(columns, name)
		if h.places[i] < 0 {
			h.names[i] = fmt.Sprint(i + 1)
			unknown = append(unknown, shownName(name, i))
			continue
		}
		h.names[i] = name
		if at, ok := before[name]; ok {
			return nil, r.fail(line, "column %s is given twice, as columns %d and %d; remove or rename one", name, at+1, i+1)
		}
		before[name] = i
	}
	for _, c := range columns {
		if _, ok := before[c.name]; c.required && !ok {
			return nil, r.fail(line, "column %s is missing; the header has %d; %s", c.name, len(record), missingHint(record))
		}
	}
	r.warnUnknown(line, unknown)
	r.warnUnused(line, func(theirs string) bool {
		return slices.ContainsFunc(record, func(cell string) bool { return HeaderName(cell) == theirs })
	})
	return h, nil
}

// missingHint says what to do about a required column that is missing.
func missingHint(record []string) string {
	for _, sep := range []string{";", "\t", "|", ","} {
		if len(record) == 1 && strings.Contains(record[0], sep) {
			return fmt.Sprintf("the fields seem to be separated by %q; say so as delimiter", sep)
		}
	}
	return "add it, or say under columns what the file calls it"
}

// lineEndings is what to do about a header that takes rows with it.
const lineEndings = "the line endings may be CR; save the file with LF or CR LF"

// sayEncoding is what to do about text that cannot be read.
const sayEncoding = "save the file as UTF-8, or say which encoding it has"

// encodingName is how reports call an encoding.
func encodingName(decoded string) string {
	if decoded == "" {
		return "UTF-8"
	}
	return decoded
}

// Limits of the name of an unknown column that is shown.
const (
	shownNameBytes  = 64
	shownNameDigits = 5
)

// plainName reports whether a name looks like a column's, and not like a value
// that stands where a name is due.
func plainName(name string) bool {
	digits := 0
	odd := strings.ContainsFunc(name, func(r rune) bool {
		if unicode.IsDigit(r) {
			digits++
			return false
		}
		return !unicode.IsLetter(r) && !strings.ContainsRune(" _.-", r)
	})
	return name != "" && !odd && len(name) <= shownNameBytes && digits <= shownNameDigits
}

// shownName is how warnings call an unknown column: by its name where that
// looks like one, and otherwise by its place alone.
func shownName(name string, at int) string {
	if !plainName(name) {
		return fmt.Sprintf("column %d", at+1)
	}
	return fmt.Sprintf("%q", name)
}

// warnUnknown names the columns that are ignored. It is called only where the
// required columns are there, so that the names are a header's.
func (r *reports) warnUnknown(line int, unknown []string) {
	if len(unknown) == 0 {
		return
	}
	more := ""
	if n := len(unknown) - shownColumns; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
		unknown = unknown[:shownColumns]
	}
	r.warn(line, "columns ignored: "+strings.Join(unknown, ", ")+more)
}

// warnUnused names the renamed columns that the file does not have: one config
// may serve files with different columns, but a typing error should be seen.
func (r *reports) warnUnused(line int, has func(theirs string) bool) {
	var unused []string
	for theirs := range r.Columns {
		if !has(HeaderName(theirs)) {
			unused = append(unused, theirs)
		}
	}
	if len(unused) > 0 {
		slices.Sort(unused)
		r.warn(line, fmt.Sprintf("columns to rename that the file does not have: %q", unused))
	}
}
