// Package source reads the rows of profile and link files.
//
// A file is CSV as RFC 4180 has it: comma-separated, UTF-8 with or without a
// byte order mark, lines ending in LF or CRLF, and a header row first. Header
// names are compared without case and surrounding white space; values are
// handed on without surrounding white space, and are otherwise untouched.
//
// # What is an error and what is not
//
// A row that cannot be used is reported as a [BadRow] and reading goes on with
// the next one. What makes the whole file doubtful ends the reading with an
// error: no header, a required column missing or a column given twice, a quote
// that is never closed, a row over 1 MiB, and whatever the reader returns.
// Columns that nobody asked for are ignored, and named in a [Warning].
//
// # Raw personal data
//
// Rows hold it; no reason, warning or error of this package does. They name
// columns, lines and counts, and never repeat a value. Nor do they repeat the
// header of a file without the required columns: such a header may be a row of
// data.
//
// # Safety
//
// Each call reads one file on the caller's goroutine, and shares nothing with other calls.
package source
