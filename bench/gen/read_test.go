package gen

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// world is what a reader who knows nothing of the generator finds in the folder.
type world struct {
	sum   Summary
	dir   string
	truth map[string][]string // persons by identifier
	crm   []crmRow
	links []linkRow
}

type crmRow struct {
	file, tenant string
	fields       map[string]string
	self         string
	known        []string // email and phone identifiers
}

type linkRow struct {
	file, left, right, method string
	seen                      time.Time
}

// generate makes and reads a world in a fresh folder.
func generate(t *testing.T, change func(*Config)) world {
	t.Helper()
	c := DefaultConfig()
	c.Out = filepath.Join(t.TempDir(), "out")
	change(&c)
	sum, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	w := world{sum: sum, dir: c.Out, truth: map[string][]string{}}
	for _, row := range readCSV(t, filepath.Join(c.Out, "truth.csv")) {
		if w.truth[row["identifier"]] != nil {
			t.Fatalf("truth.csv names %s twice", row["identifier"])
		}
		w.truth[row["identifier"]] = strings.Split(row["persons"], "|")
	}
	junk := 0
	for _, f := range sum.Files {
		rows := readCSV(t, filepath.Join(c.Out, f.Path))
		if len(rows) != f.Rows {
			t.Fatalf("%s has %d rows, the summary says %d", f.Path, len(rows), f.Rows)
		}
		bad := 0
		for _, row := range rows {
			if !w.take(t, f.Path, row) {
				bad++
			}
		}
		if bad != f.Junk {
			t.Fatalf("%s has %d junk rows, the summary says %d", f.Path, bad, f.Junk)
		}
		junk += bad
	}
	if junk != sum.JunkRows {
		t.Fatalf("%d junk rows, the summary says %d", junk, sum.JunkRows)
	}
	return w
}

// take reads one row, and tells whether it is valid.
func (w *world) take(t *testing.T, file string, row map[string]string) bool {
	t.Helper()
	if !strings.HasPrefix(file, "crm/") {
		l := linkRow{file: file, left: canonical(row["left"]), right: canonical(row["right"]), method: row["method"]}
		if isJunk(l.left) || isJunk(l.right) {
			return false
		}
		var err error
		if l.seen, err = parseTime(row["observed_at"]); err != nil {
			t.Fatal(err)
		}
		w.links = append(w.links, l)
		return true
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(file, "crm/"), "-")
	r := crmRow{file: file, tenant: tenant, fields: row, self: "crm." + tenant + ":" + row["customer_id"]}
	if row["customer_id"] == "" {
		return false
	}
	for _, column := range []string{"consent_at", "consent_expires_at"} {
		if _, err := parseTime(row[column]); row[column] != "" && err != nil {
			return false
		}
	}
	if row["email"] != "" {
		address, ok := normaliseEmail(row["email"])
		if !ok {
			return false
		}
		r.known = append(r.known, "email_sha256:"+hashHex(address))
	}
	if row["phone"] != "" {
		r.known = append(r.known, "phone_sha256:"+hashHex(normalisePhone(t, row["phone"])))
	}
	for _, column := range []string{"email_sha256", "phone_sha256"} {
		if value := row[column]; value != "" && !sha256Hex.MatchString(value) {
			return false
		} else if value != "" {
			r.known = append(r.known, column+":"+value)
		}
	}
	if len(r.known) == 0 {
		return false
	}
	w.crm = append(w.crm, r)
	return true
}

func readCSV(t *testing.T, file string) []map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	rows := make([]map[string]string, len(records)-1)
	for i, record := range records[1:] {
		rows[i] = make(map[string]string, len(record))
		for j, name := range records[0] {
			rows[i][name] = record[j]
		}
	}
	return rows
}

func canonical(id string) string {
	if strings.HasPrefix(id, "maid:") {
		return strings.ToLower(id)
	}
	return id
}

func isJunk(id string) bool {
	_, value, _ := strings.Cut(id, ":")
	switch value {
	case "", "00000000-0000-0000-0000-000000000000", "null", "undefined", "-1":
		return true
	}
	return strings.HasPrefix(value, "${") || strings.HasPrefix(value, "[")
}

func parseTime(s string) (time.Time, error) {
	if len(s) == len(time.DateOnly) {
		return time.Parse(time.DateOnly, s)
	}
	return time.Parse(time.RFC3339, s)
}

var (
	sha256Hex  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	validEmail = regexp.MustCompile(`^[a-z0-9][a-z0-9.+]*@([a-z0-9-]+\.)+[a-z]{2,}$`)
)

// normaliseEmail is the UID2 rule.
func normaliseEmail(raw string) (string, bool) {
	s := strings.ToLower(strings.TrimSpace(raw))
	if !validEmail.MatchString(s) {
		return "", false
	}
	if local, isGmail := strings.CutSuffix(s, "@gmail.com"); isGmail {
		local, _, _ = strings.Cut(local, "+")
		s = strings.ReplaceAll(local, ".", "") + "@gmail.com"
	}
	return s, true
}

func normalisePhone(t *testing.T, raw string) string {
	t.Helper()
	n, err := phonenumbers.Parse(raw, "FR")
	if err != nil || !phonenumbers.IsValidNumberForRegion(n, "FR") {
		t.Fatalf("phone %q is not valid in France: %v", raw, err)
	}
	return phonenumbers.Format(n, phonenumbers.E164)
}

func hashHex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
