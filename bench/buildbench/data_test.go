package buildbench

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/snapshot/build/normalise"
)

// written writes a data set and returns its folder.
func written(t *testing.T, d Data) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	sizes, err := d.Write(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]int64{CustomersFile: sizes.Customers, LinksFile: sizes.Links} {
		if n := int64(len(read(t, dir, file))); n != want {
			t.Errorf("%s has %d bytes, not %d", file, n, want)
		}
	}
	return dir
}

func read(t *testing.T, dir, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rows are the rows of a file, by column.
func rows(t *testing.T, dir, file string) []map[string]string {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(read(t, dir, file))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	list := make([]map[string]string, len(all)-1)
	for i, row := range all[1:] {
		list[i] = map[string]string{}
		for k, column := range all[0] {
			list[i][column] = row[k]
		}
	}
	return list
}

// The same Data gives the same bytes on one core and on several, and each row
// stands in its place, whatever it is drawn beside.
func TestSameSeedSameBytes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := Data{
			Customers: rapid.IntRange(1, 3*pieceRows).Draw(rt, "customers"),
			Links:     rapid.IntRange(1, 3*pieceRows).Draw(rt, "links"),
			Seed:      rapid.Uint64().Draw(rt, "seed"),
		}
		want := map[string][]byte{CustomersFile: []byte(customersHeader), LinksFile: []byte(linksHeader)}
		for i := range d.Customers {
			want[CustomersFile] = d.appendCustomer(want[CustomersFile], i)
		}
		for i := range d.Links {
			want[LinksFile] = d.appendLink(want[LinksFile], i)
		}
		cores := runtime.GOMAXPROCS(rapid.IntRange(1, 5).Draw(rt, "cores"))
		defer runtime.GOMAXPROCS(cores)
		dir := written(t, d)
		for file, b := range want {
			if !bytes.Equal(read(t, dir, file), b) {
				rt.Fatalf("%s is not its rows in their order", file)
			}
		}
	})
}

// The links are of the shape that is promised: a link's email is that of a
// customer, three devices a customer, some pairs at several times, 2 % of
// devices shared by two customers and none by more, within twelve months.
func TestLinksShape(t *testing.T) {
	d := Data{Customers: 20_000, Links: 100_000, Seed: 7}
	dir := written(t, d)
	customers := map[string]bool{}
	for _, row := range rows(t, dir, CustomersFile) {
		hash, err := normalise.EmailHash(row["email"])
		if err != nil {
			t.Fatal(err)
		}
		customers["email_sha256:"+hex.EncodeToString(hash[:])] = true
	}
	if len(customers) != d.Customers {
		t.Fatalf("%d different emails of %d customers", len(customers), d.Customers)
	}
	users := map[string]map[string]bool{} // of a device
	pairs := map[string]map[string]bool{} // their times
	for _, row := range rows(t, dir, LinksFile) {
		left, right := row["left"], row["right"]
		if !customers[left] {
			t.Fatalf("the link of %s is of no customer", right)
		}
		at, err := time.Parse(time.RFC3339, row["observed_at"])
		if err != nil || !at.Before(asOf) || at.Before(asOf.AddDate(-1, 0, 0)) {
			t.Fatalf("seen at %q", row["observed_at"])
		}
		if users[right] == nil {
			users[right] = map[string]bool{}
		}
		users[right][left] = true
		if pairs[left+right] == nil {
			pairs[left+right] = map[string]bool{}
		}
		pairs[left+right][row["observed_at"]] = true
	}
	shared, repeated, maids := 0, 0, 0
	for device, of := range users {
		if len(of) > 2 {
			t.Fatalf("%s is of %d customers", device, len(of))
		}
		shared += len(of) - 1
		if strings.HasPrefix(device, "maid:") {
			maids++
		}
	}
	for _, times := range pairs {
		if len(times) > 1 {
			repeated++
		}
	}
	devices := float64(len(users))
	near(t, "devices a customer", float64(len(pairs))/float64(d.Customers), 3, 0.05)
	near(t, "share of shared devices", float64(shared)/devices, 0.02, 0.1)
	near(t, "share of mobile ids", float64(maids)/devices, maidShare, 0.02)
	near(t, "bytes a link", float64(len(read(t, dir, LinksFile)))/float64(d.Links), 145, 0.05)
	if repeated < len(pairs)/10 {
		t.Errorf("%d of %d pairs repeat", repeated, len(pairs))
	}
}

