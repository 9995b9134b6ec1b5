package gen

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path"
)

// A tenant's CRM comes in three files.
const (
	crmCustomers = iota
	crmProspects
	crmHashed
	crmFiles
)

var (
	crmColumns = []string{
		"customer_id", "kind", "email", "phone", "first_name", "last_name", "address", "postcode", "city",
		"country", "segments", "consent_at", "consent_expires_at", "consent_purposes",
	}
	hashedColumns = []string{
		"customer_id", "kind", "email_sha256", "phone_sha256", "postcode", "country", "segments", "consent_at",
		"consent_expires_at", "consent_purposes",
	}
	linkColumns  = []string{"left", "right", "method", "observed_at"}
	truthColumns = []string{"identifier", "persons"}
)

// partnerFile is a file of links that the tenants do not make themselves.
type partnerFile struct{ path, source, party string }

// partnerFiles are in the order of filePublisherA and the following.
var partnerFiles = []partnerFile{
	{"partners/publisher-a.csv", "publisher-a", "second"},
	{"partners/app-network.csv", "app-network", "third"},
	{"partners/device-graph.csv", "device-graph", "third"},
	{"partners/cookie-sync.csv", "cookie-sync", "third"},
}

func loginsPath(tenant int) string {
	if tenant == 0 {
		return "site/logins.csv"
	}
	return "site/logins-" + tenantNames[tenant] + ".csv"
}

// table is a CSV file being written.
type table struct {
	path       string
	file       *os.File
	csv        *csv.Writer
	rows, junk int
}

func (t *table) write(row ...string) error {
	if err := t.csv.Write(row); err != nil {
		return fmt.Errorf("write %s: %w", t.path, err)
	}
	t.rows++
	return nil
}

// owesJunk tells whether one more junk row keeps their share of all rows within share. Counting, where drawing would
// do, keeps a small file from having too much by chance.
func (t *table) owesJunk(share float64) bool {
	return float64(t.junk+1) <= share*float64(t.rows+1)
}

func (t *table) close() error {
	t.csv.Flush()
	if err := errors.Join(t.csv.Error(), t.file.Close()); err != nil {
		return fmt.Errorf("close %s: %w", t.path, err)
	}
	return nil
}

// output is the files in Config.Out.
type output struct {
	root   *os.Root
	tables []*table   // all of them
	crm    [][]*table // by tenant and kind
	links  []*table   // partners', then the tenants' own
	truth  *table
}

// createOutput makes the folder and all files with their headers.
func createOutput(c Config) (*output, error) {
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return nil, fmt.Errorf("make output folder: %w", err)
	}
	entries, err := os.ReadDir(c.Out)
	if err != nil {
		return nil, fmt.Errorf("read output folder: %w", err)
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("output folder %s is not empty (it holds %s): name another or empty it",
			c.Out, entries[0].Name())
	}
	root, err := os.OpenRoot(c.Out)
	if err != nil {
		return nil, fmt.Errorf("open output folder: %w", err)
	}
	out := &output{root: root}
	if err := out.createTables(c); err != nil {
		return nil, errors.Join(err, out.close())
	}
	return out, nil
}

func (out *output) createTables(c Config) error {
	var sticky error
	create := func(name string, header []string) *table {
		if sticky != nil {
			return nil
		}
		var t *table
		t, sticky = out.createTable(name, header)
		return t
	}
	for tenant := range c.Tenants {
		files := make([]*table, crmFiles)
		for i := range files {
			header := crmColumns
			if i == crmHashed {
				header = hashedColumns
			}
			files[i] = create(fmt.Sprintf("crm/%s-%d.csv", tenantNames[tenant], i+1), header)
		}
		out.crm = append(out.crm, files)
	}
	for _, p := range partnerFiles {
		out.links = append(out.links, create(p.path, linkColumns))
	}
	for tenant := range c.Tenants {
		out.links = append(out.links, create(loginsPath(tenant), linkColumns))
	}
	out.truth = create("truth.csv", truthColumns)
	return sticky
}

func (out *output) createTable(name string, header []string) (*table, error) {
	if err := out.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("make folder of %s: %w", name, err)
	}
	f, err := out.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	t := &table{path: name, file: f, csv: csv.NewWriter(bufio.NewWriterSize(f, 1<<18))}
	out.tables = append(out.tables, t)
	if err := t.csv.Write(header); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return t, nil
}

// finish flushes every file, and writes onboard.yaml once they are whole.
func (out *output) finish(c Config) error {
	var errs []error
	for _, t := range out.tables {
		errs = append(errs, t.close())
	}
	out.tables = nil
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, out.close())
	}
	if err := out.root.WriteFile("onboard.yaml", onboardYAML(c), 0o644); err != nil {
		return errors.Join(fmt.Errorf("write onboard.yaml: %w", err), out.close())
	}
	return out.close()
}

// close gives everything back.
func (out *output) close() error {
	var errs []error
	for _, t := range out.tables {
		errs = append(errs, t.close())
	}
	return errors.Join(append(errs, out.root.Close())...)
}

// counts is the rows of CRM and link files.
func (out *output) counts() []FileRows {
	var rows []FileRows
	for _, tables := range append(append([][]*table{}, out.crm...), out.links) {
		for _, t := range tables {
			rows = append(rows, FileRows{Path: t.path, Rows: t.rows, Junk: t.junk})
		}
	}
	return rows
}
