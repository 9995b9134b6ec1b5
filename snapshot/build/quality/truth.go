package quality

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/matchd/matchd/index"
)

// The columns of the truth.
const (
	columnIdentifier = "identifier"
	columnPersons    = "persons"
)

// readTruth reads the file of the truth. Its errors name lines, and no value.
func readTruth(path string, ns *index.Namespaces) (t *ids, err error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the truth: %w", err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	t = newIDs(ns)
	if err := t.read(bufio.NewReaderSize(in, 1<<18)); err != nil {
		return nil, fmt.Errorf("read the truth: %s: %w", path, err)
	}
	return t, nil
}

func (t *ids) read(in io.Reader) error {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	header, err := r.Read()
	if err == io.EOF {
		return errors.New("the file is empty; it needs a header row")
	}
	if err != nil {
		return err
	}
	identifier, persons := slices.Index(header, columnIdentifier), slices.Index(header, columnPersons)
	if identifier < 0 || persons < 0 {
		return fmt.Errorf("line 1: the header needs the columns %s and %s", columnIdentifier, columnPersons)
	}
	row := truthRow{ids: t, byName: map[string]uint32{}}
	for {
		record, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = row.take(record[identifier], record[persons])
		}
		if err != nil {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// truthRow reads rows of the truth, one after the other.
type truthRow struct {
	*ids
	byName  map[string]uint32
	scratch []byte
	persons []uint32
}

func (r *truthRow) take(identifier, persons string) error {
	key, space, err := r.ns.AppendKey(nil, append(r.scratch[:0], identifier...))
	if err != nil {
		return fmt.Errorf("column %s: %w", columnIdentifier, err)
	}
	if _, ok := r.numbers[string(key)]; ok {
		return fmt.Errorf("column %s: it is given twice; keep one row, with all its persons", columnIdentifier)
	}
	r.persons = r.persons[:0]
	for name := range strings.SplitSeq(persons, "|") {
		if name == "" {
			return fmt.Errorf("column %s: a name is empty; leave the row out where nobody is known", columnPersons)
		}
		r.persons = append(r.persons, r.person(name))
	}
	r.add(string(key), space, r.persons)
	return nil
}

// person numbers a person by its name.
func (r *truthRow) person(name string) uint32 {
	p, ok := r.byName[name]
	if !ok {
		p = uint32(len(r.names))
		name = strings.Clone(name)
		r.byName[name] = p
		r.names = append(r.names, name)
	}
	return p
}
