// Package fold makes of a log of live changes what a build takes of it: of each
// fact the change that holds. It is the one place where the builder meets the
// log; the builder knows neither the log's records nor how changes outweigh one
// another, which is package overlay's.
//
// A log that a daemon has open is read from the daemon, see [Stream]; one that
// nobody has open is opened, read and closed before the build begins, see [Dir].
//
// What is told holds the facts in memory, about as the daemon does, until the
// build has read its files.
package fold
