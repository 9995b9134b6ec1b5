package source

import "io"

// A ProfileRow is one row of a profile file. Columns that the file lacks are
// empty strings.
//
// The row is valid until emit returns; the next row overwrites it. Its strings
// stay valid, but each holds on to the memory of its whole row, raw personal
// data included: clone what is to be kept.
type ProfileRow struct {
	// Line is the physical line on which the row starts, from 1.
	Line int

	CustomerID, Kind            string
	Email, Phone                string
	FirstName, LastName         string
	Address, Postcode           string
	City, Country               string
	EmailSHA256, PhoneSHA256    string
	Segments                    string
	ConsentAt, ConsentExpiresAt string
	ConsentPurposes             string
}

// A LinkRow is one row of a link file. It is reused as a [ProfileRow] is.
type LinkRow struct {
	// Line is the physical line on which the row starts, from 1.
	Line int

	Left, Right        string
	Method, ObservedAt string
}

// A column is a name of ours and where its value goes.
type column struct {
	name     string
	required bool
	value    *string
}

func (r *ProfileRow) columns() []column {
	return []column{
		{"customer_id", true, &r.CustomerID},
		{"kind", false, &r.Kind},
		{"email", false, &r.Email},
		{"phone", false, &r.Phone},
		{"first_name", false, &r.FirstName},
		{"last_name", false, &r.LastName},
		{"address", false, &r.Address},
		{"postcode", false, &r.Postcode},
		{"city", false, &r.City},
		{"country", false, &r.Country},
		{"email_sha256", false, &r.EmailSHA256},
		{"phone_sha256", false, &r.PhoneSHA256},
		{"segments", false, &r.Segments},
		{"consent_at", false, &r.ConsentAt},
		{"consent_expires_at", false, &r.ConsentExpiresAt},
		{"consent_purposes", false, &r.ConsentPurposes},
	}
}

func (r *LinkRow) columns() []column {
	return []column{
		{"left", true, &r.Left},
		{"right", true, &r.Right},
		{"method", false, &r.Method},
		{"observed_at", false, &r.ObservedAt},
	}
}

// ProfileColumns returns the names of the columns of a profile file.
func ProfileColumns() []string { return names(new(ProfileRow).columns()) }

// LinkColumns returns the names of the columns of a link file.
func LinkColumns() []string { return names(new(LinkRow).columns()) }

func names(columns []column) []string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = c.name
	}
	return list
}

// Profiles reads a profile file and calls emit with each good row, in order.
// The error is that of the file, or what emit returned, as it is.
func Profiles(r io.Reader, opt Options, emit func(*ProfileRow) error) error {
	var row ProfileRow
	return read(r, opt, row.columns(), func(line int) error {
		row.Line = line
		return emit(&row)
	})
}

// Links reads a link file as [Profiles] reads a profile file.
func Links(r io.Reader, opt Options, emit func(*LinkRow) error) error {
	var row LinkRow
	return read(r, opt, row.columns(), func(line int) error {
		row.Line = line
		return emit(&row)
	})
}
