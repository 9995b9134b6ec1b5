package source

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shownColumns is how many unknown columns a warning names.
const shownColumns = 20

// HeaderName returns a column's name as it is compared: without case and
// surrounding white space.
func HeaderName(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// readHeader reads the first row and decides where each column goes.
func (f *file) readHeader(columns []column) error {
	record, err := f.next()
	if err == io.EOF {
		return fmt.Errorf("%s:1: the file is empty; it needs a header row", f.File)
	}
	if errors.Is(err, errLongRow) {
		return fmt.Errorf("%s:1: the header is %w; %s", f.File, err, lineEndings)
	}
	if err != nil {
		return fmt.Errorf("read the header of %s: %w", f.File, err)
	}
	line, _ := f.csv.FieldPos(0)
	f.line = line
	rename := make(map[string]string, len(f.Columns))
	for theirs, ours := range f.Columns {
		rename[HeaderName(theirs)] = ours
	}
	f.targets = make([]*string, len(record))
	f.header = make([]string, len(record))
	var unknown []string // as warnings name them
	places := make(map[string]int, len(columns))
	for i, cell := range record {
		if !utf8.ValidString(cell) {
			return fmt.Errorf("%s:%d: column %d of the header is not UTF-8; save the file as UTF-8", f.File, line, i+1)
		}
		if strings.ContainsFunc(cell, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
			return fmt.Errorf("%s:%d: column %d of the header holds a control character; %s", f.File, line, i+1, lineEndings)
		}
		name := HeaderName(cell)
		if ours, ok := rename[name]; ok {
			name = ours
		}
		c := slices.IndexFunc(columns, func(c column) bool { return c.name == name })
		if c < 0 {
			f.header[i] = fmt.Sprint(i + 1)
			unknown = append(unknown, shownName(name, i))
			continue
		}
		if before, ok := places[name]; ok {
			return fmt.Errorf("%s:%d: column %s is given twice, as columns %d and %d; remove or rename one", f.File, line, name, before+1, i+1)
		}
		places[name] = i
		f.header[i] = name
		f.targets[i] = columns[c].value
	}
	if err := f.checkRequired(line, record, columns, places); err != nil {
		return err
	}
	f.warnUnknown(line, unknown)
	f.warnUnused(line, record)
	return nil
}

// checkRequired refuses a header without a required column.
func (f *file) checkRequired(line int, record []string, columns []column, places map[string]int) error {
	for _, c := range columns {
		if _, ok := places[c.name]; ok || !c.required {
			continue
		}
		hint := "add it, or say under columns what the file calls it"
		for _, sep := range []string{";", "\t", "|"} {
			if len(record) == 1 && strings.Contains(record[0], sep) {
				hint = fmt.Sprintf("the fields seem to be separated by %q; separate them by commas", sep)
			}
		}
		return fmt.Errorf("%s:%d: column %s is missing from the %d of the header; %s", f.File, line, c.name, len(record), hint)
	}
	return nil
}

// lineEndings is what to do about a header that takes rows with it.
const lineEndings = "the line endings may be CR; save the file with LF or CR LF"

// Limits of the name of an unknown column that is shown.
const (
	shownNameBytes  = 64
	shownNameDigits = 5
)

// shownName is how warnings call an unknown column: by its name where that
// looks like one, and otherwise, as it may be a value, by its place alone.
func shownName(name string, at int) string {
	digits := 0
	odd := strings.ContainsFunc(name, func(r rune) bool {
		if unicode.IsDigit(r) {
			digits++
			return false
		}
		return !unicode.IsLetter(r) && !strings.ContainsRune(" _.-", r)
	})
	if name == "" || odd || len(name) > shownNameBytes || digits > shownNameDigits {
		return fmt.Sprintf("column %d", at+1)
	}
	return fmt.Sprintf("%q", name)
}

// warnUnknown names the columns that are ignored. It is called only where the
// required columns are there, so that the names are a header's.
func (f *file) warnUnknown(line int, unknown []string) {
	if len(unknown) == 0 || f.Warn == nil {
		return
	}
	more := ""
	if n := len(unknown) - shownColumns; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
		unknown = unknown[:shownColumns]
	}
	f.Warn(Warning{File: f.File, Line: line, Text: "columns ignored: " + strings.Join(unknown, ", ") + more})
}

// warnUnused names the renamed columns that the file does not have: one config
// may serve files with different columns, but a typing error should be seen.
func (f *file) warnUnused(line int, record []string) {
	if f.Warn == nil {
		return
	}
	var unused []string
	for theirs := range f.Columns {
		if !slices.ContainsFunc(record, func(cell string) bool { return HeaderName(cell) == HeaderName(theirs) }) {
			unused = append(unused, theirs)
		}
	}
	if len(unused) > 0 {
		slices.Sort(unused)
		f.Warn(Warning{File: f.File, Line: line, Text: fmt.Sprintf("columns to rename that the file does not have: %q", unused)})
	}
}
