package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"go.yaml.in/yaml/v3"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/source"
	"github.com/matchd/matchd/snapshot/resolve"
)

func parse(data []byte, dir, name string) (*Config, error) {
	root, err := document(data, name)
	if err != nil {
		return nil, err
	}
	c := &Config{LinkMaxAge: MaxLinkMaxAge, Rules: resolve.DefaultRules(), MaxConnected: DefaultMaxConnected, Normalise: defaultNormalise, dir: dir, name: name}
	p := &parser{decoder: decoder{name: name}, c: c, tenants: map[string]int{}, former: map[string]int{}, namespaces: map[string]int{}}
	p.config(root)
	p.formerTenants()
	if err := p.err(); err != nil {
		return nil, err
	}
	slices.SortFunc(c.Namespaces, func(a, b index.Namespace) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Tenants, func(a, b Tenant) int { return cmp.Compare(a.Name, b.Name) })
	if n := len(c.Sources()); n > MaxSources {
		return nil, fmt.Errorf("%s: %d sources, the tenants among them: at most %d; split the pool", name, n, MaxSources)
	}
	if _, err := c.NamespaceTable(); err != nil {
		return nil, err
	}
	return c, nil
}

// document returns the root of the one YAML document in data.
func document(data []byte, name string) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	err := dec.Decode(&doc)
	if err == io.EOF {
		return nil, fmt.Errorf("%s: the file is empty; it needs at least version and tenants", name)
	}
	if err == nil {
		if err = dec.Decode(&next); err == nil {
			return nil, fmt.Errorf("%s:%d: a second YAML document; put all into one", name, next.Line)
		}
	}
	if err == io.EOF {
		return doc.Content[0], nil
	}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if at, ok := strings.CutPrefix(text, "line "); ok {
		return nil, fmt.Errorf("%s:%s", name, at)
	}
	return nil, fmt.Errorf("%s: %s", name, text)
}

// A parser fills a Config. The maps hold the lines of names already declared;
// stdin is the line that names standard input.
type parser struct {
	decoder
	c                           *Config
	tenants, former, namespaces map[string]int
	stdin                       int
}

func (p *parser) config(n *yaml.Node) {
	p.mapping(n, "config", keys{
		"version":        func(n *yaml.Node) { value(&p.decoder, n, "version", &p.c.Version, parseVersion) },
		"as_of":          func(n *yaml.Node) { value(&p.decoder, n, "as_of", &p.c.AsOf, parseAsOf) },
		"default_region": func(n *yaml.Node) { value(&p.decoder, n, "default_region", &p.c.DefaultRegion, parseRegion) },
		"namespaces":     func(n *yaml.Node) { p.list(n, "namespaces", p.namespace) },
		"normalise":      p.normalise,
		"tenants": func(n *yaml.Node) {
			if len(n.Content) > MaxTenants {
				p.fail(n.Line, "tenants: %d of them, at most %d; split the pool", len(n.Content), MaxTenants)
				return
			}
			p.list(n, "tenants", p.tenant)
			if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
				p.fail(n.Line, "tenants: none is given; a pool needs at least one")
			}
		},
		"former_tenants": func(n *yaml.Node) { p.list(n, "former_tenants", p.formerTenant) },
		"links":          func(n *yaml.Node) { p.list(n, "links", p.link) },
		"keep_anonymous": func(n *yaml.Node) { value(&p.decoder, n, "keep_anonymous", &p.c.KeepAnonymous, parseBool) },
		"resolution":     p.resolution,
		"link_max_age": func(n *yaml.Node) {
			value(&p.decoder, n, "link_max_age", &p.c.LinkMaxAge, parseMonths(MaxLinkMaxAge))
		},
	}, "version", "tenants")
}

