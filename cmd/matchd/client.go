package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot"
)

func newClientCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "client",
		Short: "Make API keys",
	}
	cmd.AddCommand(newClientAddCommand())
	return cmd
}

func newClientAddCommand() *cobra.Command {
	var (
		c       newClient
		config  string
		tenants []string
		grant   grantYAML
	)
	cmd := &cobra.Command{
		Use:   "add NAME --config matchd.yaml --tenant TENANT --segments A,B --namespaces A,B",
		Short: "Add a client and print its API key",
		Long: `Makes a key of 256 random bits, prints it to standard output, and adds the client
with the key's SHA-256 to the config. The key is printed this once and kept
nowhere. Comments in the config stay. A running daemon reads its config at its
next start.`,
		Example: `  matchd client add acme-ads --config matchd.yaml --store store --tenant acme --segments '*' --namespaces '*'
  matchd client add dsp --config matchd.yaml --tenant acme --segments vip,churn.high --namespaces maid,cookie.site`,
		Args: cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&config, "config", "matchd.yaml", "the config to add the client to, made where there is none")
	f.StringVar(&c.store, "store", "", "for a new config: the store that it names")
	f.StringArrayVar(&tenants, "tenant", nil, "tenant that the client may ask for; may be repeated")
	f.StringSliceVar(&grant.Segments, "segments", nil, "segments that it is shown, or * for all")
	f.StringSliceVar(&grant.Namespaces, "namespaces", nil, "namespaces that it may ask by and see, or * for all")
	f.BoolVar(&grant.Identifiers, "identifiers", false, "let it list the identifiers of customers")
	f.StringVar(&c.IDSpace, "id-space", "", "what its person ids are scoped to (default: its tenant)")
	required(cmd, "tenant", "segments", "namespaces") // nothing is granted unsaid
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c.Name = args[0]
		for _, t := range tenants {
			g := grant
			g.Tenant = t
			c.Grants = append(c.Grants, g)
		}
		return addClient(config, c, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// newClient is a client as the config has it.
type newClient struct {
	Name    string      `yaml:"name"`
	Key     string      `yaml:"key_sha256"`
	IDSpace string      `yaml:"id_space,omitempty"`
	Grants  []grantYAML `yaml:"grants"`

	store string // for a new config
}

type grantYAML struct {
	Tenant      string   `yaml:"tenant"`
	Segments    []string `yaml:"segments,flow"`
	Namespaces  []string `yaml:"namespaces,flow"`
	Identifiers bool     `yaml:"identifiers,omitempty"`
}

// addClient adds a client to a config and prints its key, once that is safe.
func addClient(config string, c newClient, out, errOut io.Writer) error {
	// What is written is the file behind a symbolic link, not the link.
	if path, err := filepath.EvalSymlinks(config); err == nil {
		config = path
	}
	key := server.NewKey()
	c.Key = server.HashKey(key).String()
	old, mode, err := readConfig(config, c.store)
	if err != nil {
		return err
	}
	data, err := withClient(old, c)
	if err != nil {
		return fmt.Errorf("%s: %w", config, err)
	}
	if _, err := server.ParseConfig(config, data); err != nil {
		return fmt.Errorf("add client %s: %w", c.Name, err)
	}
	if err := replaceFile(config, data, mode); err != nil {
		return err
	}
	fmt.Fprintf(errOut, "added client %s to %s; its API key, shown this once:\n", c.Name, config)
	_, err = fmt.Fprintln(out, key)
	return err
}

// readConfig reads a config, or makes up the beginning of a new one.
func readConfig(path, store string) (data []byte, mode fs.FileMode, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && store == "":
		return nil, 0, usage(fmt.Errorf("there is no %s; to make it, name the --store that it serves", path))
	case errors.Is(err, fs.ErrNotExist):
		if store, err = relativeTo(filepath.Dir(path), store); err != nil {
			return nil, 0, err
		}
		data, err = yaml.Marshal(map[string][]string{"stores": {store}})
		return data, 0o600, err
	case err != nil:
		return nil, 0, err
	case store != "":
		return nil, 0, usage(fmt.Errorf("%s is there and names its store; leave --store away", path))
	}
	if data, err = os.ReadFile(path); err != nil {
		return nil, 0, err
	}
	_, err = server.ParseConfig(path, data) // a bad config is told of before it is edited
	return data, info.Mode().Perm(), err
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

// withClient adds a client to a config that has been checked, and leaves its
// comments and order.
func withClient(config []byte, c newClient) ([]byte, error) {
	var doc, node yaml.Node
	if err := yaml.Unmarshal(config, &doc); err != nil {
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
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(&doc), enc.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
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
