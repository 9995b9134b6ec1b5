// Package buildbench measures builds: beside sort, which does the least that
// can be done with the same bytes, and as they grow.
//
// The input is one brand's CRM and one file of links, drawn row by row from a
// seed and the row's number alone: so both cores draw, memory does not grow
// with the data, and the same seed gives the same bytes. It is made to be large
// and quick to make. What real files hold besides (duplicates, junk, wrong
// links) is in the files of package gen.
//
// sort and matchd run as processes of their own, whose time and memory the
// system counts.
package buildbench
