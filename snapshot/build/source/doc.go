// Package source reads the rows of profile and link files.
//
// A file is CSV or TSV as RFC 4180 has it, with a header row first; NDJSON,
// one object a line; or Parquet. It may be compressed with gzip or zstd. Its
// name and first bytes say which, unless a [Layout] does. Names of columns are
// compared without case and surrounding white space; values are handed on
// without surrounding white space, and are otherwise untouched: texts in UTF-8,
// whatever the encoding of the file.
//
// # What is an error and what is not
//
// A row that cannot be used is reported as a [BadRow] and reading goes on with
// the next one. What makes the whole file doubtful ends the reading with an
// error: no header, a required column missing or a column given twice, a quote
// that is never closed, a row over [MaxRow], a file that is cut off, damaged or
// changes while it is read. Columns that nobody asked for are ignored, and
// named in a [Warning].
//
// # How the work is shared
//
// A text is cut into blocks where rows end, by one goroutine at a time, and
// the blocks are split into fields by all at once. Parquet is shared by row
// groups. Rows, reports and errors do not depend on how it was shared; the
// order of rows does.
//
// # Memory
//
// A text takes about three blocks of a megabyte for each worker, a row at
// most MaxRow. Compressed files are read as streams, and nothing is written to
// disk. Parquet takes at most two pages of 64 MiB and a dictionary for each
// column and worker, usually a hundredth of that, whatever the file claims.
//
// # Raw personal data
//
// Rows hold it; no reason, warning or error of this package does. They name
// columns, lines and counts, and never repeat a value. Nor do they repeat the
// header of a file without the required columns: such a header may be a row of
// data.
package source
