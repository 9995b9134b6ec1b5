// Package normalise turns the text of rows into what a build works on: hashes,
// keys of identifiers, times and codes. Nothing that it returns holds raw
// personal data but the strings of a [Profile] that the tenant chose itself
// (customer id and segments), and no error repeats a value.
//
// # Profiles of rules
//
// Platforms normalise in different ways before they hash, and hashes by two
// rules never match. Each set of rules here has a name with a version
// ([EmailUID2], [EmailPlain], [PhoneE164], [Postal]) which the config chooses and a
// snapshot's manifest records; rules that change get a new version.
//
// # Bad rows and bad fields
//
// A row that cannot be trusted as a whole is a bad row: the normaliser returns
// an error and nothing of the row is used. An email, a phone number, a postcode
// or a hash that cannot be read in an otherwise good row, or that is a role's or
// a placeholder, is a bad field: the profile is kept without that identifier,
// and the field is reported by itself. A CRM
// with 2 % of mistyped phone numbers must not lose 2 % of its customers, nor
// fail the build as one with 2 % of broken rows should.
//
// Whatever decides what may be done with a profile (kind, consent, times,
// segments) is never a bad field: where it cannot be read the row is bad.
//
// # Safety
//
// The functions and [Normaliser] may be used from any number of goroutines.
// A [Profiles] and a [Links] belong to one goroutine each.
package normalise
