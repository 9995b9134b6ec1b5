package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot/build/quality"
)

func TestQuality(t *testing.T) {
	data, store := builtStore(t)
	args := []string{"quality", "--config", filepath.Join(data, "onboard.yaml"), "--truth", filepath.Join(data, "truth.csv"), "--store", store}
	with := func(more ...string) []string { return append(args[:len(args):len(args)], more...) }

	var r quality.Report
	asJSON := succeed(t, with("--json", "--worst", "2")...)
	decode(t, asJSON, &r)
	u := r.Unshared
	if u.Due < 5000 || u.Found > u.Due || u.Right > u.Paired || u.Recall < 0.9 || u.Precision <= 0 || r.Missed.Pairs != u.Due-u.Found || r.Wrong.Pairs != u.Paired-u.Right {
		t.Errorf("unshared %+v, missed %+v, wrong %+v", u, r.Missed, r.Wrong)
	}
	if len(r.Mixed) > 2 || len(r.Torn) > 2 || r.Input.ProfileRows < 2000 {
		t.Errorf("report %+v", r)
	}
	if again := succeed(t, with("--json", "--worst", "2", "--snapshot", r.Snapshot)...); again != asJSON {
		t.Errorf("by its name the snapshot gives\n%s\nand as the current one\n%s", again, asJSON)
	}
	line := strings.Join([]string{"unshared", ratio(u.Precision), ratio(u.Recall), ratio(u.F1), count(u.Paired), count(u.Right)}, " ")
	if out := succeed(t, args...); !strings.Contains(strings.Join(strings.Fields(out), " "), line) {
		t.Errorf("quality prints\n%s\nfor %+v", out, u)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{args[:len(args)-2], exitUsage, `"store" not set`},
		{with("--worst", "-1"), exitUsage, "--worst is how many persons"},
		{with("--snapshot", "../x"), exitFailed, "has no snapshot \"../x\"; it has " + r.Snapshot},
		{with("--truth", filepath.Join(data, "none.csv")), exitFailed, "none.csv"},
		{with("--truth", filepath.Join(data, "onboard.yaml")), exitFailed, "the header needs the columns identifier and persons"},
	} {
		if code, _, errOut := command(t, c.args...); code != c.code || !strings.Contains(errOut, c.want) {
			t.Errorf("%q: exit code %d, %s; want %d and %s", c.args, code, errOut, c.code, c.want)
		}
	}
}
