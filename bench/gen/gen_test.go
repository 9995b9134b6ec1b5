package gen

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func TestSameConfigSameBytes(t *testing.T) {
	files := func(change func(*Config)) map[string]string {
		return readFolder(t, generate(t, func(c *Config) {
			c.Customers, c.Tenants = 300, 2
			change(c)
		}).dir)
	}
	want := files(func(*Config) {})
	if !maps.Equal(want, files(func(*Config) {})) {
		t.Error("two runs of one config differ")
	}
	if !maps.Equal(want, files(func(c *Config) { c.AsOf = c.AsOf.In(time.FixedZone("", 3600)) })) {
		t.Error("the zone of AsOf changes the files")
	}
	if other := files(func(c *Config) { c.Seed++ }); other["truth.csv"] == want["truth.csv"] {
		t.Error("another seed gives the same world")
	}
}

func TestNothingOutsideOut(t *testing.T) {
	w := generate(t, func(c *Config) { c.Customers, c.Tenants = 50, 2 })
	siblings, err := os.ReadDir(filepath.Dir(w.dir))
	if err != nil || len(siblings) != 1 {
		t.Errorf("beside Out there is %v, %v", siblings, err)
	}
	got := slices.Sorted(maps.Keys(readFolder(t, w.dir)))
	want := []string{
		"crm/acme-1.csv", "crm/acme-2.csv", "crm/acme-3.csv", "crm/borealis-1.csv", "crm/borealis-2.csv",
		"crm/borealis-3.csv", "onboard.yaml", "partners/app-network.csv", "partners/cookie-sync.csv",
		"partners/device-graph.csv", "partners/publisher-a.csv", "site/logins-borealis.csv", "site/logins.csv",
		"truth.csv",
	}
	if !slices.Equal(got, want) {
		t.Errorf("files are %v", got)
	}
}

