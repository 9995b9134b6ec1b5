package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	_, store := builtStore(t)
	page := strings.TrimSuffix(succeed(t, "report", "--store", store), "\n")
	if b, err := os.ReadFile(page); err != nil || !strings.HasPrefix(string(b), "<!doctype html>") {
		t.Errorf("%s holds %.40q, %v", page, b, err)
	}
	asJSON := filepath.Join(filepath.Dir(page), "report.json")
	name := filepath.Base(filepath.Dir(page))
	want, err := os.ReadFile(asJSON)
	if err != nil {
		t.Fatal(err)
	}
	if got := succeed(t, "report", "--store", store, "--snapshot", name, "--json"); got != string(want) {
		t.Errorf("it prints %q", got)
	}
	if err := os.Remove(asJSON); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"report"}, exitUsage, `"store" not set`},
		{[]string{"report", "--store", store, "--json"}, exitFailed, "has no report.json: build it again"},
		{[]string{"report", "--store", store, "--snapshot", "../x"}, exitFailed, "it has " + name},
		{[]string{"report", "--store", filepath.Join(store, "none")}, exitFailed, "no such file"},
		{[]string{"report", "--store", emptyStore(t)}, exitFailed, "no snapshot"},
	} {
		if code, out, errOut := command(t, c.args...); code != c.code || out != "" || !strings.Contains(errOut, c.want) {
			t.Errorf("%q: exit code %d, %s%s; want %d and %s", c.args, code, out, errOut, c.code, c.want)
		}
	}
}
