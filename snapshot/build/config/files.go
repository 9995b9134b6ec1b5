package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/matchd/matchd/snapshot/build/source"
)

// File is a file to read.
type File struct {
	// Name is the file's name in reports: relative to the config where the
	// config names it so.
	Name string
	// Path is what to open.
	Path string
}

// ProfileFile is a file of profiles.
type ProfileFile struct {
	File
	// Tenant is the place of the tenant in Config.Tenants.
	Tenant uint16
	Spec   *FileSpec
}

// LinkFile is a file of links.
type LinkFile struct {
	File
	Spec *LinkSpec
}

// Files finds the files that the config names, sorted by name, profiles within
// their tenant. A path that matches no file is an error. Standard input is a
// file too.
//
// A file that several specs of one tenant match, or several specs of links
// that say the same, is listed once. Two specs of one tenant that match a file
// and say different things about it are an error. Two specs of links may: the
// file is then read twice.
func (c *Config) Files() ([]ProfileFile, []LinkFile, error) {
	var profiles []ProfileFile
	for i := range c.Tenants {
		list, err := c.profileFiles(i)
		if err != nil {
			return nil, nil, err
		}
		profiles = append(profiles, list...)
	}
	links, err := c.linkFiles()
	return profiles, links, err
}

func (c *Config) profileFiles(tenant int) ([]ProfileFile, error) {
	t := &c.Tenants[tenant]
	var list []ProfileFile
	by := make(map[string]*FileSpec)
	for i := range t.Profiles {
		spec := &t.Profiles[i]
		files, err := c.expand(spec)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			other := by[f.Path]
			if other == nil {
				by[f.Path] = spec
				list = append(list, ProfileFile{File: f, Tenant: uint16(tenant), Spec: spec})
				continue
			}
			if spec.settings() != other.settings() || spec.layout(f) != other.layout(f) {
				return nil, fmt.Errorf("%s:%d: %s is also matched at line %d, with another as_of, format or other columns; let one path match it", c.name, spec.Line, f.Name, other.Line)
			}
		}
	}
	slices.SortFunc(list, func(a, b ProfileFile) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

func (c *Config) linkFiles() ([]LinkFile, error) {
	type reading struct{ path, settings string }
	var list []LinkFile
	by := make(map[reading]*LinkSpec)
	for i := range c.Links {
		spec := &c.Links[i]
		files, err := c.expand(&spec.FileSpec)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			r := reading{f.Path, spec.settings()}
			other := by[r]
			if other == nil {
				by[r] = spec
				list = append(list, LinkFile{File: f, Spec: spec})
				continue
			}
			if spec.layout(f) != other.layout(f) {
				return nil, fmt.Errorf("%s:%d: %s is also matched at line %d, with another format; let one path match it", c.name, spec.Line, f.Name, other.Line)
			}
		}
	}
	slices.SortFunc(list, func(a, b LinkFile) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Spec.settings(), b.Spec.settings()))
	})
	return list, nil
}

// layout is how a file that the spec matches is read.
func (s *FileSpec) layout(f File) source.Layout {
	l, _ := s.Layout.Of(f.Path) // expand has refused those that contradict themselves
	return l
}

// expand returns the files that spec matches, sorted; folders are left out.
func (c *Config) expand(spec *FileSpec) ([]File, error) {
	if spec.Path == source.Stdin {
		return []File{{Name: "standard input", Path: source.Stdin}}, nil
	}
	pattern := spec.Path
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(escapeGlob(c.dir), pattern)
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%s:%d: path %q: %w", c.name, spec.Line, spec.Path, err)
	}
	var files []File
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: path %q: %w", c.name, spec.Line, spec.Path, err)
		}
		if info.IsDir() {
			continue
		}
		name := path
		if !filepath.IsAbs(spec.Path) {
			if rel, err := filepath.Rel(c.dir, path); err == nil {
				name = rel
			}
		}
		files = append(files, File{Name: filepath.ToSlash(name), Path: path})
		if _, err := spec.Layout.Of(path); err != nil {
			return nil, fmt.Errorf("%s:%d: %s: %w", c.name, spec.Line, filepath.ToSlash(name), err)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s:%d: path %q matches no file in %s; paths are relative to the folder of the config", c.name, spec.Line, spec.Path, c.dir)
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	return files, nil
}

// escapeGlob makes a pattern that matches the folder itself.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}
