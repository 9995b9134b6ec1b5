// Package wire measures matchd over the wire: beside a bare HTTP handler that
// sends as many bytes, and beside Redis and memcached that hold the smallest
// binary encoding of the same answers.
//
// Each server is a process that has one core alone, and the client has another
// one. All are up at once and take turns, round by round, so that what slows
// the machine slows all of them. What is asked for moves on from round to
// round. Before anything is timed, all must give the same answers.
//
// On two cores the client is often the limit of a rate. The figure to compare
// is the server's processor time a request.
package wire
