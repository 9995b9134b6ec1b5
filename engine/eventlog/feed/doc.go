// Package feed is the stream of a log of live changes: how a daemon sends it,
// GET /v1/events, and who reads it.
//
//	GET /v1/events?after=SEQ[&wait=SECONDS][&store=NAME]
//
// An answer is NDJSON: a [Header], which says how far the log reaches, then a line
// a record, in order, as many as fit into about [MaxAnswer] bytes. Where there is
// none after SEQ, the daemon holds the answer until there is one, up to wait.
//
//	{"store":"pool","log":"9f…","key":"5c…","first":1,"last":17,"time":"2026-11-21T10:00:01.5Z","hash":"8e…","after":"07…"}
//	{"seq":17,"time":"2026-11-21T10:00:01.5Z","kind":"event","token":"1d…","commitment":"f3…","hash":"8e…","digest":"ab…","salt":"c0…","body":"AQID"}
//
// Hashes, ids, tokens, digests and salts are hexadecimal, bodies base64. A redacted
// record has no digest, salt and body; one that a trimming kept has prev, the hash
// of the record before. The header of a log that was trimmed says where its chain
// begins: "trim":{"seq":21,"hash":"…","kept":4,"digest":"…"}, with the record that
// tells of it, and the rest as [eventlog.Base] has it.
//
// A [Client] checks all that it hands out: what each record holds against its
// hash, and its hash against the one before. Nothing but the transport vouches
// for digests, which tell whether a change that is sent again is the same.
//
// A Client holds one answer in memory. It may be used by any number of
// goroutines; a [Log] and what a function is handed are for one.
package feed
