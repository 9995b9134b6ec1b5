package wire

import (
	"fmt"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/world"
)

// Names of servers in results.
const (
	Matchd    = "matchd"
	Bare      = "bare fasthttp"
	Redis     = "Redis"
	Memcached = "memcached"
)

// Case is a way of asking that several servers are measured in.
type Case struct {
	// Network is "tcp" or "unix".
	Network     string `json:"network"`
	Connections int    `json:"connections"`
	// Pipeline is how many requests a connection has under way, each for Batch
	// identifiers.
	Pipeline int `json:"pipeline"`
	Batch    int `json:"batch"`
	// Hits is the share of identifiers that belong to somebody; they are
	// uniformly distributed.
	Hits float64 `json:"hits"`
}

// Of many identifiers, and of connections.
const (
	many   = 100
	crowd  = 64
	depth  = 16
	hitMix = 0.2
)

// The cases that the bars are about: the headline has misses, as a bid stream.
var (
	Single     = Case{"tcp", crowd, 1, 1, hitMix}
	SingleHits = Case{"tcp", crowd, 1, 1, 1}
	Batch      = Case{"tcp", crowd, 1, many, hitMix}
	BatchHits  = Case{"tcp", crowd, 1, many, 1}
)

// Cases lists what is measured. A share of hits changes what a server does in a
// request and not what its transport costs, so that the other cases have the
// mix alone.
func Cases() []Case {
	return []Case{
		Single,
		SingleHits,
		{"unix", crowd, 1, 1, hitMix},
		{"tcp", 1, 1, 1, hitMix},
		{"unix", 1, 1, 1, hitMix},
		{"tcp", crowd, depth, 1, hitMix},
		Batch,
		BatchHits,
		{"unix", crowd, 1, many, hitMix},
	}
}

func (c Case) String() string {
	s := fmt.Sprintf("%d connections, ", c.Connections)
	if c.Connections == 1 {
		s = "1 connection, "
	}
	if c.Pipeline > 1 {
		s += fmt.Sprintf("%d requests in a pipeline, ", c.Pipeline)
	}
	if c.Batch > 1 {
		s += fmt.Sprintf("%d ids at once, ", c.Batch)
	}
	return s + c.Network + ", " + bench.DrawName(world.Draw{Hits: c.Hits})
}

// way is how a server is asked in a case.
type way struct {
	server string
	kind   kind
	// pipeline is how many requests, each for as many ids as the kind has.
	pipeline int
}

func (c Case) ways() []way {
	if c.Batch == 1 {
		return []way{
			{Matchd, httpGet, c.Pipeline},
			{Bare, httpGet, c.Pipeline},
			{Redis, redisGet, c.Pipeline},
			{Memcached, memcachedGet, c.Pipeline},
		}
	}
	return []way{
		{Matchd, httpPost, 1},
		{Bare, httpPost, 1},
		{Redis, redisMGet, 1},
		{Redis, redisGet, many},
		{Memcached, memcachedGets, 1},
	}
}

// how says it in words.
func (w way) how() string {
	s := w.kind.String()
	switch {
	case w.kind.ids() > 1:
		return fmt.Sprintf("%s of %d", s, w.kind.ids())
	case w.pipeline > 1:
		return fmt.Sprintf("%s, %d in a pipeline", s, w.pipeline)
	}
	return s
}
