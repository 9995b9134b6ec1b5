// Package engine answers lookups: it holds the open snapshot, confirms every
// match, and makes every decision about what a caller may learn. Fronts, such
// as the HTTP server, only encode what it decides.
//
// # Use
//
//	e, err := engine.New(engine.Options{Store: store})
//	...
//	s, err := e.Begin("client name") // pins the open generation
//	s.Heed(verdict)                  // on what the request says about privacy
//	err = s.Match(&batch, ids)       // one answer an id, in order
//	s.End()                          // after the answers have been used
//
// [Pools] joins the engines of several stores: a [View] is a session in each
// that the client has a grant in. It decides on privacy signals, and enriches
// bid requests ([Pools.Enrich]). A [Delivery] has live changes taken by all the
// stores that they are for, or by none.
//
// # Who owns what
//
// An [Engine] is safe for use by any number of goroutines. A [Session] and a
// [Batch] belong to one goroutine at a time. A session sees one generation from
// Begin to End, whatever is swapped in meanwhile, and what it returns is valid
// until End; a generation is unmapped when its last session has ended. A Batch
// may be used again for later sessions, and then allocates nothing.
//
// # One lookup
//
// The order is: grants, privacy signals, filter, table, record, the identifier
// confirmed on 128 bits, the age of links, consent. A batch runs through the stages with all
// its identifiers at once, so that their memory reads overlap.
package engine
