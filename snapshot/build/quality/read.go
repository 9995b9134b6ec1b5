package quality

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/normalise"
	"github.com/matchd/matchd/snapshot/build/source"
)

// input reads the files of a config as the build of a snapshot did.
type input struct {
	cfg   *config.Config
	norm  *normalise.Normaliser
	empty rows // what each reader starts from

	mu  sync.Mutex
	all []*rows // of every reader
	bad atomic.Int64
}

func newInput(cfg *config.Config, known *ids, m *snapshot.Meta) (*input, error) {
	norm, err := normalise.New(cfg, known.ns, m.AsOf)
	if err != nil {
		return nil, err
	}
	in := &input{cfg: cfg, norm: norm, empty: rows{known: known, oldest: snapshot.OldestFresh(m.AsOf, m.LinkMaxAge)}}
	for _, n := range known.ns.All() {
		in.empty.tracer = append(in.empty.tracer, n.Tracer())
	}
	var ok bool
	if in.empty.postal, ok = known.ns.ByName(index.PostalHash); !ok {
		return nil, fmt.Errorf("namespace %s is not in the table", index.PostalHash)
	}
	return in, nil
}

// reader returns what one more goroutine gathers into.
func (in *input) reader() *rows {
	r := in.empty
	r.numbers = map[string]uint32{}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.all = append(in.all, &r)
	return &r
}

// read reads all files, one after the other, each on all cores.
func (in *input) read(ctx context.Context) error {
	profiles, links, err := in.cfg.Files()
	if err != nil {
		return err
	}
	for _, f := range profiles {
		if err := in.readProfiles(ctx, f); err != nil {
			return err
		}
	}
	for _, f := range links {
		if err := in.readLinks(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (in *input) readProfiles(ctx context.Context, f config.ProfileFile) error {
	return source.ReadProfiles(ctx, f.Path, in.options(f.File, f.Spec), func() func(*source.ProfileRow) error {
		r, p := in.reader(), new(normalise.Profile)
		norm, err := in.norm.Profiles(f.Tenant, f.Spec)
		return func(row *source.ProfileRow) error {
			switch {
			case err != nil:
				return err
			case norm.Normalise(row, p) != nil:
				in.bad.Add(1)
			default:
				r.profile(p)
			}
			return nil
		}
	})
}

func (in *input) readLinks(ctx context.Context, f config.LinkFile) error {
	return source.ReadLinks(ctx, f.Path, in.options(f.File, &f.Spec.FileSpec), func() func(*source.LinkRow) error {
		r, l := in.reader(), new(normalise.Link)
		norm, err := in.norm.Links(f.Spec)
		return func(row *source.LinkRow) error {
			switch {
			case err != nil:
				return err
			case norm.Normalise(row, l) != nil:
				in.bad.Add(1)
			default:
				r.link(l)
			}
			return nil
		}
	})
}

func (in *input) options(f config.File, spec *config.FileSpec) source.Options {
	return source.Options{
		File: f.Name, Layout: spec.Layout, Columns: spec.Columns, Workers: runtime.GOMAXPROCS(0),
		Bad: func(source.BadRow) { in.bad.Add(1) },
	}
}
