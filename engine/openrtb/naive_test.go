package openrtb_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/matchd/matchd/engine/openrtb"
)

// node is a JSON value as encoding/json reads it, with members in their order
// and keys as often as they are there.
type node struct {
	kind    byte // {, [, ", 0, t (or false), n
	text    string
	members []member
	list    []*node
}

type member struct {
	key   string
	value *node
}

// parse reads one value by the token stream of encoding/json.
func parse(body []byte) (*node, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return parseValue(d)
}

func parseValue(d *json.Decoder) (*node, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case string:
		return &node{kind: '"', text: t}, nil
	case json.Number:
		return &node{kind: '0', text: t.String()}, nil
	case bool:
		return &node{kind: 't', text: strconv.FormatBool(t)}, nil
	case json.Delim:
		n := &node{kind: byte(t)}
		for d.More() {
			var m member
			if n.kind == '{' {
				key, err := d.Token()
				if err != nil {
					return nil, err
				}
				m.key = key.(string)
			}
			if m.value, err = parseValue(d); err != nil {
				return nil, err
			}
			if n.kind == '{' {
				n.members = append(n.members, m)
			} else {
				n.list = append(n.list, m.value)
			}
		}
		_, err := d.Token()
		return n, err
	}
	return &node{kind: 'n'}, nil
}

// all returns the members of an object that have a key.
func (n *node) all(key string) (values []*node) {
	if n.kind == '{' {
		for _, m := range n.members {
			if m.key == key {
				values = append(values, m.value)
			}
		}
	}
	return values
}

// last returns what parsers take for a key, or nil.
func (n *node) last(key string) *node {
	if values := n.all(key); len(values) > 0 {
		return values[len(values)-1]
	}
	return nil
}

// scalar is the text of a string or a number.
func (n *node) scalar() (string, bool) {
	if n == nil || n.kind != '"' && n.kind != '0' {
		return "", false
	}
	return n.text, true
}

// integer is a whole number, or a string of one.
func (n *node) integer() (int, bool) {
	text, _ := n.scalar()
	v, err := strconv.Atoi(text)
	if err != nil || text[0] == '+' || len(strings.TrimPrefix(text, "-")) > 18 {
		return 0, false
	}
	return v, true
}

type naiveID struct {
	place  openrtb.Place
	source string
	value  string
	method int
}

// naiveIDs reads the ids of a request.
func naiveIDs(root *node) (ids []naiveID) {
	add := func(p openrtb.Place, value *node, source string, method int) {
		limit := openrtb.MaxIDs
		if p != openrtb.UserEID {
			limit += 16 // a place of their own
		}
		if text, ok := value.scalar(); ok && text != "" && len(ids) < limit {
			ids = append(ids, naiveID{p, source, text, method})
		}
	}
	eids := func(list *node) {
		for _, e := range list.list {
			source, _ := e.last("source").scalar()
			method, _ := e.last("mm").integer()
			for _, uids := range e.all("uids") {
				for _, u := range uids.list {
					for _, id := range u.all("id") {
						add(openrtb.UserEID, id, source, method)
					}
				}
			}
		}
	}
	for _, m := range root.members {
		switch m.key {
		case "device":
			source := ""
			for _, ext := range m.value.all("ext") {
				if t := ext.last("ifa_type"); t != nil {
					source, _ = t.scalar()
				}
			}
			for _, ifa := range m.value.all("ifa") {
				add(openrtb.IFA, ifa, source, 0)
			}
		case "user":
			for _, u := range m.value.members {
				switch u.key {
				case "id":
					add(openrtb.UserID, u.value, "", 0)
				case "buyeruid":
					add(openrtb.BuyerUID, u.value, "", 0)
				case "eids":
					eids(u.value)
				case "ext":
					for _, list := range u.value.all("eids") {
						eids(list)
					}
				}
			}
		}
	}
	return ids
}

type naiveSignal struct {
	signal openrtb.Signal
	value  string // "" where it is bad
	bad    bool
}

var regsSignals = map[string]openrtb.Signal{
	"gdpr": openrtb.GDPR, "gpp": openrtb.GPP, "gpp_sid": openrtb.GPPSID,
	"us_privacy": openrtb.USPrivacy, "gpc": openrtb.GPC, "coppa": openrtb.COPPA,
}

// naiveSignals reads the signals of a request, in any order.
func naiveSignals(root *node) (signals []naiveSignal) {
	device := map[string]openrtb.Signal{"lmt": openrtb.LMT}
	user := map[string]openrtb.Signal{"consent": openrtb.Consent}
	note := func(all map[string]openrtb.Signal) {
		for _, s := range all {
			signals = append(signals, naiveSignal{signal: s, bad: true})
		}
	}
	var walk func(n *node, here map[string]openrtb.Signal, inner bool)
	walk = func(n *node, here map[string]openrtb.Signal, inner bool) {
		if strings.IndexByte(`"0t`, n.kind) >= 0 || len(n.list) > 0 {
			note(here)
		}
		for _, m := range n.members {
			switch {
			case m.key == "ext" && !inner:
				walk(m.value, here, true)
			case strings.EqualFold(m.key, "ext") && !inner:
				note(here)
			}
			for key, s := range here {
				if m.key == key {
					signals = append(signals, naiveSignalOf(s, m.value)...)
				} else if strings.EqualFold(m.key, key) {
					signals = append(signals, naiveSignal{signal: s, bad: true})
				}
			}
		}
	}
	for _, m := range root.members {
		for key, here := range map[string]map[string]openrtb.Signal{"device": device, "user": user, "regs": regsSignals} {
			if m.key == key {
				walk(m.value, here, false)
			} else if strings.EqualFold(m.key, key) {
				note(here)
			}
		}
	}
	return signals
}

