package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// Config is a matchd.yaml:
//
//	stores: [/var/lib/matchd/pool]  # one, for now; relative to the file
//	listen: 127.0.0.1:8080          # or unix:/path
//	admin: 127.0.0.1:8081
//	memory: map                     # or copy
//	link_max_age: 0                 # months; 0 is as the snapshot says
//	limits:                         # on the public listener, at once
//	  connections: 2048
//	  connections_per_ip: 512       # of one address; not on a unix socket
//	clients:
//	  - name: acme-ads
//	    key_sha256: 2bb80d53...     # 64 hexadecimal digits
//	    id_space: acme              # optional
//	    grants:
//	      - {tenant: acme, segments: ["*"], namespaces: ["*"], identifiers: false}
//
// A grant without segments shows none; one without namespaces matches nothing.
type Config struct {
	// Store is the folder of the store.
	Store         string
	Listen, Admin string
	Memory        snapshot.Memory
	LinkMaxAge    int
	Limits        Limits // zeros where the file names none
	Clients       []Client
}

// ReadConfig reads a matchd.yaml. Its paths are relative to its folder.
func ReadConfig(path string) (Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	c, err := ParseConfig(path, data)
	if err == nil && !filepath.IsAbs(c.Store) {
		c.Store = filepath.Join(filepath.Dir(path), c.Store)
	}
	return c, err
}

// ParseConfig parses the contents of a matchd.yaml. Errors begin with name and
// the line, one error a line.
func ParseConfig(name string, data []byte) (Config, error) {
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%s: %w", name, err)
	}
	if len(root.Content) == 0 {
		return Config{}, fmt.Errorf("%s: the file is empty; it needs stores at least", name)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%s: there is a second document; keep one", name)
	}
	d := &decoder{file: name}
	c := d.config(root.Content[0])
	if err := errors.Join(d.errs...); err != nil {
		return Config{}, err
	}
	return c, nil
}

func (d *decoder) config(n *yaml.Node) Config {
	c := Config{Listen: DefaultListen, Admin: DefaultAdmin, Memory: snapshot.Map}
	d.mapping(n, "matchd.yaml", []field{
		{"stores", func(n *yaml.Node) {
			switch stores := d.texts(n, "stores"); {
			case len(stores) == 1:
				c.Store = stores[0]
			case len(stores) > 1:
				d.fail(n, "stores: one daemon serves one store for now; run one daemon a store")
			default:
				d.fail(n, "stores: name the folder of a store")
			}
		}},
		{"listen", func(n *yaml.Node) { c.Listen = d.endpoint(n, "listen") }},
		{"admin", func(n *yaml.Node) { c.Admin = d.endpoint(n, "admin") }},
		{"memory", func(n *yaml.Node) {
			c.Memory = snapshot.Memory(d.text(n, "memory"))
			if c.Memory != snapshot.Map && c.Memory != snapshot.Copy {
				d.fail(n, "memory: %q is neither map nor copy", c.Memory)
			}
		}},
		{"link_max_age", func(n *yaml.Node) {
			var err error
			if c.LinkMaxAge, err = strconv.Atoi(d.text(n, "link_max_age")); err != nil || c.LinkMaxAge < 0 || c.LinkMaxAge > maxMonths {
				d.fail(n, "link_max_age: a number of months from 0 to %d", maxMonths)
			}
		}},
		{"limits", func(n *yaml.Node) {
			d.mapping(n, "limits", []field{
				{"connections", func(n *yaml.Node) { c.Limits.Connections = d.connections(n, "limits: connections") }},
				{"connections_per_ip", func(n *yaml.Node) { c.Limits.ConnectionsPerIP = d.connections(n, "limits: connections_per_ip") }},
			})
		}},
		{"clients", func(n *yaml.Node) {
			d.list(n, "clients", func(n *yaml.Node) { d.client(n, &c) })
		}},
	}, "stores")
	return c
}

// maxMonths is a hundred years.
const maxMonths = 1200

// maxConnections is more than a process may have files open.
const maxConnections = 1 << 20

func (d *decoder) connections(n *yaml.Node, what string) int {
	limit, err := strconv.Atoi(d.text(n, what))
	if err != nil || limit < 1 || limit > maxConnections {
		d.fail(n, "%s: a number from 1 to %d", what, maxConnections)
	}
	return limit
}

func (d *decoder) endpoint(n *yaml.Node, what string) string {
	s := d.text(n, what)
	if _, err := parseEndpoint(s); err != nil {
		d.fail(n, "%s: %v", what, err)
	}
	return s
}

// client adds a client to c.
func (d *decoder) client(n *yaml.Node, c *Config) {
	var out Client
	what := "client " + strconv.Itoa(len(c.Clients)+1)
	ok := d.mapping(n, what, []field{
		{"name", func(n *yaml.Node) { out.Name = d.text(n, what+": name") }},
		{"key_sha256", func(n *yaml.Node) {
			var err error
			if out.Key, err = ParseKeyHash(d.text(n, what+": key_sha256")); err != nil {
				d.fail(n, "%s: %v", what, err)
			}
		}},
		{"id_space", func(n *yaml.Node) { out.IDSpace = d.text(n, what+": id_space") }},
		{"grants", func(n *yaml.Node) {
			d.list(n, what+": grants", func(n *yaml.Node) { out.Grants = append(out.Grants, d.grant(n, what+": grant")) })
		}},
	}, "name", "key_sha256")
	if ok {
		if err := out.Validate(); err != nil {
			d.fail(n, "%v", err)
		}
		for _, other := range c.Clients {
			if other.Name == out.Name {
				d.fail(n, "two clients are named %s", out.Name)
			}
			if other.Key == out.Key {
				d.fail(n, "client %s has the key of client %s", out.Name, other.Name)
			}
		}
	}
	c.Clients = append(c.Clients, out)
}

func (d *decoder) grant(n *yaml.Node, what string) (g engine.Grant) {
	g.Customers = true
	d.mapping(n, what, []field{
		{"tenant", func(n *yaml.Node) { g.Tenant = d.text(n, what+": tenant") }},
		{"segments", func(n *yaml.Node) { g.Segments = d.texts(n, what+": segments") }},
		{"namespaces", func(n *yaml.Node) { g.Namespaces = d.texts(n, what+": namespaces") }},
		{"identifiers", func(n *yaml.Node) {
			switch s := d.text(n, what+": identifiers"); s {
			case "true":
				g.Identifiers = true
			case "false":
			default:
				d.fail(n, "%s: identifiers: %q is neither true nor false", what, s)
			}
		}},
	}, "tenant")
	return g
}
