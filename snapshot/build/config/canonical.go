package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Canonical returns a text of all that the config says, apart from the paths
// of the files, the order of its lists and the tenants who left: what a
// snapshot's id is derived from, beside the content of the files.
func (c *Config) Canonical() []byte {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, n := range c.Namespaces {
		add("namespace %q %v %d", n.Name, n.Compare, n.Size)
	}
	for i := range c.Tenants {
		t := &c.Tenants[i]
		add("tenant %q %v %q %d", t.Name, t.LegalBasis, t.Domain, t.ConsentMaxAge)
		if b := t.BidStream; b != nil {
			add("bid_stream %q %d", t.Name, b.Segtax)
			for code, id := range b.Segments {
				add("bid_segment %q %q %q", t.Name, code, id)
			}
		}
		for j := range t.Profiles {
			add("profiles %q %s", t.Name, t.Profiles[j].settings())
		}
	}
	for i := range c.Links {
		add("links %s", c.Links[i].settings())
	}
	for name, value := range c.RulesText() {
		add("resolution %s %s", name, value)
	}
	slices.Sort(lines)
	// Two specs that say the same are as one with a wider path.
	lines = slices.Compact(lines)
	head := fmt.Sprintf("onboard %d\nas_of %s\ndefault_region %q\nkeep_anonymous %t\nlink_max_age %d\nnormalise %s %s %s\n",
		c.Version, timeText(c.AsOf), c.DefaultRegion, c.KeepAnonymous, c.LinkMaxAge,
		c.Normalise.Email, c.Normalise.Phone, c.Normalise.Postal)
	return []byte(head + strings.Join(lines, "\n") + "\n")
}

// settings is all that a spec says of what its rows mean. Its path and layout
// are left out, since the rows themselves are compared, and so is a column
// renamed to its own name.
func (s *FileSpec) settings() string {
	var b strings.Builder
	b.WriteString("as_of " + timeText(s.AsOf))
	for _, theirs := range slices.Sorted(maps.Keys(s.Columns)) {
		if ours := s.Columns[theirs]; ours != theirs {
			fmt.Fprintf(&b, " %q=%s", theirs, ours)
		}
	}
	return b.String()
}

func (s *LinkSpec) settings() string {
	return fmt.Sprintf("%q %v %v %s", s.Source.Name, s.Source.Party, s.Method, s.FileSpec.settings())
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339Nano)
}
