// Package quality measures the persons of a snapshot against the truth: it is
// what the resolver is tuned with.
//
// The truth names the persons of identifiers (a CSV file with the columns
// identifier and persons, persons separated by "|"). An identifier is
// "unshared" where it names one person, "shared" where it names more, and
// "unknown" where it is not there. A postal_sha256 identifier that is not there
// takes the persons of the customers from whose rows it was derived: the union
// over the good profile rows that give it. All pairs are unordered.
//
// # Precision
//
// Of the pairs of unshared identifiers that the snapshot has in one person, the
// share whose true person is the same. Unknown identifiers are counted, and
// are in no pair.
//
// # Recall
//
// Of the pairs of unshared identifiers that are due, the share that the
// snapshot has in one person. A pair is due where both are of one true person p
// and true links connect them, before any guard: the links are those of the
// input's good rows (a profile row links its customer to each of its email,
// phone and postal identifiers; a link row links its two sides), without those
// of cookies and device ids that had aged out at the snapshot's as_of; of them,
// those that have p at both ends. What these connect is a connected set of p;
// shared identifiers of p are bridges in it.
//
// Unless the config says keep_anonymous, a connected set counts only where it
// holds a profile, an identifier that is the customer of a good profile row:
// the snapshot leaves persons without any out. The pairs of the other sets are
// told apart, and are neither found nor missed.
//
// # Shared identifiers
//
// Pairs of a shared identifier with an unshared one are measured apart: right
// where the person of the unshared one is among those of the shared one, due
// where both are in one connected set of that person. The recall is low by
// design: a shared identifier serves nobody. Pairs of two shared identifiers
// are not measured.
//
// # Cost
//
// Pairs are counted by multiplying sizes, never one by one. What is held is
// about 160 bytes an identifier of the truth, with its links and the postal
// identifiers that are not there; BenchmarkMeasure measures it. The collector
// may let the process grow to twice that.
package quality
