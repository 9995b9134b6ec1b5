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
//	POST /v1/openrtb/enrich[?mode=patch][&eids=1][&exchange=NAME]
//	POST /v1/events {"id":...}            live changes, a line each
//	GET  /v1/events?after=SEQ[&wait=SECONDS][&store=NAME]
//	OPTIONS /v1/segments                  preflights of pages
//	GET  /health/live, /health/ready
//
// All but health take privacy signals too: gdpr, gdpr_consent, gpp, gpp_sid,
// us_privacy, lmt, coppa, and the header Sec-GPC.
//
// A value in a query is percent-encoded. A bare + stands for a plus to some
// callers and for a space to others, so id, customer, experiment and exchange refuse
// it: it is 400, and %2B is a plus, %20 a space.
//
// HEAD is served wherever GET is. Errors are RFC 9457 problems. The admin
// listener, plain net/http, has /metrics, /debug/pprof/, POST
// /admin/v1/reload and the health routes. On loopback or a unix socket it asks
// for no key, and refuses what pages send; elsewhere it asks for one with the
// scope admin, and has the public listener's TLS.
//
// # Who may ask
//
// A request is by the [Client] whose key it has: its [Scopes] say which routes,
// its rate how often, and its grants, which are the engine's business, what is
// seen. [Server.SetClients] replaces all clients while the server serves, and
// [ConfigWatch] does so whenever a matchd.yaml changes. A client with a
// [Browser] is that of pages: its key is no secret, and asks by a cookie alone.
//
// # Limits
//
// [Limits] has them, with their defaults: time to read a request, to write an
// answer and to sit idle; bytes of a header and of a body; connections, in
// all (2048) and from one address (512, which a unix socket does not count);
// the last two are limits.connections and limits.connections_per_ip of a
// matchd.yaml. A POST takes [MaxIDs] ids, a GET [MaxQueryIDs], and answers that
// are larger together than [engine.MaxBatchBytes] are 413.
//
// What two HTTP parsers could read in two ways is refused with 400 and the
// connection closed, so that no request hides in another one's body; see
// framing.go.
//
// # Who owns what
//
// A [Server] is for one run: New, Listen, Serve. The engines are the caller's,
// who closes them after Serve has returned. A request runs on one goroutine with
// one request value from a pool; identifiers are slices of the connection's
// buffers or of that value and die with the handler. The answer's buffer
// changes hands: the response takes it and gives back its old one. No pool
// keeps more than 1 MiB of a batch or of an answer.
//
// Nothing of a request, and no key, goes to the log: a header may hold a key,
// and a query personal data.
package server
