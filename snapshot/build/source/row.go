package source

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
	PostalSHA256                string
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
	list     bool // may be a list of strings
	value    *string
}

// listSeparator stands between the elements of a list.
const listSeparator = "|"

func (r *ProfileRow) columns() []column {
	return []column{
		{"customer_id", true, false, &r.CustomerID},
		{"kind", false, false, &r.Kind},
		{"email", false, false, &r.Email},
		{"phone", false, false, &r.Phone},
		{"first_name", false, false, &r.FirstName},
		{"last_name", false, false, &r.LastName},
		{"address", false, false, &r.Address},
		{"postcode", false, false, &r.Postcode},
		{"city", false, false, &r.City},
		{"country", false, false, &r.Country},
		{"email_sha256", false, false, &r.EmailSHA256},
		{"phone_sha256", false, false, &r.PhoneSHA256},
		{"postal_sha256", false, false, &r.PostalSHA256},
		{"segments", false, true, &r.Segments},
		{"consent_at", false, false, &r.ConsentAt},
		{"consent_expires_at", false, false, &r.ConsentExpiresAt},
		{"consent_purposes", false, true, &r.ConsentPurposes},
	}
}

func (r *LinkRow) columns() []column {
	return []column{
		{"left", true, false, &r.Left},
		{"right", true, false, &r.Right},
		{"method", false, false, &r.Method},
		{"observed_at", false, false, &r.ObservedAt},
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
