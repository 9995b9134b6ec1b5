package server

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/swap"
	"github.com/matchd/matchd/snapshot"
)

// Config is a matchd.yaml. Its paths are relative to the file:
//
//	stores: [/var/lib/matchd/pool]  # or {name: energy, path: /srv/energy, events: /srv/energy-events}, with
//	                                # erase_within: 30d, keep_erasures: 3650d, apply_within: 5s, overdue_unready: true
//	                                # or one that follows another daemon's:
//	                                # {..., follow: "https://a:8080", follow_key_file: key, follow_store: pool, lag: 30s}
//	listen: 127.0.0.1:8080          # or unix:/path
//	admin: 127.0.0.1:8081
//	memory: map                     # or copy
//	link_max_age: 0                 # months; 0 is as the snapshot says
//	limits:                         # on the public listener, at once
//	  connections: 2048
//	  connections_per_ip: 512       # of one address; not on a unix socket
//	tls: {cert: tls.crt, key: tls.key, client_ca: ca.crt}
//	audit: audit.ndjson
//	swap: {identifiers_shrink: 20}  # percent, or swap: off; see docs/swaps.md
//	clients:
//	  - name: acme-ads
//	    tenant: acme                # whose client it is; optional
//	    key_sha256: 2bb80d53...     # 64 hexadecimal digits
//	    scopes: [match, segments]
//	    rate: 5000                  # questions a second
//	    burst: 10000
//	    certificate: dsp.example    # the key is taken with this one only
//	    id_space: acme              # optional
//	    privacy: {vendor: 755, purposes: [1, 3, 4], jurisdiction: gdpr}
//	    openrtb:
//	      eids: {publisher-a.example: cookie.publisher-a}
//	      exchanges: {exchange-one: {buyeruid: cookie.dsp, user_id: cookie.ex}}
//	      devices: {roku: ctv.roku}
//	      person: {source: acme.example, inserter: matchd.example, matcher: matchd.example}
//	    browser: {origins: ["https://shop.example"], cookie: uid, namespace: cookie.acme}
//	    grants:
//	      - tenant: acme
//	        store: pool             # optional
//	        segments: ["*"]
//	        namespaces: ["*"]
//	        customers: true
//	        identifiers: false
//	        purposes: [use]
//	        until: 2027-01-01       # the start of that day, UTC, or a time
//
// A grant without segments shows none; one without namespaces matches nothing.
// One that does not say customers shows customer ids where it is of the
// client's own tenant and the client is not a browser.
type Config struct {
	Stores        []StoreConfig
	Listen, Admin string
	Memory        snapshot.Memory
	LinkMaxAge    int
	Limits        Limits     // zeros where the file names none
	TLS           *TLSConfig // nil where the file has none
	// Swap holds back snapshots; nil takes all that are sound.
	Swap *swap.Bounds
	// Audit is the path of the audit log; empty is none.
	Audit   string
	Clients []Client
}

// StoreConfig is a store and the name that grants have for it.
type StoreConfig struct {
	Name, Path string
	// Events is the folder of the log of live changes; empty takes none.
	Events string
	// Retention is about what is erased; zeros where the file says nothing.
	Retention engine.Retention
	// Follow is the URL of the daemon whose live changes the store follows, with
	// the key in the file FollowKeyFile; empty takes them itself. FollowStore is
	// the store's name there; empty where there is one. Lag is how far behind the
	// store may be and still be ready; 0 is engine.DefaultLag.
	Follow, FollowKeyFile, FollowStore string
	Lag                                time.Duration
}

// StoreAt is the store in a folder, by the folder's name.
func StoreAt(path string) StoreConfig {
	if abs, err := filepath.Abs(path); err == nil {
		return StoreConfig{Name: filepath.Base(abs), Path: path}
	}
	return StoreConfig{Name: filepath.Base(path), Path: path}
}

// TLSConfig names PEM files.
type TLSConfig struct {
	Cert, Key string
	// ClientCA is what signs the certificates of clients; empty asks for none.
	ClientCA string
}

// ReadConfig reads a matchd.yaml.
func ReadConfig(path string) (Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	return ParseConfig(path, data)
}

// ParseConfig parses the contents of the matchd.yaml at a path. Errors begin
// with the path and the line, one error a line.
func ParseConfig(path string, data []byte) (Config, error) {
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if len(root.Content) == 0 {
		return Config{}, fmt.Errorf("%s: the file is empty; it needs stores at least", path)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%s: there is a second document; keep one", path)
	}
	d := &decoder{file: path}
	c := d.config(root.Content[0])
	if err := errors.Join(d.errs...); err != nil {
		return Config{}, err
	}
	return c, nil
}

