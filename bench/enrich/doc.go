// Package enrich measures what a bidder and an ad server pay for enriching bid
// requests: the call in process beside decoding and encoding the same bytes,
// POST /v1/openrtb/enrich beside a bare handler that echoes the body, privacy
// verdicts remembered beside decided each time, a client beside one that sends
// far more than it may, and an identifier of nobody beside one of somebody whom
// the client may not know of.
//
// Sides take turns, round by round, and the median of the rounds' ratios is
// what is shown. Before anything is timed, the answers are checked: each has
// the segments that its person has and no other, prebid/openrtb reads it, and
// the daemon gives the same bytes.
package enrich
