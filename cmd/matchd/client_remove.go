package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/matchd/matchd/engine/server"
)

// without returns the file without its client at a place. All comments stay but
// those inside of it and right above it.
func (f configFile) without(at int) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(f.data, &doc); err != nil {
		return nil, err
	}
	name, clients := entry(doc.Content[0], "clients")
	if data, ok := f.cutLines(name, clients, at); ok && f.differs(data, at) == nil {
		return data, nil
	}
	// Not a line an entry, so there is hardly room for comments.
	clients.Content = append(clients.Content[:at], clients.Content[at+1:]...)
	data, err := encodeYAML(&doc)
	if err != nil {
		return nil, err
	}
	return data, f.differs(data, at)
}

// differs returns an error unless data is the config without its client at a
// place, and no other change.
func (f configFile) differs(data []byte, at int) error {
	now, err := server.ParseConfig(f.path, data)
	if err != nil {
		return fmt.Errorf("revoke client %s: %w", f.Clients[at].Name, err)
	}
	want := f.Config
	want.Clients = append(f.Clients[:at:at], f.Clients[at+1:]...)
	if len(want.Clients) == 0 {
		want.Clients = now.Clients[:0] // as nil as those
	}
	if !reflect.DeepEqual(now, want) {
		return errors.New("the config would change elsewhere too; remove the client by hand")
	}
	return nil
}

// cutLines cuts an element of a list out of the text, which keeps the rest as it
// was written. It reports whether the list has a line for each element.
func (f configFile) cutLines(name, list *yaml.Node, at int) ([]byte, bool) {
	lines := strings.SplitAfter(string(f.data), "\n")
	indent, first := list.Column-1, list.Content[at].Line-1
	if list.Style&yaml.FlowStyle != 0 || indentOf(lines[first]) != indent || !strings.HasPrefix(lines[first][indent:], "- ") {
		return nil, false
	}
	end := first + 1
	for i := end; i < len(lines); i++ {
		text := strings.TrimSpace(lines[i])
		switch {
		case text == "":
		case indentOf(lines[i]) > indent:
			end = i + 1
		case text[0] != '#':
			i = len(lines) // the next element, or key
		}
	}
	for first > 0 && strings.HasPrefix(strings.TrimSpace(lines[first-1]), "#") && indentOf(lines[first-1]) <= indent {
		first--
	}
	if len(list.Content) == 1 {
		key, from := &lines[name.Line-1], name.Column-1
		to := from + len("clients:")
		if len(*key) < to || (*key)[from:to] != "clients:" {
			return nil, false
		}
		*key = (*key)[:to] + " []" + (*key)[to:]
	}
	return []byte(strings.Join(append(lines[:first:first], lines[end:]...), "")), true
}

// indentOf is how many spaces a line begins with.
func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