func TestOnboardNamesEveryFile(t *testing.T) {
	w := generate(t, func(c *Config) { c.Customers, c.Tenants = 50, 2 })
	text, err := os.ReadFile(filepath.Join(w.dir, "onboard.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type entry struct{ Path, Source, Party string }
	var onboard struct {
		Version    int
		Region     string `yaml:"default_region"`
		Namespaces []string
		Tenants    []struct {
			Name, Domain string
			Basis        string `yaml:"legal_basis"`
			BidStream    struct {
				Segtax   int
				Segments map[string]string
			} `yaml:"bid_stream"`
			Profiles []entry
		}
		Links []entry
	}
	if err := yaml.Unmarshal(text, &onboard); err != nil {
		t.Fatal(err)
	}
	if onboard.Version != 1 || onboard.Region != "FR" || len(onboard.Tenants) != 2 {
		t.Errorf("onboard.yaml is %+v", onboard)
	}
	var got, want []string
	for _, tenant := range onboard.Tenants {
		if tenant.Basis != "consent" || tenant.Domain != tenant.Name+".example" {
			t.Errorf("tenant %+v", tenant)
		}
		checkBidStream(t, w, tenant.Name, tenant.BidStream.Segtax, tenant.BidStream.Segments)
		for _, p := range tenant.Profiles {
			got = append(got, p.Path)
		}
	}
	for _, l := range onboard.Links {
		if first := strings.HasPrefix(l.Path, "site/"); l.Source == "" || first != (l.Party == "first") {
			t.Errorf("link file %+v", l)
		}
		got = append(got, l.Path)
	}
	for _, f := range w.sum.Files {
		want = append(want, f.Path)
	}
	if !slices.Equal(got, want) {
		t.Errorf("onboard.yaml names %v, want %v", got, want)
	}
	for id := range w.truth {
		if namespace, _, _ := strings.Cut(id, ":"); strings.HasPrefix(namespace, "cookie.") &&
			!slices.Contains(onboard.Namespaces, namespace) {
			t.Fatalf("onboard.yaml does not declare %s", namespace)
		}
	}
}

// checkBidStream checks that tenant declares some of its segments, each by an id that no other has, and keeps some back.
func checkBidStream(t *testing.T, w world, tenant string, segtax int, segments map[string]string) {
	t.Helper()
	ids := slices.Sorted(maps.Values(segments))
	if segtax < 500 || len(ids) == 0 || len(slices.Compact(ids)) != len(segments) {
		t.Errorf("tenant %s declares %v in taxonomy %d", tenant, segments, segtax)
	}
	declared, kept := 0, 0
	for _, r := range w.crm {
		for code := range strings.SplitSeq(r.fields["segments"], "|") {
			switch {
			case r.tenant != tenant || code == "":
			case segments[code] == "":
				kept++
			default:
				declared++
			}
		}
	}
	if declared == 0 || kept == 0 {
		t.Errorf("tenant %s has %d segments of profiles that are declared, and %d that are not", tenant, declared, kept)
	}
}

func TestFolderInUseIsRefused(t *testing.T) {
	c := DefaultConfig()
	c.Out, c.Customers = t.TempDir(), 5
	keep := filepath.Join(c.Out, "keep.txt")
	if err := os.WriteFile(keep, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Run(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "not empty") || !strings.Contains(err.Error(), c.Out) {
		t.Errorf("error is %v", err)
	}
	if files := readFolder(t, c.Out); len(files) != 1 || files["keep.txt"] != "mine" {
		t.Errorf("folder is now %v", files)
	}
}

func TestCancelledRunIsNotBuildable(t *testing.T) {
	c := DefaultConfig()
	c.Out, c.Customers = filepath.Join(t.TempDir(), "out"), 5
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(filepath.Join(c.Out, "onboard.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("onboard.yaml: %v", err)
	}
}

func TestValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"out":             func(c *Config) { c.Out = "" },
		"customers":       func(c *Config) { c.Customers = 0 },
		"tenants":         func(c *Config) { c.Tenants = 0 },
		"as of":           func(c *Config) { c.AsOf = time.Time{} },
		"phone share":     func(c *Config) { c.PhoneShare = 1.1 },
		"no email":        func(c *Config) { c.NoEmail = c.PhoneShare + 0.01 },
		"no consent":      func(c *Config) { c.NoConsent = 0.97 },
		"own reach":       func(c *Config) { c.OwnReach = 0.3 },
		"shared device":   func(c *Config) { c.SharedDevice = 0.9 },
		"false links":     func(c *Config) { c.FalseLinks = -0.1 },
		"expired consent": func(c *Config) { c.ExpiredConsent = math.NaN() },
	} {
		c := DefaultConfig()
		c.Out, c.Customers = "out", 1
		if err := c.Validate(); err != nil {
			t.Fatalf("the default is refused: %v", err)
		}
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), name+":") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

// Extremes draw from every branch, down to worlds in which nothing is seen.
func TestExtremes(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"one customer":    func(c *Config) { c.Customers = 1 },
		"nobody seen":     func(c *Config) { c.OwnReach, c.PartnerReach, c.Outsiders, c.Churn = 0, 0, 0, 0 },
		"everybody seen":  func(c *Config) { c.OwnReach, c.PartnerReach, c.Churn, c.Tenants = 1, 1, 1, 8 },
		"no phones":       func(c *Config) { c.PhoneShare, c.NoEmail = 0, 0 },
		"phones only":     func(c *Config) { c.PhoneShare, c.NoEmail = 1, 1 },
		"all is shared":   func(c *Config) { c.SharedDevice, c.SharedInbox = severalPeople, severalPeople },
		"half is wrong":   func(c *Config) { c.FalseLinks, c.JunkRows, c.Duplicates = 0.5, 0.5, 0.3 },
		"nothing allowed": func(c *Config) { c.ExpiredConsent, c.NoConsent = 1, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			w := generate(t, func(c *Config) {
				c.Customers = 200
				change(c)
			})
			if !(w.sum.Customers == 200 || name == "one customer" && w.sum.Customers == 1) {
				t.Errorf("%d customers", w.sum.Customers)
			}
			checkTruth(t, w)
			checkReach(t, w)
		})
	}
}

func readFolder(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		files[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
