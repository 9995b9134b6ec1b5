package buildbench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Build is what one build took and gave.
type Build struct {
	Usage
	// Bytes are those of the snapshot.
	Bytes int64 `json:"snapshot_bytes"`
	// Spilled are those that went through temporary files.
	Spilled     int64   `json:"spilled_bytes"`
	Identifiers int64   `json:"identifiers"`
	Persons     int64   `json:"persons"`
	Stages      []Stage `json:"stages"` // the longest first
}

// Stage is a part of a build.
type Stage struct {
	Name string        `json:"name"`
	Took time.Duration `json:"took_ns"`
}

// report is what is used of the report of matchd build.
type report struct {
	Bytes   int64
	Spilled int64 `json:"spilled_bytes"`
	Read    struct {
		ProfileRows int64            `json:"profile_rows"`
		LinkRows    int64            `json:"link_rows"`
		BadRows     int64            `json:"bad_rows"`
		BadFields   map[string]int64 `json:"bad_fields"`
	}
	Counts struct{ Identifiers, Persons int64 }
	Stages map[string]string
}

// build builds the input in dir into a new store below work, which is then
// removed. It is an error where the build did not read all of it.
func (c Config) build(ctx context.Context, d Data, dir, work string) (b Build, err error) {
	below, err := os.MkdirTemp(work, "build-")
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(below)) }()
	tmp := filepath.Join(below, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return b, err
	}
	usage, out, err := runProcess(ctx, nil, c.Matchd, "build", "--config", filepath.Join(dir, ConfigFile),
		"--store", filepath.Join(below, "store"), "--as-of", AsOf, "--memory", c.Memory, "--tmp", tmp, "--json")
	if err != nil {
		return b, err
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		return b, fmt.Errorf("the report of the build: %w", err)
	}
	if err := r.check(d); err != nil {
		return b, err
	}
	b = Build{Usage: usage, Bytes: r.Bytes, Spilled: r.Spilled, Identifiers: r.Counts.Identifiers, Persons: r.Counts.Persons}
	b.Stages, err = stages(r.Stages)
	return b, err
}

// check refuses a build that was quick because it left rows out.
func (r *report) check(d Data) error {
	in := &r.Read
	if in.ProfileRows != int64(d.Customers) || in.LinkRows != int64(d.Links) || in.BadRows != 0 || len(in.BadFields) != 0 {
		return fmt.Errorf("the build read %d customers and %d links of %d and %d, %d bad rows, and bad fields %v",
			in.ProfileRows, in.LinkRows, d.Customers, d.Links, in.BadRows, in.BadFields)
	}
	if r.Counts.Identifiers == 0 || r.Counts.Persons == 0 || r.Bytes == 0 {
		return errors.New("the report of the build counts nothing")
	}
	return nil
}

// stages reads the times of the stages.
func stages(texts map[string]string) ([]Stage, error) {
	var list []Stage
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		took, err := time.ParseDuration(texts[name])
		if err != nil {
			return nil, fmt.Errorf("the report of the build: stage %s: %w", name, err)
		}
		list = append(list, Stage{name, took})
	}
	slices.SortStableFunc(list, func(a, b Stage) int { return cmp.Compare(b.Took, a.Took) })
	return list, nil
}