func naiveSignalOf(s openrtb.Signal, v *node) []naiveSignal {
	text, ok := v.scalar()
	switch {
	case v.kind == 'n':
		return nil
	case v.kind == '[' && s == openrtb.GPPSID:
		var parts []string
		for _, e := range v.list {
			n, ok := e.integer()
			if !ok {
				return []naiveSignal{{signal: s, bad: true}}
			}
			parts = append(parts, strconv.Itoa(n))
		}
		return []naiveSignal{{signal: s, value: strings.Join(parts, ",")}}
	case !ok, v.kind == '0' && (s == openrtb.Consent || s == openrtb.GPP || s == openrtb.USPrivacy):
		return []naiveSignal{{signal: s, bad: true}}
	}
	return []naiveSignal{{signal: s, value: text}}
}

// naiveEnrich adds to a request, in place, what should be added.
func naiveEnrich(root *node, a *openrtb.Additions) (added bool) {
	user := &node{kind: 'n'}
	if u := root.last("user"); u != nil {
		user = u
	}
	if user.kind != '{' && user.kind != 'n' {
		return false
	}
	slot := func(key string) (*node, bool) {
		v := user.last(key)
		if v == nil {
			v = &node{kind: 'n'}
		}
		return v, v.kind == '[' || v.kind == 'n'
	}
	put := func(key string, entries []*node) {
		if len(entries) == 0 {
			return
		}
		added = true
		if root.last("user") == nil {
			root.members = append(root.members, member{"user", user})
		}
		user.kind = '{'
		if user.last(key) == nil {
			user.members = append(user.members, member{key, &node{}})
		}
		list := user.last(key)
		list.kind, list.list = '[', append(list.list, entries...)
	}
	data, dataOK := slot("data")
	eids, eidsOK := slot("eids")
	older := &node{kind: 'n'}
	if ext := user.last("ext"); ext != nil && ext.last("eids") != nil {
		older = ext.last("eids")
	}
	var newData, newEIDs []*node
	for _, d := range a.Data {
		var segments []*node
		for _, s := range d.Segments {
			if !naiveHasSegment(data, valid(d.Name), d.Segtax, valid(s)) {
				segments = append(segments, object("id", str(s)))
			}
		}
		if len(segments) > 0 && dataOK {
			entry := object("name", str(d.Name))
			if d.Segtax != 0 {
				entry.members = append(entry.members, member{"ext", object("segtax", num(d.Segtax))})
			}
			entry.members = append(entry.members, member{"segment", &node{kind: '[', list: segments}})
			newData = append(newData, entry)
		}
	}
	for _, e := range a.EIDs {
		if !eidsOK || naiveHasEID(eids, valid(e.Source), valid(string(e.ID))) || naiveHasEID(older, valid(e.Source), valid(string(e.ID))) {
			continue
		}
		entry := &node{kind: '{'}
		if e.Inserter != "" {
			entry.members = append(entry.members, member{"inserter", str(e.Inserter)})
		}
		if e.Matcher != "" {
			entry.members = append(entry.members, member{"matcher", str(e.Matcher)})
		}
		entry.members = append(entry.members, member{"source", str(e.Source)})
		if e.Method != 0 {
			entry.members = append(entry.members, member{"mm", num(e.Method)})
		}
		uid := object("id", str(string(e.ID)))
		if e.AType != 0 {
			uid.members = append(uid.members, member{"atype", num(e.AType)})
		}
		entry.members = append(entry.members, member{"uids", &node{kind: '[', list: []*node{uid}}})
		newEIDs = append(newEIDs, entry)
	}
	put("data", newData)
	put("eids", newEIDs)
	return added
}

func naiveHasSegment(data *node, name string, segtax int, id string) bool {
	return slices.ContainsFunc(data.list, func(entry *node) bool {
		there, _ := entry.last("name").scalar()
		tax, ok := 0, true
		if ext := entry.last("ext"); ext != nil {
			if t := ext.last("segtax"); t != nil && t.kind != 'n' {
				tax, ok = t.integer()
			}
		}
		list := entry.last("segment")
		return there == name && entry.kind == '{' && ok && tax == segtax && list != nil && naiveHasID(list, id)
	})
}

func naiveHasEID(eids *node, source, id string) bool {
	return slices.ContainsFunc(eids.list, func(e *node) bool {
		there, _ := e.last("source").scalar()
		uids := e.last("uids")
		return e.kind == '{' && there == source && uids != nil && naiveHasID(uids, id)
	})
}

func naiveHasID(list *node, id string) bool {
	return slices.ContainsFunc(list.list, func(e *node) bool {
		there, ok := e.last("id").scalar()
		return ok && there == id
	})
}

func object(key string, value *node) *node {
	return &node{kind: '{', members: []member{{key, value}}}
}
func str(s string) *node { return &node{kind: '"', text: valid(s)} }
func num(n int) *node    { return &node{kind: '0', text: strconv.Itoa(n)} }

// valid is what encoding/json reads s as: each byte that is not UTF-8 is U+FFFD.
func valid(s string) string { return string([]rune(s)) }

// depth is how many levels a value has.
func (n *node) depth() int {
	deepest := 0
	for _, m := range n.members {
		deepest = max(deepest, m.value.depth())
	}
	for _, e := range n.list {
		deepest = max(deepest, e.depth())
	}
	if n.kind == '{' || n.kind == '[' {
		deepest++
	}
	return deepest
}
