package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/livetest"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Environment: how often TestTorture kills, and the seed of an earlier run of a
// test that is random.
const (
	killsEnv = "MATCHD_KILLS"
	seedEnv  = "MATCHD_SEED"
)

// killsOfALog is after how many kills a new log is begun: every start reads all
// of it.
const killsOfALog = 100

// torture is a daemon that is killed again and again, and what its clients know.
type torture struct {
	*living
	names  *event.Names
	client *http.Client
	r      *rand.Rand
	gens   []*livetest.Generator

	mu     sync.Mutex
	sent   map[[16]byte]livetest.Change // by token
	tokens [][16]byte                   // in the order in which they were sent
	acked  map[[16]byte]receipt
	asked  []asked
	beyond map[[16]byte]bool // by token: of those that are there and were not acknowledged
	counts struct{ acked, resent, refused int }
}

// asked is the answers of a daemon that had just started, and the number of the
// last record that it had then.
type asked struct {
	seq     uint64
	at      time.Time
	answers map[string][]string // by tenant
}

// TestTorture kills the daemon with kill -9 at random moments while 16 clients
// send changes of all types, and sometimes while it starts. Whatever it has
// acknowledged is in the log, with the sequence number and the hash of its
// receipt; each record is as it was sent, and was sent; and the next daemon's
// answers are what a model makes of just those changes. None names a customer who
// was erased before it.
func TestTorture(t *testing.T) {
	kills := number(t, killsEnv, 5)
	seed := number(t, seedEnv, time.Now().UnixNano()&(1<<40-1))
	t.Logf("%s=%d", seedEnv, seed)
	t.Setenv(asCommand, "1")
	o := &torture{living: newLiving(t, 16), beyond: map[[16]byte]bool{}, r: rand.New(rand.NewPCG(uint64(seed), 1))}
	o.names = namesOf(t, o.store)
	o.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: 30 * time.Second}
	defer o.client.CloseIdleConnections()
	for n := range kills {
		if n%killsOfALog == 0 {
			o.begin(t, n)
		}
		if o.round(t); o.r.IntN(2) == 0 || n == kills-1 || n%killsOfALog == killsOfALog-1 {
			o.check(t)
		}
		if t.Failed() {
			t.Fatalf("after kill %d with %s=%d", n+1, seedEnv, seed)
		}
	}
	t.Logf("%d kills: %d changes were acknowledged, %d were not and are there, %d were sent again, %d were refused", kills, o.counts.acked, len(o.beyond), o.counts.resent, o.counts.refused)
	if o.counts.acked < int(kills)*10 || o.counts.refused < int(kills) {
		t.Error("that is too few to show anything")
	}
}

func number(t *testing.T, env string, otherwise int64) int64 {
	t.Helper()
	if os.Getenv(env) == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(os.Getenv(env), 10, 64)
	must(t, err)
	return n
}

// namesOf is what the daemon binds changes to.
func namesOf(t *testing.T, dir string) *event.Names {
	t.Helper()
	store, err := snapshot.OpenStore(dir)
	must(t, err)
	secret, err := store.Secret()
	must(t, err)
	n := &event.Names{Hasher: snapshot.IdentifierHasher(secret), Key: secret.ID(), Tenants: livetest.Tenants()}
	must(t, store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error {
		n.Normalised = s.Normalised
		n.Namespaces, err = index.NewNamespaces(s.Namespaces.All())
		return err
	}))
	return n
}

// begin begins a new log. A store has one for good, so it is made one without.
func (o *torture) begin(t *testing.T, n int64) {
	t.Helper()
	if err := os.Remove(filepath.Join(o.store, "LOG")); !errors.Is(err, fs.ErrNotExist) {
		must(t, err)
	}
	o.logIn(t, filepath.Join(t.TempDir(), "events"))
	o.sent, o.acked = map[[16]byte]livetest.Change{}, map[[16]byte]receipt{}
	o.tokens, o.gens = nil, nil
	for w := range 16 {
		o.gens = append(o.gens, o.world.Generator(fmt.Sprintf("%d-%d", n, w), rand.New(rand.NewPCG(o.r.Uint64(), 2))))
	}
}

// round starts a daemon, has its answers noted, and kills it while changes come.
func (o *torture) round(t *testing.T) {
	t.Helper()
	if o.r.IntN(8) == 0 {
		o.killStart(t)
	}
	d := serveKillable(t, o.config)
	o.ask(t, d)
	stop := make(chan struct{})
	count := make(chan int, 1<<12)
	var writers sync.WaitGroup
	for w := range o.gens {
		again := o.again()
		writers.Go(func() { o.write(t, d.url, o.gens[w], again, stop, count) })
	}
	// After so many requests, and a little: in the midst of others.
	for n := 1 + o.r.IntN(60); n > 0; n-- {
		select {
		case <-count:
		case <-time.After(20 * time.Second):
			t.Error("nothing is acknowledged any more")
			n = 0
		}
	}
	time.Sleep(time.Duration(o.r.IntN(1500)) * time.Microsecond)
	d.kill()
	close(stop)
	writers.Wait()
}

// killStart kills a daemon before it has started, or has it told so.
func (o *torture) killStart(t *testing.T) {
	t.Helper()
	d := startKillable(t, o.config)
	time.Sleep(time.Duration(o.r.IntN(80)) * time.Millisecond)
	d.kill()
}

