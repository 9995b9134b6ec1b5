package quality

import (
	"context"
	"fmt"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
)

// Options of a measurement. Config, Truth and Snapshot are required.
type Options struct {
	// Config is the one that the snapshot was built from.
	Config *config.Config
	// Truth is the path of the truth.
	Truth string
	// Snapshot is measured; the caller closes it.
	Snapshot *snapshot.Snapshot
	// Worst is how many of the worst persons are listed of each kind.
	Worst int
}

// Measure compares the persons of a snapshot with the truth.
func Measure(ctx context.Context, o Options) (*Report, error) {
	in, err := open(&o)
	if err != nil {
		return nil, err
	}
	if err := in.read(ctx); err != nil {
		return nil, err
	}
	return newGraph(in).measure(ctx, &o)
}

// open reads the truth and makes ready to read the input.
func open(o *Options) (*input, error) {
	ns, err := o.Config.NamespaceTable()
	if err != nil {
		return nil, err
	}
	if err := sameNamespaces(ns, o.Snapshot); err != nil {
		return nil, err
	}
	known, err := readTruth(o.Truth, ns)
	if err != nil {
		return nil, err
	}
	return newInput(o.Config, known, &o.Snapshot.Meta)
}

// sameNamespaces refuses a snapshot that another config was built to: its
// identifiers would be unknown, and not wrong.
func sameNamespaces(ns *index.Namespaces, s *snapshot.Snapshot) error {
	for _, n := range s.Namespaces.All() {
		if id, ok := ns.ByName(n.Name); !ok || ns.At(id) != n {
			return fmt.Errorf("snapshot %s: namespace %s is not as in the config; give the config that it was built from", s.Name(), n.Name)
		}
	}
	return nil
}

// measure fills the report.
func (g *graph) measure(ctx context.Context, o *Options) (*Report, error) {
	s, r := o.Snapshot, &Report{}
	r.Snapshot, r.AsOf, r.Input = s.Name(), s.AsOf, g.counts
	r.Truth.Persons = int64(len(g.names))
	for i := range uint32(len(g.keys)) {
		switch {
		case g.unshared(i):
			r.Truth.Unshared++
		case g.shared(i):
			r.Truth.Shared++
		}
	}
	p := newPrecision(g, r, g.ns)
	if err := g.scan(ctx, s, p.take); err != nil {
		return nil, fmt.Errorf("read snapshot %s: %w", s.Name(), err)
	}
	q := newRecall(g, r, o.Config.KeepAnonymous, g.ns)
	q.run()
	r.Unshared.rate()
	r.Shared.rate()
	r.Namespaces = byNamespaces(g.ns, q.missed, q.absent, p.wrong)
	r.Mixed, r.Torn = g.worstMixed(p.mixed, o.Worst), g.worstTorn(q.torn, o.Worst)
	return r, nil
}
