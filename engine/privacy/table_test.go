package privacy_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/privacy"
)

var tableTime = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC).Unix()

// row is a row of the truth table in docs/privacy.md.
type row struct{ name, signals, policy, verdict string }

func table(t testing.TB) (rows []row) {
	t.Helper()
	text, err := os.ReadFile("../../docs/privacy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(text), "| case | signals | policy | verdict |\n|---|---|---|---|\n")
	if !ok {
		t.Fatal("docs/privacy.md has no table of cases")
	}
	for line := range strings.Lines(body) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 {
			t.Fatalf("%q is not a row of four cells", line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, row{cells[1], cells[2], cells[3], cells[4]})
	}
	return rows
}

// TestTable runs every row of the table in the docs, by decoding and by the
// memory, the first and the second time.
func TestTable(t *testing.T) {
	rows := table(t)
	if len(rows) < 200 {
		t.Fatalf("the table has only %d rows", len(rows))
	}
	memory := privacy.NewVerdicts(1 << 10)
	names := map[string]bool{}
	for _, r := range rows {
		if names[r.name] {
			t.Errorf("two rows are called %q", r.name)
		}
		names[r.name] = true
		t.Run(r.name, func(t *testing.T) {
			s, p := signals(t, r.signals), policy(t, r.policy)
			if got := words(privacy.Decide(p, s, tableTime)); got != r.verdict {
				t.Errorf("%s: %s, want %s", r.signals, got, r.verdict)
			}
			for range 2 {
				if got := words(memory.Decide(p, s, tableTime)); got != r.verdict {
					t.Errorf("%s, remembered: %s, want %s", r.signals, got, r.verdict)
				}
			}
		})
	}
}
