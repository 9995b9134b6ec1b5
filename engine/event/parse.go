package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/matchd/matchd/snapshot"
)

// field is a member of a change's JSON.
type field uint16

const (
	id field = 1 << iota
	at
	typ
	left
	right
	method
	customer
	segment
	until
	status
	purposes
	tenant
	identifier
)

var fields = map[string]field{
	"id": id, "at": at, "type": typ, "left": left, "right": right, "method": method, "customer": customer, "segment": segment,
	"until": until, "status": status, "purposes": purposes, "tenant": tenant, "identifier": identifier,
}

func (f field) String() string {
	for name, g := range fields {
		if f == g {
			return name
		}
	}
	return "?"
}

// shapes are the fields that each type must and may have beside id, type and at.
var shapes = [types]struct{ must, may field }{
	Link:          {left | right, method},
	Unlink:        {left | right, 0},
	SegmentAdd:    {customer | segment, until},
	SegmentRemove: {customer | segment, until},
	Consent:       {customer | status, until | purposes},
	OptOut:        {tenant | identifier, 0},
	OptIn:         {tenant, identifier | customer},
	Erase:         {tenant | customer, 0},
}

// Parse reads one change from a JSON object. The error says which field is
// wrong, and repeats nothing of the text.
func Parse(text []byte) (Event, error) {
	var e Event
	if len(text) > MaxBytes {
		return e, fmt.Errorf("it is longer than %d bytes", MaxBytes)
	}
	if !utf8.Valid(text) {
		return e, errors.New("it is not UTF-8")
	}
	p := parser{d: json.NewDecoder(bytes.NewReader(text)), event: &e}
	if err := p.object(); err != nil {
		return Event{}, err
	}
	if err := p.shape(); err != nil {
		return Event{}, err
	}
	return e, nil
}

type parser struct {
	d     *json.Decoder
	event *Event
	seen  field
}

var errJSON = errors.New("it is not one JSON object")

func (p *parser) object() error {
	if t, err := p.d.Token(); err != nil || t != json.Delim('{') {
		return errJSON
	}
	for p.d.More() {
		key, err := p.d.Token()
		if err != nil {
			return errJSON
		}
		f, ok := fields[key.(string)]
		switch {
		case !ok:
			return errors.New("it has a field that changes do not have")
		case p.seen&f != 0:
			return fmt.Errorf("%s is there twice", f)
		}
		p.seen |= f
		if err := p.value(f); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	if _, err := p.d.Token(); err != nil {
		return errJSON
	}
	if _, err := p.d.Token(); err != io.EOF {
		return errJSON
	}
	return nil
}

func (p *parser) value(f field) error {
	if f == purposes {
		return p.purposes()
	}
	s, err := p.text()
	if err != nil {
		return err
	}
	e := p.event
	switch f {
	case id:
		e.ID = s
		return validID(s)
	case at:
		e.At, err = parseTime(s)
		return err
	case until:
		e.Until, err = parseTime(s)
		return err
	case typ:
		for t := Link; t < types; t++ {
			if typeNames[t] == s {
				e.Type = t
				return nil
			}
		}
		return errors.New("there is no such type")
	case left:
		e.Left = s
	case right:
		e.Right = s
	case method:
		e.Method, err = snapshot.ParseMethod(s)
		if err != nil {
			return errors.New("it is none of authenticated, observed, cookie_sync and inferred")
		}
	case customer:
		e.Customer = s
		if before, after, ok := strings.Cut(s, ":"); !ok || before == "" || after == "" {
			return errors.New("write tenant:customer_id")
		}
	case segment:
		e.Segment = s
		if s != "" && !snapshot.IsSegmentCode(s) {
			return errors.New("no segment can have this code")
		}
		return present(s)
	case status:
		if e.Granted = s == "granted"; !e.Granted && s != "withdrawn" {
			return errors.New("it is neither granted nor withdrawn")
		}
	case tenant:
		e.Tenant = s
		return present(s)
	case identifier:
		e.Identifier = s
	}
	return nil
}

func present(s string) error {
	if s == "" {
		return errors.New("it is empty")
	}
	return nil
}

// parseTime reads a time, and refuses what systems write that had none.
func parseTime(s string) (time.Time, error) {
	t, err := snapshot.ParseTime(s)
	if err == nil && t.Unix() <= 0 {
		err = errors.New("it is 1970-01-01T00:00:00Z or earlier")
	}
	return t, err
}

func validID(s string) error {
	if s == "" || len(s) > MaxID {
		return fmt.Errorf("it is not 1 to %d bytes long", MaxID)
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return errors.New("it has a byte that is not printable ASCII")
		}
	}
	return nil
}

func (p *parser) text() (string, error) {
	t, err := p.d.Token()
	if err != nil {
		return "", errJSON
	}
	s, ok := t.(string)
	if !ok {
		return "", errors.New("it is not a string")
	}
	// Package json puts this in place of what is no character, such as half of a
	// surrogate pair: two texts that differ must not become one.
	if strings.ContainsRune(s, utf8.RuneError) {
		return "", errors.New("it has a character that is not Unicode")
	}
	return s, nil
}

func (p *parser) purposes() error {
	if t, err := p.d.Token(); err != nil || t != json.Delim('[') {
		return errors.New("it is not a list")
	}
	for p.d.More() {
		s, err := p.text()
		if err != nil {
			return err
		}
		one, err := snapshot.ParsePurpose(s)
		if err != nil {
			return errors.New("there is one that is neither use nor share")
		}
		p.event.Purposes |= one
	}
	if _, err := p.d.Token(); err != nil {
		return errJSON
	}
	if p.event.Purposes == 0 {
		return errors.New("it is empty")
	}
	return nil
}

// shape checks that the change has the fields of its type, and fills in what it
// need not say.
func (p *parser) shape() error {
	e := p.event
	if p.seen&id == 0 {
		return errors.New("id is missing")
	}
	if p.seen&typ == 0 {
		return errors.New("type is missing")
	}
	s := shapes[e.Type]
	for f := left; f <= identifier; f <<= 1 {
		switch {
		case s.must&f != 0 && p.seen&f == 0:
			return fmt.Errorf("%s is missing: %s has one", f, e.Type)
		case (s.must|s.may)&f == 0 && p.seen&f != 0:
			return fmt.Errorf("%s is there: %s has none", f, e.Type)
		}
	}
	switch e.Type {
	case OptIn:
		if got := p.seen & (identifier | customer); got != identifier && got != customer {
			return errors.New("opt_in has either an identifier or a customer")
		}
	case Consent:
		switch {
		case !e.Granted && p.seen&(until|purposes) != 0:
			return errors.New("until and purposes are of what is granted")
		case e.Granted && e.Purposes == 0:
			e.Purposes = snapshot.Use
		}
	}
	if !e.Until.IsZero() && e.Until.Before(e.At) {
		return errors.New("until is before at")
	}
	return p.tenants()
}

// tenants checks that a customer is one of the tenant that is named.
func (p *parser) tenants() error {
	e := p.event
	if p.seen&tenant != 0 && p.seen&customer != 0 {
		if of, _, _ := strings.Cut(e.Customer, ":"); e.Tenant != of && e.Tenant != All {
			return errors.New("the customer is another tenant's")
		}
	}
	return nil
}
