package normalise

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/source"
)

var (
	errMethod = errors.New("column method: none of authenticated, observed, cookie_sync, inferred")
	errSelf   = errors.New("columns left and right: the same identifier")
)

// A Link is a normalised row of a link file. The next row overwrites its keys.
type Link struct {
	Left, Right Identifier
	Method      snapshot.Method
	// Source is the place of the link's source in config.Config.Sources.
	Source uint16
	// Seen is the day on which the link was observed, At the time in Unix
	// nanoseconds: that of the file where the row has none.
	Seen snapshot.Day
	At   int64

	keys []byte // what the keys of Left and Right are parts of
}

// Links normalises the rows of the files of one spec.
type Links struct {
	n       *Normaliser
	source  uint16
	method  snapshot.Method
	seen    snapshot.Day
	at      int64 // of the file, in Unix nanoseconds
	scratch []byte
}

// Links returns a normaliser of a file for one goroutine. It is an error where
// the file is of a later time than the build.
func (n *Normaliser) Links(spec *config.LinkSpec) (*Links, error) {
	seen, err := n.fileDay(&spec.FileSpec)
	if err != nil {
		return nil, err
	}
	id, ok := config.SourceID(n.sources, spec.Source)
	if !ok {
		return nil, fmt.Errorf("source %q (%v) is not in the config", spec.Source.Name, spec.Source.Party)
	}
	asOf := spec.AsOf
	if asOf.IsZero() {
		asOf = n.asOf
	}
	return &Links{n: n, source: id, method: spec.Method, seen: seen, at: asOf.UnixNano()}, nil
}

// Normalise fills out from row. An error says why the row is a bad one; it
// names the column, holds no value, and leaves out undefined.
func (l *Links) Normalise(row *source.LinkRow, out *Link) error {
	out.Method, out.Source, out.Seen, out.At, out.keys = l.method, l.source, l.seen, l.at, out.keys[:0]
	err := l.identifier(out, &out.Left, row.Left)
	if err != nil {
		return inColumn("left", err)
	}
	if err = l.identifier(out, &out.Right, row.Right); err != nil {
		return inColumn("right", err)
	}
	if bytes.Equal(out.Left.Key, out.Right.Key) {
		return errSelf
	}
	if row.Method != "" {
		if out.Method, err = snapshot.ParseMethod(row.Method); err != nil {
			return errMethod
		}
	}
	if row.ObservedAt != "" {
		at, err := l.n.pastTime(row.ObservedAt)
		if err != nil {
			return inColumn("observed_at", err)
		}
		out.Seen, _ = snapshot.DayOf(at) // it is not after the build's, which has a day
		out.At = at.UnixNano()
	}
	return nil
}

// identifier parses text into id, whose key it puts behind the keys of out.
func (l *Links) identifier(out *Link, id *Identifier, text string) error {
	l.scratch = append(l.scratch[:0], text...)
	start := len(out.keys)
	keys, namespace, err := l.n.ns.AppendKey(out.keys, l.scratch)
	if err != nil {
		return err
	}
	out.keys = keys
	id.Namespace, id.Key = namespace, keys[start:len(keys):len(keys)]
	return l.n.values.CheckKey(namespace, id.Key)
}
