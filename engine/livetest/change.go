package livetest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// All stands for all tenants.
const All = "*"

// Change is a change as a client says it. It has a time always.
type Change struct {
	ID         string     `json:"id"`
	At         time.Time  `json:"at"`
	Type       string     `json:"type"`
	Left       string     `json:"left,omitempty"`
	Right      string     `json:"right,omitempty"`
	Method     string     `json:"method,omitempty"`
	Customer   string     `json:"customer,omitempty"`
	Segment    string     `json:"segment,omitempty"`
	Status     string     `json:"status,omitempty"`
	Purposes   []string   `json:"purposes,omitempty"`
	Until      *time.Time `json:"until,omitempty"`
	Tenant     string     `json:"tenant,omitempty"`
	Identifier string     `json:"identifier,omitempty"`
}

// JSON is the change as one line, without its end.
func (c *Change) JSON() []byte {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // it is made of texts and times
	}
	return b
}

// makers fill in a change of each type. A type weighs as much as it is there
// often.
var makers = map[string]func(*Generator, *Change, *Person){
	"opt_out": func(g *Generator, c *Change, p *Person) {
		c.Tenant, c.Identifier = g.tenant(p), pick(g.r, p.CRM, p.Email, p.Cookie, p.Late)
	},
	"opt_in": func(g *Generator, c *Change, p *Person) {
		if c.Tenant = g.tenant(p); g.r.IntN(2) == 0 {
			c.Identifier = pick(g.r, p.CRM, p.Email, p.Cookie, p.Late)
			return
		}
		if c.Customer = p.Name(); c.Tenant != All {
			c.Tenant = p.Tenant
		}
	},
	"erase": func(g *Generator, c *Change, p *Person) {
		c.Tenant, c.Customer = pick(g.r, p.Tenant, p.Tenant, p.Tenant, All), p.Name()
	},
	"consent": func(g *Generator, c *Change, p *Person) {
		c.Customer, c.Status = p.Name(), "withdrawn"
		if g.r.IntN(4) > 0 {
			c.Status, c.Until = "granted", g.until()
			c.Purposes = pick(g.r, nil, []string{"use"}, []string{"use", "share"}, []string{"share"})
		}
	},
	"segment_add":    segment,
	"segment_remove": segment,
	"link": func(g *Generator, c *Change, p *Person) {
		pairOf(g, c, p)
		c.Method = pick(g.r, "", "", "observed", "cookie_sync")
	},
	"unlink": pairOf,
}

func segment(g *Generator, c *Change, p *Person) {
	c.Customer, c.Segment, c.Until = p.Name(), pick(g.r, codes[:]...), g.until()
}

// pairOf picks the link of one of the person's cookies.
func pairOf(g *Generator, c *Change, p *Person) {
	if c.Left, c.Right = p.Late, p.via; g.r.IntN(3) == 0 {
		c.Left, c.Right = p.Cookie, p.CRM
	}
	if g.r.IntN(2) == 0 {
		c.Left, c.Right = c.Right, c.Left
	}
}

// types are those of the changes that a [Generator] makes, each as often as it
// is to come: erasures are rarer than what lifts them.
var types = []string{
	"opt_out", "opt_out", "opt_out",
	"opt_in", "opt_in", "opt_in", "opt_in", "opt_in",
	"consent", "consent", "consent",
	"segment_add", "segment_add", "segment_add", "segment_remove", "segment_remove",
	"link", "link", "link", "link", "unlink", "unlink", "unlink",
	"erase",
}

// perSecond is how many changes have about the same time: many of one fact
// have the very same.
const perSecond = 60

// Generator makes changes of the persons of a world at random. Their times go
// on, out of order and often equal.
type Generator struct {
	world *World
	name  string
	r     *rand.Rand
	n     int
}

// Generator makes a generator with a name, which is in the ids of its changes.
// Generators of several names may have one r only where they share a goroutine.
func (w *World) Generator(name string, r *rand.Rand) *Generator {
	return &Generator{world: w, name: name, r: r}
}

// Next makes a change.
func (g *Generator) Next() Change {
	p := &g.world.Persons[g.r.IntN(len(g.world.Persons))]
	c := Change{ID: fmt.Sprintf("%s-%d", g.name, g.n), Type: pick(g.r, types...), At: g.begin().Add(time.Duration(g.n/perSecond+g.r.IntN(4)) * time.Second)}
	g.n++
	makers[c.Type](g, &c, p)
	return c
}

// Flip is true once in n times.
func (g *Generator) Flip(n int) bool { return g.r.IntN(n) == 0 }

// begin is when the first changes are.
func (g *Generator) begin() time.Time { return g.world.AsOf.Add(time.Hour) }

// tenant is mostly the person's own.
func (g *Generator) tenant(p *Person) string {
	return pick(g.r, p.Tenant, p.Tenant, p.Tenant, p.Tenant, p.Tenant, tenants[0], tenants[1], All)
}

// until is mostly never; an end is over, or a year or two away.
func (g *Generator) until() *time.Time {
	at := g.world.AsOf.Add(pick(g.r, 12*time.Hour, 400*24*time.Hour, 800*24*time.Hour))
	if g.r.IntN(2) == 0 {
		return nil
	}
	return &at
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// Token is the token under which the log has a change of a client.
func Token(client, id string) [16]byte {
	digest := sha256.Sum256([]byte(client + "\x00" + id))
	return [16]byte(digest[:])
}