// resolution reads the limits under which identifiers are joined to persons.
func (p *parser) resolution(n *yaml.Node) {
	r := &p.c.Rules
	limit := func(name string, dst *int, most int) func(*yaml.Node) {
		return func(n *yaml.Node) { value(&p.decoder, n, "resolution "+name, dst, parseLimit(most)) }
	}
	p.mapping(n, "resolution", keys{
		"max_identifiers":           limit("max_identifiers", &r.MaxIdentifiers, resolve.MaxLimit),
		"max_customers_per_device":  limit("max_customers_per_device", &r.MaxOnDevice, resolve.MaxLimit),
		"max_customers_per_contact": limit("max_customers_per_contact", &r.MaxOnContact, resolve.MaxLimit),
		"max_connected":             limit("max_connected", &p.c.MaxConnected, maxMaxConnected),
		"shared":                    func(n *yaml.Node) { value(&p.decoder, n, "resolution shared", &r.Shared, resolve.ParseShared) },
	})
}

// maxMaxConnected bounds the memory that one connected set takes: about 300
// bytes an identifier.
const maxMaxConnected = 10_000_000

func parseLimit(most int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > most {
			return 0, fmt.Errorf("%q is not a number from 1 to %d", s, most)
		}
		return n, nil
	}
}

func (p *parser) namespace(n *yaml.Node) {
	var ns index.Namespace
	before := len(p.errs)
	if n.Kind == yaml.MappingNode {
		p.mapping(n, "namespace", keys{
			"name":    func(n *yaml.Node) { ns.Name, _ = p.text(n, "name") },
			"compare": func(n *yaml.Node) { value(&p.decoder, n, "compare", &ns.Compare, index.ParseCompare) },
			"size":    func(n *yaml.Node) { value(&p.decoder, n, "size", &ns.Size, parseSize) },
		}, "name")
	} else {
		ns.Name, _ = p.text(n, "namespace")
	}
	if len(p.errs) > before {
		return
	}
	if err := ns.Validate(); err != nil {
		p.fail(n.Line, "%w", err)
		return
	}
	isSame := func(b index.Namespace) bool { return b.Name == ns.Name }
	switch {
	case strings.HasPrefix(ns.Name, index.CRMPrefix):
		p.fail(n.Line, "namespace %q is reserved for the tenants' profiles; remove it", ns.Name)
	case slices.ContainsFunc(index.Builtin(), isSame):
		p.fail(n.Line, "namespace %q is built in; remove it", ns.Name)
	case p.namespaces[ns.Name] != 0:
		p.fail(n.Line, "namespace %q is declared twice, first at line %d; remove one", ns.Name, p.namespaces[ns.Name])
	default:
		p.namespaces[ns.Name] = n.Line
		p.c.Namespaces = append(p.c.Namespaces, ns)
	}
}

func (p *parser) link(n *yaml.Node) {
	l := LinkSpec{FileSpec: FileSpec{Line: n.Line}, Method: snapshot.Inferred}
	k := p.specKeys(&l.FileSpec, source.LinkColumns())
	k["source"] = func(n *yaml.Node) { value(&p.decoder, n, "source", &l.Source.Name, parseSourceName) }
	k["party"] = func(n *yaml.Node) { value(&p.decoder, n, "party", &l.Source.Party, snapshot.ParseParty) }
	k["method"] = func(n *yaml.Node) { value(&p.decoder, n, "method", &l.Method, snapshot.ParseMethod) }
	p.mapping(n, "links", k, "path", "source", "party")
	p.layout(&l.FileSpec)
	p.c.Links = append(p.c.Links, l)
}

// layout checks what a spec says of its files against itself; what the name of
// a file decides is seen when the file is known.
func (p *parser) layout(spec *FileSpec) {
	if err := spec.Layout.Validate(); err != nil {
		p.fail(spec.Line, "%w", err)
	}
}