func (d *decoder) config(n *yaml.Node) Config {
	c := Config{Listen: DefaultListen, Admin: DefaultAdmin, Memory: snapshot.Map, Swap: new(swap.Bounds)}
	*c.Swap = swap.DefaultBounds()
	var clients *yaml.Node // read last: they name stores
	d.mapping(n, "matchd.yaml", []field{
		{"stores", func(n *yaml.Node) { c.Stores = d.stores(n) }},
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
		{"tls", func(n *yaml.Node) { c.TLS = d.tls(n) }},
		{"swap", func(n *yaml.Node) { c.Swap = d.swap(n, c.Swap) }},
		{"audit", func(n *yaml.Node) { c.Audit = d.path(n, "audit") }},
		{"clients", func(n *yaml.Node) { clients = n }},
	}, "stores")
	if clients != nil {
		d.list(clients, "clients", func(n *yaml.Node) { d.client(n, &c) })
	}
	return c
}

// swap reads bounds, over those that there are; off is none.
func (d *decoder) swap(n *yaml.Node, b *swap.Bounds) *swap.Bounds {
	if n.Kind == yaml.ScalarNode && n.Value == "off" {
		return nil
	}
	var fields []field
	for _, f := range b.Fields() {
		fields = append(fields, field{f.Name, func(n *yaml.Node) { *f.Value = d.number(n, "swap: "+f.Name, f.Low, f.High) }})
	}
	d.mapping(n, "swap", fields)
	return b
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

// path is relative to the config's folder.
func (d *decoder) path(n *yaml.Node, what string) string {
	p := d.text(n, what)
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(filepath.Dir(d.file), p)
}

func (d *decoder) stores(n *yaml.Node) (out []StoreConfig) {
	before := len(d.errs)
	d.list(n, "stores", func(n *yaml.Node) {
		s := d.store(n)
		for _, other := range out {
			switch {
			case s.Name == other.Name && s.Name != "":
				d.fail(n, "stores: two are named %s; give one of them another, as in {name: energy, path: ...}", s.Name)
			case filepath.Clean(s.Path) == filepath.Clean(other.Path) && s.Path != "":
				d.fail(n, "stores: %s is there twice", s.Path)
			}
		}
		out = append(out, s)
	})
	if len(out) == 0 && len(d.errs) == before {
		d.fail(n, "stores: name the folder of a store")
	}
	return out
}

func (d *decoder) store(n *yaml.Node) (s StoreConfig) {
	if n.Kind != yaml.MappingNode {
		if s.Path = d.path(n, "stores"); s.Path != "" {
			s = StoreAt(s.Path)
		}
		return s
	}
	d.mapping(n, "store", []field{
		{"name", func(n *yaml.Node) {
			if s.Name = d.text(n, "store: name"); strings.ContainsAny(s.Name, "/\x00") {
				d.fail(n, "store: name %q has a slash", s.Name)
			}
		}},
		{"path", func(n *yaml.Node) { s.Path = d.path(n, "store: path") }},
		{"events", func(n *yaml.Node) { s.Events = d.path(n, "store: events") }},
		{"erase_within", func(n *yaml.Node) { s.Retention.EraseWithin = d.span(n, "store: erase_within", engine.MostEraseWithin) }},
		{"keep_erasures", func(n *yaml.Node) { s.Retention.KeepErasures = d.span(n, "store: keep_erasures", maxSpan) }},
		{"apply_within", func(n *yaml.Node) { s.Retention.ApplyWithin = d.span(n, "store: apply_within", maxSpan) }},
		{"overdue_unready", func(n *yaml.Node) { s.Retention.Unready = d.boolean(n, "store: overdue_unready") }},
		{"follow", func(n *yaml.Node) { s.Follow = d.text(n, "store: follow") }},
		{"follow_key_file", func(n *yaml.Node) { s.FollowKeyFile = d.path(n, "store: follow_key_file") }},
		{"follow_store", func(n *yaml.Node) { s.FollowStore = d.text(n, "store: follow_store") }},
		{"lag", func(n *yaml.Node) { s.Lag = d.span(n, "store: lag", engine.MaxLag) }},
	}, "path")
	if r := s.Retention; r.KeepErasures > 0 && r.KeepErasures < cmp.Or(r.EraseWithin, engine.MostEraseWithin) {
		d.fail(n, "store: keep_erasures is shorter than erase_within")
	}
	if err := s.Validate(); err != nil {
		d.fail(n, "store: %v", err)
	}
	if s.Name == "" && s.Path != "" {
		s.Name = StoreAt(s.Path).Name
	}
	return s
}

func (d *decoder) tls(n *yaml.Node) *TLSConfig {
	out := new(TLSConfig)
	d.mapping(n, "tls", []field{
		{"cert", func(n *yaml.Node) { out.Cert = d.path(n, "tls: cert") }},
		{"key", func(n *yaml.Node) { out.Key = d.path(n, "tls: key") }},
		{"client_ca", func(n *yaml.Node) { out.ClientCA = d.path(n, "tls: client_ca") }},
	}, "cert", "key")
	return out
}