// near fails where got is not want, give or take a share of it.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*want {
		t.Errorf("%s: %.4f, want about %.4f", what, got, want)
	}
}

// Whatever is asked, every customer has an email and phone of his own, in
// spellings of it, and as many identifiers are written as were asked.
func TestCustomersShape(t *testing.T) {
	const ids = 60_000
	d := ForIdentifiers(ids, 3)
	dir := written(t, d)
	distinct, phones, people := map[string]bool{}, 0, 0
	for _, row := range rows(t, dir, CustomersFile) {
		distinct[row["customer_id"]] = true
		email, err := normalise.AppendEmail(nil, row["email"])
		if err != nil {
			t.Fatal(err)
		}
		distinct[string(email)] = true
		if row["phone"] != "" {
			phones++
			phone, err := normalise.AppendPhone(nil, row["phone"], "FR")
			if err != nil || distinct[string(phone)] {
				t.Fatalf("the phone number of %s is another's, or none: %v", row["customer_id"], err)
			}
			distinct[string(phone)] = true
		}
		if row["address"] != "" {
			people++
			distinct[fmt.Sprint(row["first_name"], row["last_name"], row["address"], row["postcode"])] = true
		}
		if (row["first_name"] == "") != (row["address"] == "") || (row["country"] == "") != (row["address"] == "") {
			t.Errorf("half an address: %v", row)
		}
		if end := row["consent_expires_at"]; end != "" && end <= row["consent_at"] {
			t.Errorf("consent from %s to %s", row["consent_at"], end)
		}
	}
	near(t, "share of phones", float64(phones)/float64(d.Customers), phoneShare, 0.02)
	near(t, "share of addresses", float64(people)/float64(d.Customers), addressShare, 0.02)
	for _, row := range rows(t, dir, LinksFile) {
		distinct[row["right"]] = true
	}
	near(t, "identifiers", float64(len(distinct)), ids, 0.01)
}

// No two customers have one phone number, however many there are: the factor
// that spreads them shares no divisor with the count of numbers.
func TestPhoneNumbersAreDifferent(t *testing.T) {
	a, b := 67_867_967, len(phonePrefixes)*10_000_000
	if b < maxCustomers {
		t.Errorf("%d numbers for %d customers", b, maxCustomers)
	}
	for b != 0 {
		a, b = b, a%b
	}
	if a != 1 {
		t.Errorf("both are multiples of %d", a)
	}
}

// A folder that has files is not written over, and one that could not be
// finished has no config.
func TestWriteLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, LinksFile), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := (Data{Customers: 1, Links: 1}).Write(t.Context(), dir); err == nil {
		t.Error("written over")
	}
	if string(read(t, dir, LinksFile)) != "mine" {
		t.Error("the file is another one")
	}
	if _, err := os.Stat(filepath.Join(dir, ConfigFile)); err == nil {
		t.Error("there is a config")
	}
}

// BenchmarkData is how fast rows are drawn on one core.
func BenchmarkData(b *testing.B) {
	d := Data{Customers: 2_000_000, Links: 10_000_000, Seed: 1}
	for name, appendRow := range map[string]func([]byte, int) []byte{"links": d.appendLink, "customers": d.appendCustomer} {
		b.Run(name, func(b *testing.B) {
			var row []byte
			i := 0
			for b.Loop() {
				row = appendRow(row[:0], i%d.Customers)
				i++
			}
			b.SetBytes(int64(len(row)))
		})
	}
}