// specKeys are the keys that all files have; columns are ours.
func (p *parser) specKeys(spec *FileSpec, columns []string) keys {
	return keys{
		"path": func(n *yaml.Node) {
			value(&p.decoder, n, "path", &spec.Path, parseGlob)
			if spec.Path != source.Stdin {
				return
			}
			if p.stdin != 0 {
				p.fail(n.Line, "path: %q, standard input, is given twice, first at line %d; it can be read once", source.Stdin, p.stdin)
			}
			p.stdin = n.Line
		},
		"format": func(n *yaml.Node) { value(&p.decoder, n, "format", &spec.Layout.Format, source.ParseFormat) },
		"compression": func(n *yaml.Node) {
			value(&p.decoder, n, "compression", &spec.Layout.Compression, source.ParseCompression)
		},
		"delimiter": func(n *yaml.Node) { value(&p.decoder, n, "delimiter", &spec.Layout.Delimiter, source.ParseDelimiter) },
		"encoding":  func(n *yaml.Node) { value(&p.decoder, n, "encoding", &spec.Layout.Encoding, source.ParseEncoding) },
		"as_of":     func(n *yaml.Node) { value(&p.decoder, n, "as_of", &spec.AsOf, parseAsOf) },
		"columns": func(n *yaml.Node) {
			spec.Columns = make(map[string]string)
			p.pairs(n, "columns", func(theirs string, line int, n *yaml.Node) {
				ours, ok := p.text(n, "columns")
				key := source.HeaderName(theirs)
				switch {
				case !ok:
				case key == "":
					p.fail(line, "columns: the name of their column is empty; give it as the file's header has it")
				case !slices.Contains(columns, ours):
					p.fail(n.Line, "columns: %q is no column of ours%s", ours, suggest(ours, columns))
				case spec.Columns[key] != "":
					p.fail(line, "columns: %q is given twice, since headers compare without case; remove one", theirs)
				default:
					spec.Columns[key] = ours
				}
			})
		},
	}
}

func parseVersion(s string) (int, error) {
	if s != strconv.Itoa(Version) {
		return 0, fmt.Errorf("version %q is not supported; this matchd reads version %d", s, Version)
	}
	return Version, nil
}

func parseRegion(s string) (string, error) {
	if !phonenumbers.GetSupportedRegions()[s] {
		return "", fmt.Errorf("region %q is unknown; give two capital letters as ISO 3166-1 has them, such as FR", s)
	}
	return s, nil
}

func parseAsOf(s string) (time.Time, error) {
	t, err := snapshot.ParseTime(s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is %w", s, err)
	}
	if _, ok := snapshot.DayOf(t); !ok || t.Unix() == 0 {
		return time.Time{}, fmt.Errorf("%q is not between 1970 and %v", s, snapshot.MaxDay)
	}
	return t, nil
}

func parseBool(s string) (bool, error) {
	if s != "true" && s != "false" {
		return false, fmt.Errorf("%q is neither true nor false", s)
	}
	return s == "true", nil
}

func parseMonths(most int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > most {
			return 0, fmt.Errorf("%q is not a number of months from 1 to %d", s, most)
		}
		return n, nil
	}
}

func parseSize(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > index.MaxValue/2 {
		return 0, fmt.Errorf("%q is not a number of bytes from 1 to %d", s, index.MaxValue/2)
	}
	return n, nil
}

// maxSourceName is the longest name of a source, in bytes.
const maxSourceName = 128

func parseSourceName(s string) (string, error) {
	if len(s) > maxSourceName || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return "", fmt.Errorf("%q is not a name of 1 to %d bytes without control characters", s, maxSourceName)
	}
	if strings.HasPrefix(s, index.CRMPrefix) {
		return "", fmt.Errorf("%q: names with %q are kept for the tenants' own profiles; choose another", s, index.CRMPrefix)
	}
	return s, nil
}

func parseGlob(s string) (string, error) {
	if _, err := filepath.Match(s, ""); err != nil {
		return "", errors.New("the pattern is malformed; see * ? [a-z] in a shell")
	}
	return s, nil
}
