// Package server is matchd's HTTP front. It parses requests, asks the engine
// and encodes what the engine decided; it decides nothing itself but who is
// calling.
//
// # Routes of the public listener
//
//	GET  /v1/match?id=ID[&id=ID...]       several ids are one question
//	POST /v1/match {"ids":["ID",...]}     each id is a question of its own
//	GET  /v1/segments?id=ID[&id=ID...][&experiment=NAME&buckets=N]
//	GET  /v1/identifiers?customer=TENANT:CUSTOMER
//	GET  /health/live, /health/ready
//
// HEAD is served wherever GET is. Errors are RFC 9457 problems. The admin
// listener, plain net/http, has /metrics, /debug/pprof/, POST
// /admin/v1/reload and the health routes; it asks for no key, so it listens on
// loopback unless the operator names another address.
//
// # Limits
//
// [Limits] has them, with their defaults: time to read a request, to write an
// answer and to sit idle; bytes of a header and of a body; connections, in
// all and from one address. A POST takes [MaxIDs] ids, a GET [MaxQueryIDs].
//
// What two HTTP parsers could read in two ways is refused with 400 and the
// connection closed, so that no request hides in another one's body; see
// framing.go.
//
// # Who owns what
//
// A [Server] is for one run: New, Listen, Serve. The engine is the caller's,
// who closes it after Serve has returned. A request runs on one goroutine with
// one request value from a pool; identifiers are slices of the connection's
// buffers or of that value and die with the handler. The answer's buffer
// changes hands: the response takes it and gives back its old one.
//
// Nothing of a request, and no key, goes to the log: a header may hold a key,
// and a query personal data.
package server
