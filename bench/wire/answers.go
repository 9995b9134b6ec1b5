package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// answer is what the JSON of a match says, but for the snapshot's name.
type answer struct {
	Person   [16]byte
	Kind     snapshot.Kind
	Customer []byte
	Segments []uint32 // ascending
	Method   snapshot.Method
	Seen     snapshot.Day
	Expires  int64 // Unix seconds; 0 is never
}

// append appends the encoding that the stores hold: the person, a byte of kind
// and method, and as unsigned varints the day, the end of consent, how many
// segments there are and the step from each to the next. The customer is the
// rest.
func (a *answer) append(dst []byte) []byte {
	dst = append(dst, a.Person[:]...)
	dst = append(dst, byte(a.Kind)<<4|byte(a.Method))
	dst = binary.AppendUvarint(dst, uint64(a.Seen))
	dst = binary.AppendUvarint(dst, uint64(a.Expires))
	dst = binary.AppendUvarint(dst, uint64(len(a.Segments)))
	last := uint32(0)
	for _, s := range a.Segments {
		dst = binary.AppendUvarint(dst, uint64(s-last))
		last = s
	}
	return append(dst, a.Customer...)
}

// client is who asks matchd, and may see all.
var client = engine.Client{Name: "bench", Grants: []engine.Grant{{
	Tenant: world.Tenant, Segments: []string{engine.All}, Namespaces: []string{engine.All}, Customers: true,
}}}

// answers finds what servers are to answer, by an engine in this process.
type answers struct {
	engine  *engine.Engine
	session engine.Session
	batch   engine.Batch
}

func openAnswers(store *snapshot.Store) (*answers, error) {
	e, err := engine.New(engine.Options{Store: store})
	if err != nil {
		return nil, err
	}
	a := &answers{engine: e}
	if err = e.SetClients([]engine.Client{client}); err == nil {
		_, err = e.Reload()
	}
	if err == nil {
		a.session, err = e.Begin(client.Name)
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return a, nil
}

func (a *answers) close() error {
	a.session.End()
	return a.engine.Close()
}

// each calls f with the encoded answer to each identifier, nil where there is
// none. The value is good until the next call.
func (a *answers) each(ids [][]byte, f func(i int, value []byte) error) error {
	if err := a.session.Match(&a.batch, ids); err != nil {
		return err
	}
	var value []byte
	for i := range a.batch.Answers {
		var err error
		if value, err = a.encode(value[:0], &a.batch.Answers[i]); err != nil {
			return err
		}
		v := value
		if len(v) == 0 {
			v = nil
		}
		if err := f(i, v); err != nil {
			return err
		}
	}
	return nil
}

func (a *answers) encode(dst []byte, m *engine.Answer) ([]byte, error) {
	switch {
	case m.Matched():
	case m.Reason == engine.Unknown:
		return dst, nil
	default: // the data is made for a time that the clock may have left
		return dst, fmt.Errorf("wire: the answer is %s: the data is of %s, is the clock right?", m.Reason, a.engine.Info().Snapshot)
	}
	profiles := a.batch.Profiles(m)
	if len(profiles) != 1 {
		return dst, fmt.Errorf("wire: an answer has %d profiles: the stores hold one", len(profiles))
	}
	p := &profiles[0]
	x := answer{
		Person: a.session.Person(m), Kind: p.Kind, Customer: a.batch.Customer(p), Segments: a.batch.Segments(p),
		Method: p.Strength.Method, Seen: p.Strength.Seen, Expires: p.Expires,
	}
	return x.append(dst), nil
}
