package peer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// Each line is answered by one line, a wrong one by an error.
func TestServe(t *testing.T) {
	const good = `{"question":{"hits":1,"batch":1,"cores":1},"n":3,"draw_seed":5,"pool":4}`
	in := []string{
		good, "not json", `{}`, `{"question":{"batch":1,"cores":1},"n":0,"pool":1}`,
		`{"question":{"batch":1,"cores":1},"n":1}`, `{"question":{"batch":1,"cores":9},"n":1,"pool":1}`, `{"stats":true}`, good,
	}
	want := []string{
		`{"ready":"fake"`, `{"ns":4.5,`, `{"error":"read request`, `{"error":"the request has neither`, `{"error":"0 identifiers`,
		`{"error":"1 identifiers of 0`, `{"error":"too many cores"}`, `{"resident_bytes":11,"disk_bytes":13}`, `{"ns":4.5,`,
	}
	var out bytes.Buffer
	if err := Serve(t.Context(), strings.NewReader(strings.Join(in, "\n")), &out, fake(sound)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines for %d: %q", len(lines), len(want), lines)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("line %d is %s, not %s...", i, line, want[i])
		}
	}
}

// slowLoad loads until it is told to stop.
type slowLoad struct{ fake }

func (slowLoad) Load(ctx context.Context) (Ready, error) {
	<-ctx.Done()
	return Ready{}, ctx.Err()
}

// Who started a peer and went away need not wait for its loading.
func TestServeStopsLoading(t *testing.T) {
	in, parent := io.Pipe()
	var out bytes.Buffer
	done := make(chan error)
	go func() { done <- Serve(t.Context(), in, &out, slowLoad{}) }()
	if err := parent.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if !strings.Contains(out.String(), `{"error":`) {
		t.Errorf("it said %q", &out)
	}
}
