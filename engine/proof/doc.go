// Package proof is what a daemon says in its log of what became of opt-outs and
// erasures, and the certificate that is made of it.
//
// # Notes
//
// A [Note] is the body of a record of kind [eventlog.Note], as JSON: from when
// on an erasure is obeyed ([Refused]), which snapshots an erased customer was
// looked for in ([Looked]), and which were removed since one was in them
// ([Removed]). It names records by their numbers and snapshots by their names,
// and nobody.
//
// # Certificates
//
// A [Certificate] says of one erasure what the notes say of it. It brings the
// part of the log's chain from the erasure to the newest note, so that whoever
// has the receipt of the erasure can check that the notes come after it in the
// same log, and that nothing was put between or taken out ([Certificate.Verify]).
// That the daemon tells the truth in its notes, nobody can check by them.
//
// It holds the keyed hash of the customer, which only who has the store's key
// can make, and no identifier.
//
// Nothing here reads a clock or writes a file. Values belong to one goroutine.
package proof
