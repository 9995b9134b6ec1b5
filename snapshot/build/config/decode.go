package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxErrors is how many errors are reported at once.
const maxErrors = 20

// A decoder walks a YAML tree and collects what is wrong with it.
type decoder struct {
	name string // of the file
	errs []error
	more int // errors beyond maxErrors
}

// fail records an error at a line.
func (d *decoder) fail(line int, format string, args ...any) {
	if len(d.errs) == maxErrors {
		d.more++
		return
	}
	d.errs = append(d.errs, fmt.Errorf("%s:%d: %w", d.name, line, fmt.Errorf(format, args...)))
}

// err returns what was recorded, one error a line.
func (d *decoder) err() error {
	if d.more > 0 {
		return errors.Join(append(d.errs, fmt.Errorf("%s: and %d errors more", d.name, d.more))...)
	}
	return errors.Join(d.errs...)
}

// keys says what a mapping may hold.
type keys map[string]func(*yaml.Node)

// mapping calls the function of each key of n with its value. Required keys
// that are missing are errors. what names the mapping in errors.
func (d *decoder) mapping(n *yaml.Node, what string, k keys, required ...string) {
	lines := d.pairs(n, what, func(key string, line int, value *yaml.Node) {
		set, ok := k[key]
		if !ok {
			d.fail(line, "%s: unknown key %q%s", what, key, suggest(key, slices.Sorted(maps.Keys(k))))
			return
		}
		set(value)
	})
	if lines == nil {
		return
	}
	for _, key := range required {
		if lines[key] == 0 {
			d.fail(n.Line, "%s: key %q is missing; add it", what, key)
		}
	}
}

// pairs calls f with each different key of the mapping n. It returns the lines
// of the keys, or nil where n is not a mapping.
func (d *decoder) pairs(n *yaml.Node, what string, f func(key string, line int, value *yaml.Node)) map[string]int {
	if n.Kind != yaml.MappingNode {
		d.fail(n.Line, "%s: is %s, and should be a mapping (key: value)", what, kindOf(n))
		return nil
	}
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			d.fail(key.Line, "%s: a key is %s, and should be a name", what, kindOf(key))
			continue
		}
		if before := lines[key.Value]; before != 0 {
			d.fail(key.Line, "%s: key %q is given twice, first at line %d; remove one", what, key.Value, before)
			continue
		}
		lines[key.Value] = key.Line
		f(key.Value, key.Line, value)
	}
	return lines
}

// list calls f with each element of the sequence n.
func (d *decoder) list(n *yaml.Node, what string, f func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n.Line, "%s: is %s, and should be a list", what, kindOf(n))
		return
	}
	for _, e := range n.Content {
		f(e)
	}
}

// text returns the text of the scalar n as it is written, whatever type YAML
// would make of it: the region NO is no boolean.
func (d *decoder) text(n *yaml.Node, what string) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || n.Value == "" {
		d.fail(n.Line, "%s: is %s; give a value, or remove the key", what, kindOf(n))
		return "", false
	}
	return n.Value, true
}

// value reads the scalar n by parse and stores it in dst.
func value[T any](d *decoder, n *yaml.Node, what string, dst *T, parse func(string) (T, error)) {
	s, ok := d.text(n, what)
	if !ok {
		return
	}
	v, err := parse(s)
	if err != nil {
		d.fail(n.Line, "%s: %w", what, err)
		return
	}
	*dst = v
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias, which is not supported"
	}
	if n.Value == "" || n.ShortTag() == "!!null" {
		return "empty"
	}
	return "a single value"
}

// suggest names the known word nearest to word, and all of them.
func suggest(word string, known []string) string {
	best, at := 0, -1
	for i, k := range known {
		if dist := distance(word, k); at < 0 || dist < best {
			best, at = dist, i
		}
	}
	all := strings.Join(known, ", ")
	if at < 0 || best > (len(known[at])+1)/2 {
		return "; known are " + all
	}
	return fmt.Sprintf("; did you mean %q? Known are %s", known[at], all)
}

// distance is the Levenshtein distance of a and b in bytes. Words that are
// much longer than any key are cut, which keeps it cheap.
func distance(a, b string) int {
	a = a[:min(len(a), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
