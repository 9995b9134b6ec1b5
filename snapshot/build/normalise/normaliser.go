package normalise

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
)

// A Normaliser holds what all files of a build share.
type Normaliser struct {
	cfg     *config.Config
	ns      *index.Namespaces
	sources []snapshot.Source
	asOf    time.Time

	email, phone, postal index.NamespaceID
	values               *Values
	gmail                bool // the rules for gmail.com
}

// New makes the normaliser of a build that is of the time asOf. The table is
// cfg's, from [config.Config.NamespaceTable].
func New(cfg *config.Config, ns *index.Namespaces, asOf time.Time) (*Normaliser, error) {
	n := &Normaliser{
		cfg: cfg, ns: ns, sources: cfg.Sources(), asOf: asOf,
		values: NewValues(ns), gmail: cfg.Normalise.Email == EmailUID2,
	}
	if _, ok := snapshot.DayOf(asOf); !ok {
		return nil, fmt.Errorf("as_of %s is not between 1970 and %v", asOf.Format(time.RFC3339), snapshot.MaxDay)
	}
	if err := checkBidStreams(cfg.Tenants); err != nil {
		return nil, err
	}
	for name, id := range map[string]*index.NamespaceID{
		index.EmailSHA256: &n.email, index.PhoneSHA256: &n.phone, index.PostalHash: &n.postal,
	} {
		var ok bool
		if *id, ok = ns.ByName(name); !ok {
			return nil, fmt.Errorf("namespace %s is not in the table", name)
		}
	}
	return n, nil
}

// Normalised returns by which profiles of rules keys are made, by namespace, for
// the manifest. A namespace for which none is made is not in it.
func (n *Normaliser) Normalised() map[string]string {
	use := n.cfg.Normalise
	m := map[string]string{index.EmailSHA256: use.Email, index.PhoneSHA256: use.Phone}
	if use.Postal != config.PostalNone {
		m[index.PostalHash] = use.Postal
	}
	return m
}

// An Identifier is the key of an identifier and the namespace that it is of.
type Identifier struct {
	Namespace index.NamespaceID
	// Key is the canonical key; see [index.Namespaces.AppendKey].
	Key []byte
}

// fileDay returns the day that the files of spec are of.
func (n *Normaliser) fileDay(spec *config.FileSpec) (snapshot.Day, error) {
	asOf := spec.AsOf
	if asOf.IsZero() {
		asOf = n.asOf
	}
	if asOf.After(n.asOf) {
		return 0, fmt.Errorf("path %q (line %d of the config): as_of %s is after that of the build, %s; correct one of them",
			spec.Path, spec.Line, asOf.Format(time.RFC3339), n.asOf.Format(time.RFC3339))
	}
	day, ok := snapshot.DayOf(asOf)
	if !ok {
		return 0, fmt.Errorf("path %q (line %d of the config): as_of %s is before 1970", spec.Path, spec.Line, asOf.Format(time.RFC3339))
	}
	return day, nil
}

// Reasons about times.
var (
	errFuture = errors.New("is after the build's as_of")
	errEpoch  = errors.New("is 1970-01-01T00:00:00Z or earlier")
)

// pastTime reads a time that must not be after the build's as_of.
func (n *Normaliser) pastTime(s string) (time.Time, error) {
	t, err := rowTime(s)
	if err == nil && t.After(n.asOf) {
		err = errFuture
	}
	return t, err
}

// rowTime reads a time of a row. Zero and what is before is refused: it is
// what systems write that had no time, and would read as one long ago or, as
// the zero of [snapshot.ConsentState], as none.
func rowTime(s string) (time.Time, error) {
	t, err := snapshot.ParseTime(s)
	if err == nil && t.Unix() <= 0 {
		err = errEpoch
	}
	return t, err
}

// inColumn names the column that a reason is about.
func inColumn(name string, err error) error { return fmt.Errorf("column %s: %w", name, err) }

// appendHash appends the key of a hash in namespace id.
func (n *Normaliser) appendHash(dst []byte, id index.NamespaceID, hash [sha256.Size]byte) []byte {
	return n.ns.AppendKeyOf(dst, id, hash[:])
}