// again draws some of the changes that were sent lately, to be sent again.
func (o *torture) again() (list []livetest.Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for range o.r.IntN(3) {
		if n := len(o.tokens); n > 0 {
			list = append(list, o.sent[o.tokens[n-1-o.r.IntN(min(n, 200))]])
		}
	}
	return list
}

// write sends changes, one or a few at a time, until the daemon is gone.
func (o *torture) write(t *testing.T, url string, g *livetest.Generator, list []livetest.Change, stop <-chan struct{}, count chan<- int) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		for len(list) == 0 || g.Flip(2) {
			list = append(list, g.Next())
		}
		o.mu.Lock()
		for _, c := range list {
			token := livetest.Token(shop, c.ID)
			if _, known := o.sent[token]; !known {
				o.tokens = append(o.tokens, token)
			} else {
				o.counts.resent++
			}
			o.sent[token] = c
		}
		o.mu.Unlock()
		receipts, err := sent(o.client, url, list)
		if errors.Is(err, errRefused) {
			t.Error(err)
		}
		if err != nil {
			return // it is not known what became of them
		}
		o.mu.Lock()
		for i, r := range receipts {
			if r == (receipt{}) {
				o.counts.refused++
				continue
			}
			token := livetest.Token(shop, list[i].ID)
			if was, acked := o.acked[token]; acked && (was.Seq != r.Seq || was.Hash != r.Hash || was.Log != r.Log) {
				t.Errorf("change %s had receipt %+v, and now %+v", list[i].ID, was, r)
			} else if !acked {
				o.acked[token] = r
				o.counts.acked++
			}
		}
		o.mu.Unlock()
		count <- len(list)
		list = nil
	}
}

// ask notes what a daemon answers that nobody has sent anything yet.
func (o *torture) ask(t *testing.T, d *killable) {
	t.Helper()
	a := asked{at: time.Now(), answers: map[string][]string{}}
	_, metrics := fetch(t, "GET", d.admin, "")
	for line := range strings.Lines(metrics) {
		if rest, ok := strings.CutPrefix(line, `matchd_event_log_seq{store="pool"} `); ok {
			_, err := fmt.Sscan(rest, &a.seq)
			must(t, err)
		}
	}
	for _, tenant := range livetest.Tenants() {
		ids, _ := o.world.Model().Answers(tenant, a.at)
		a.answers[tenant] = answersTo(t, o.client, d.url, tenant, ids)
	}
	o.asked = append(o.asked, a)
}

// check reads the log that the last daemon has left, and holds all that clients
// were told against it.
func (o *torture) check(t *testing.T) {
	t.Helper()
	there := map[[16]byte]uint64{}
	m, next := o.world.Model(), 0
	answers := func(seq uint64) { // those that were given before a record
		for ; next < len(o.asked) && o.asked[next].seq < seq; next++ {
			o.compare(t, m, &o.asked[next])
		}
	}
	log, err := eventlog.Open(o.log, eventlog.Options{Replay: func(r eventlog.Record) error {
		answers(r.Seq)
		if r.Kind == eventlog.Note {
			return nil // the daemon's own
		}
		c, known := o.sent[r.Token]
		if r.Kind != eventlog.Event || !known {
			return fmt.Errorf("record %d was never sent", r.Seq)
		}
		there[r.Token] = r.Seq
		if a, acked := o.acked[r.Token]; !acked {
			o.beyond[r.Token] = true
		} else if a.Seq != r.Seq || a.Hash != r.Hash.String() {
			t.Errorf("record %d has the hash %s, and was acknowledged as %+v", r.Seq, r.Hash, a)
		}
		if m.Refuses(&c) {
			t.Errorf("record %d names a customer who is erased", r.Seq)
		}
		c.At = m.Add(&c)
		return o.asSent(&c, &r)
	}})
	must(t, err)
	defer func() { must(t, log.Close()) }()
	if log.Torn() != nil {
		t.Errorf("the log is torn: %+v", log.Torn())
	}
	answers(1 << 63)
	o.asked = nil
	for token, a := range o.acked {
		switch {
		case there[token] == 0:
			t.Errorf("change %s was acknowledged as %d and is lost", o.sent[token].ID, a.Seq)
		case a.Log != log.ID().String():
			t.Errorf("change %s has a receipt of the log %s", o.sent[token].ID, a.Log)
		}
	}
}

// compare holds noted answers against a model.
func (o *torture) compare(t *testing.T, m *livetest.Model, a *asked) {
	t.Helper()
	for _, tenant := range livetest.Tenants() {
		ids, want := m.Answers(tenant, a.at)
		for i, got := range a.answers[tenant] {
			if got != want[i] {
				t.Errorf("with %d records, %s is answered %q, not %q", a.seq, ids[i], got, want[i])
			}
		}
	}
}

// asSent checks that a record says what was sent, whole, unless it is redacted.
func (o *torture) asSent(c *livetest.Change, r *eventlog.Record) error {
	if r.Redacted {
		return nil
	}
	got, err := event.Decode(r.Body)
	if err != nil {
		return err
	}
	e, err := event.Parse(c.JSON())
	if err != nil {
		return err
	}
	want, err := e.Bind(o.names, shop, time.Now())
	if err != nil {
		return err
	}
	if want.Type == event.Erase && len(got.Contacts) == 1 { // the one that the snapshot has
		want.Contacts = got.Contacts
	}
	if !bytes.Equal(want.Append(nil), r.Body) {
		return fmt.Errorf("record %d is %+v, and %+v was sent", r.Seq, got, want)
	}
	return nil
}
