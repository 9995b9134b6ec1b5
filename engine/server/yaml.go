package server

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decoder walks a YAML tree and collects what is wrong with it.
type decoder struct {
	file string
	errs []error
}

// field is a key of a mapping and what reads its value.
type field struct {
	key string
	set func(*yaml.Node)
}

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf("%s:%d: %s", d.file, n.Line, fmt.Sprintf(format, args...)))
}

// mapping reads the keys of n. It reports whether there was nothing wrong.
func (d *decoder) mapping(n *yaml.Node, what string, fields []field, required ...string) bool {
	before := len(d.errs)
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s: should be a mapping (key: value)", what)
		return false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		f := find(fields, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || f == nil:
			d.fail(key, "%s: unknown key %q; %s", what, key.Value, Suggest(key.Value, keys(fields)))
		case seen[key.Value]:
			d.fail(key, "%s: key %q is given twice", what, key.Value)
		default:
			seen[key.Value] = true
			f.set(value)
		}
	}
	for _, key := range required {
		if !seen[key] {
			d.fail(n, "%s: key %q is missing", what, key)
		}
	}
	return len(d.errs) == before
}

func find(fields []field, key string) *field {
	for i := range fields {
		if fields[i].key == key {
			return &fields[i]
		}
	}
	return nil
}

func (d *decoder) list(n *yaml.Node, what string, each func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, "%s: should be a list", what)
		return
	}
	for _, e := range n.Content {
		each(e)
	}
}

func (d *decoder) texts(n *yaml.Node, what string) (out []string) {
	d.list(n, what, func(n *yaml.Node) { out = append(out, d.text(n, what)) })
	return out
}

// text is a scalar as it is written, whatever type YAML would make of it.
func (d *decoder) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || strings.TrimSpace(n.Value) == "" {
		d.fail(n, "%s: should be one value", what)
		return ""
	}
	return n.Value
}

// boolean is true or false.
func (d *decoder) boolean(n *yaml.Node, what string) bool {
	s := d.text(n, what)
	if s != "true" && s != "false" && s != "" {
		d.fail(n, "%s: %q is neither true nor false", what, s)
	}
	return s == "true"
}

// number is a whole number from low to high.
func (d *decoder) number(n *yaml.Node, what string, low, high int) int {
	s := d.text(n, what)
	i, err := strconv.Atoi(s)
	if s != "" && (err != nil || i < low || i > high) {
		d.fail(n, "%s: %q is not a number from %d to %d", what, s, low, high)
	}
	return i
}

// maxSpan is the longest time that may be said, a hundred years.
const maxSpan = 36500 * 24 * time.Hour

// span is a time from a second to most, such as 90s, 12h or 30d.
func (d *decoder) span(n *yaml.Node, what string, most time.Duration) time.Duration {
	s := d.text(n, what)
	if s == "" {
		return 0
	}
	var span time.Duration
	var err error
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var count int
		count, err = strconv.Atoi(days)
		span = time.Duration(max(0, min(count, int(maxSpan/(24*time.Hour))+1))) * 24 * time.Hour
	} else {
		span, err = time.ParseDuration(s)
	}
	if err != nil || span < time.Second || span > most {
		d.fail(n, "%s: %q is not a time of at most %dd, such as 30d, 12h or 90s", what, s, most/(24*time.Hour))
	}
	return span
}

// entries reads a mapping whose keys are the user's own.
func (d *decoder) entries(n *yaml.Node, what string, each func(key string, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s: should be a mapping (key: value)", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := d.text(n.Content[i], what+": a key")
		if seen[key] {
			d.fail(n.Content[i], "%s: key %q is given twice", what, key)
		}
		seen[key] = true
		each(key, n.Content[i+1])
	}
}

func keys(fields []field) (out []string) {
	for _, f := range fields {
		out = append(out, f.key)
	}
	return out
}

// Suggest says which of the known words is nearest to word, and which there are.
func Suggest(word string, known []string) string {
	best, at := len(word)/2+1, ""
	for _, k := range known {
		if n := distance(word, k); n < best {
			best, at = n, k
		}
	}
	all := "known are " + strings.Join(known, ", ")
	if at == "" {
		return all
	}
	return "did you mean " + strconv.Quote(at) + "? " + all
}

// distance is the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	a = a[:min(len(a), 64)] // no key is near to more
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
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
