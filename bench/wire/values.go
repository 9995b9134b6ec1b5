package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/matchd/matchd/snapshot"
)

// values returns the encoded answers in a server's whole answer, in order,
// without those to whom there is none.
func (k kind) values(reply []byte, segments map[string]uint32) ([][]byte, error) {
	switch k {
	case httpGet, httpPost:
		_, body, _ := bytes.Cut(reply, []byte("\r\n\r\n"))
		return jsonValues(body, segments)
	case redisGet, redisMGet:
		return redisValues(reply)
	default:
		return memcachedValues(reply)
	}
}

// jsonMatch is the part of matchd's answer that the stores hold too.
type jsonMatch struct {
	Status   string
	Person   string
	Profiles []struct {
		Customer, Kind, Method, Seen string
		Segments                     []string
		Expires                      time.Time `json:"expires_at"`
	}
	Results []jsonMatch
}

func jsonValues(body []byte, segments map[string]uint32) (values [][]byte, err error) {
	var m jsonMatch
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, errors.New("the answer is no JSON")
	}
	if m.Results == nil {
		m.Results = []jsonMatch{m}
	}
	for i := range m.Results {
		one := &m.Results[i]
		if one.Status == "none" {
			continue
		}
		v, err := one.value(segments)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (m *jsonMatch) value(segments map[string]uint32) ([]byte, error) {
	if m.Status != "matched" || len(m.Profiles) != 1 {
		return nil, fmt.Errorf("the answer has the status %q and %d profiles", m.Status, len(m.Profiles))
	}
	p := &m.Profiles[0]
	person, err := hex.DecodeString(m.Person)
	if err != nil || len(person) != 16 {
		return nil, errors.New("the person is not 32 digits")
	}
	a := answer{Person: [16]byte(person), Customer: []byte(p.Customer)}
	if !p.Expires.IsZero() {
		a.Expires = p.Expires.Unix()
	}
	seen, err := time.Parse(time.DateOnly, p.Seen)
	if err != nil {
		return nil, errors.New("the day is none")
	}
	a.Seen, _ = snapshot.DayOf(seen)
	var kindErr, methodErr error
	a.Kind, kindErr = snapshot.ParseKind(p.Kind)
	a.Method, methodErr = snapshot.ParseMethod(p.Method)
	for _, code := range p.Segments {
		n, ok := segments[code]
		if !ok {
			return nil, fmt.Errorf("there is no segment %q", code)
		}
		a.Segments = append(a.Segments, n)
	}
	return a.append(nil), errors.Join(kindErr, methodErr)
}

var errReply = errors.New("the answer has another form")

// redisValues reads bulk strings, or an array of them.
func redisValues(b []byte) (values [][]byte, err error) {
	if len(b) > 0 && b[0] == '*' {
		_, b, _ = bytes.Cut(b, []byte("\r\n"))
	}
	for len(b) > 0 {
		line, rest, ok := bytes.Cut(b, []byte("\r\n"))
		if !ok || len(line) < 2 || line[0] != '$' {
			return nil, errReply
		}
		n, err := strconv.Atoi(string(line[1:]))
		switch {
		case err != nil || n < -1 || n+2 > len(rest) && n >= 0:
			return nil, errReply
		case n < 0: // nil
			b = rest
		default:
			values, b = append(values, rest[:n]), rest[n+2:]
		}
	}
	return values, nil
}

// memcachedValues reads what get answers: values, and END.
func memcachedValues(b []byte) (values [][]byte, err error) {
	for {
		line, rest, ok := bytes.Cut(b, []byte("\r\n"))
		if ok && string(line) == "END" {
			return values, nil
		}
		fields := bytes.Fields(line)
		if len(fields) != 4 {
			return nil, errReply
		}
		n, err := strconv.Atoi(string(fields[3]))
		if err != nil || n < 0 || n+2 > len(rest) {
			return nil, errReply
		}
		values, b = append(values, rest[:n]), rest[n+2:]
	}
}
