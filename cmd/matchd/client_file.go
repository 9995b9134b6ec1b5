package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot"
)

// configFile is a config that has been checked.
type configFile struct {
	path string
	mode fs.FileMode
	data []byte
	server.Config
}

// editConfig replaces a config by what edit makes of it, while no other matchd
// does so in that folder.
func editConfig(path string, read func(path string) (configFile, error), edit func(configFile) ([]byte, error)) (err error) {
	// What is written is the file behind a symbolic link, not the link.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	f, err := read(path)
	if err != nil {
		return err
	}
	data, err := edit(f)
	if err != nil {
		return err
	}
	return replaceFile(f.path, data, f.mode)
}

// readConfig reads a config. A bad one is told of before it is edited.
func readConfig(path string) (f configFile, err error) {
	f.path = path
	info, err := os.Stat(path)
	if err != nil {
		return f, err
	}
	f.mode = info.Mode().Perm()
	if f.data, err = os.ReadFile(path); err != nil {
		return f, err
	}
	f.Config, err = server.ParseConfig(path, f.data)
	return f, err
}

// readOrBegin reads a config, or makes up the beginning of a new one, which
// names the store.
func readOrBegin(path, store string) (f configFile, err error) {
	_, err = os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && store == "":
		return f, usage(fmt.Errorf("there is no %s; to make it, name the --store that it serves", path))
	case errors.Is(err, fs.ErrNotExist):
		if store, err = relativeTo(filepath.Dir(path), store); err != nil {
			return f, err
		}
		f.path, f.mode = path, 0o600
		f.data, err = yaml.Marshal(map[string][]string{"stores": {store}})
		return f, err
	case err == nil && store != "":
		return f, usage(fmt.Errorf("%s is there and names its store; leave --store away", path))
	}
	return readConfig(path)
}

// relativeTo is how a config in dir names path.
func relativeTo(dir, path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil || filepath.IsAbs(path) {
		return abs, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	return filepath.Rel(dir, abs)
}

// with returns the file with a client more, and with its comments and order.
func (f configFile) with(c newClient) ([]byte, error) {
	var doc, node yaml.Node
	if err := yaml.Unmarshal(f.data, &doc); err != nil {
		return nil, err
	}
	if err := node.Encode(c); err != nil {
		return nil, err
	}
	root := doc.Content[0]
	root.Style = 0 // not {a: b}, which would have to hold all clients in a line
	name, clients := entry(root, "clients")
	if clients.Style&yaml.FlowStyle != 0 {
		// A comment beside [...] would have no place once it is a list of lines.
		name.HeadComment = strings.TrimSpace(name.HeadComment + "\n" + clients.LineComment)
		clients.LineComment, clients.Style = "", 0
	}
	clients.Content = append(clients.Content, &node)
	return encodeYAML(&doc)
}

func encodeYAML(doc *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	err := errors.Join(enc.Encode(doc), enc.Close())
	return out.Bytes(), err
}

// entry returns the key and the value of a mapping's entry, which is an empty
// list where there was none.
func entry(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	key, value = &yaml.Node{Kind: yaml.ScalarNode, Value: name}, &yaml.Node{Kind: yaml.SequenceNode}
	mapping.Content = append(mapping.Content, key, value)
	return key, value
}

// replaceFile writes a file so that at any time it is the old or the new one.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+strings.TrimPrefix(filepath.Base(path), ".")+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return snapshot.OS{}.SyncDir(filepath.Dir(path))
}
