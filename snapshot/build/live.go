package build

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// A LiveSource gives what a log of live changes comes to: its opt-outs and
// erasures are by hashes under the store's secret, or a former one, and its
// identifiers are of the namespaces. It refuses a log that has hashes of another
// secret.
type LiveSource func(ns *index.Namespaces, keys snapshot.Keys) (*Live, error)

// Live is what a log of live changes comes to, up to one of its records: of each
// fact the change that holds. Each fact is given once. Times are Unix
// nanoseconds, ends are Unix seconds, 0 for never.
type Live struct {
	// Log is the log's id, Seq the number of the last record that was read, and
	// Hash its hash, which covers the records before it too.
	Log  string
	Seq  uint64
	Hash [sha256.Size]byte
	// Normalised are the rules by which identifiers that are withheld were made, by
	// namespace, see [snapshot.KeyRules]: of erased customers too, so that their
	// tenants are known. Unsaid says that there are opt-outs beside them of which the
	// log does not say it.
	Normalised map[string][]string
	Unsaid     bool

	Links    iter.Seq[LiveLink]
	Segments iter.Seq[LiveSegment]
	Consents iter.Seq[LiveConsent]
	OptOuts  iter.Seq[LiveOptOut]
	Erasures iter.Seq[LiveErasure]
}

// LiveLink says that two identifiers, as text, are linked or are not.
type LiveLink struct {
	Left, Right string
	At          int64
	Linked      bool
	Method      snapshot.Method // where they are linked
}

// LiveSegment says that a customer, as text, is in a segment or is not.
type LiveSegment struct {
	Customer, Code string
	At, Until      int64
	Added          bool
}

// LiveConsent is the consent of a customer, as text.
type LiveConsent struct {
	Customer  string
	At, Until int64
	Granted   bool
	Purposes  snapshot.Purposes // that are granted
}

// AllTenants stands for all tenants in a LiveOptOut and a LiveErasure.
const AllTenants = "*"

// LiveOptOut says for which tenants an identifier is not to be used.
type LiveOptOut struct {
	Identifier index.Hash
	Tenants    []string
}

// LiveErasure says for which tenants a customer is erased, and with what contact
// identifiers as far as they were known.
type LiveErasure struct {
	Customer index.Hash
	Tenants  []string
	Contacts []index.Hash
}

// ErrLiveRewound is of a log that ends before what a snapshot contains of it.
var ErrLiveRewound = errors.New("the log of live changes was rewound")

// prepareLive reads the log, if there is one, before there is anything to undo.
func (b *builder) prepareLive() error {
	have, err := b.knownStore()
	if err != nil {
		return err
	}
	if b.opts.Live == nil {
		if have.log != "" {
			return &snapshot.OtherLogError{Store: b.opts.Store, Has: have.log}
		}
		return nil
	}
	if b.live, err = b.opts.Live(b.ns, have.keys); err != nil {
		return err
	}
	b.report.Live = &LiveReport{Log: b.live.Log, Seq: b.live.Seq}
	if have.log != "" && have.log != b.live.Log {
		return &snapshot.OtherLogError{Store: b.opts.Store, Has: have.log, Given: b.live.Log}
	}
	if seq := have.current.Knows(b.live.Log); seq > b.live.Seq {
		return fmt.Errorf("%w: the store's snapshot was made with it up to %d, and it ends at %d: put the newest copy of the log in its place", ErrLiveRewound, seq, b.live.Seq)
	}
	if err := b.checkRules(have.namespaces); err != nil {
		return err
	}
	return b.checkTenants()
}

// knownStore is what is known of a store before it is made or locked.
type knownStore struct {
	keys snapshot.Keys
	log  string
	// current and namespaces are of its snapshot, empty where there is none.
	current    snapshot.Meta
	namespaces *index.Namespaces
}

// knownStore looks at the store. Of one that is yet to be made it settles the
// secret, which live changes are read under.
func (b *builder) knownStore() (k knownStore, err error) {
	store, err := snapshot.OpenStore(b.opts.Store)
	if errors.Is(err, fs.ErrNotExist) {
		if b.opts.Live != nil && b.opts.Secret == nil {
			b.opts.Secret = new(index.Secret)
			_, _ = rand.Read(b.opts.Secret[:]) // never fails
		}
		if b.opts.Secret != nil {
			k.keys.Secret = *b.opts.Secret
		}
		return k, nil
	}
	if err != nil {
		return k, err
	}
	if k.keys, err = store.Keys(); err != nil {
		return k, err
	}
	if k.log, err = store.Log(); err != nil {
		return k, err
	}
	if b.opts.Live == nil {
		return k, nil
	}
	cur, err := store.Current()
	if errors.Is(err, snapshot.ErrNoSnapshot) {
		return k, nil
	}
	if err != nil {
		return k, err
	}
	m, d, err := store.ReadDictionaries(cur)
	if errors.Is(err, snapshot.ErrCorrupt) || errors.Is(err, snapshot.ErrVersion) {
		return k, nil // a build mends that
	}
	k.current, k.namespaces = m.Meta, d.Namespaces
	return k, err
}

// keepLog says in the store which log belongs to it, before a snapshot of it is
// published.
func (b *builder) keepLog() error {
	if b.live == nil {
		return nil
	}
	return b.store.SetLog(b.live.Log)
}

// tenantSet is the tenants that something is withheld from, by number,
// ascending; or allTenants alone.
type tenantSet []uint16

const allTenants = 1<<16 - 1

// tenantSet is tenants by name; those that the config does not have are passed
// over.
func (b *builder) tenantSet(names []string) (s tenantSet) {
	for _, name := range names {
		if name == AllTenants {
			return tenantSet{allTenants}
		}
		for i := range b.cfg.Tenants {
			if b.cfg.Tenants[i].Name == name {
				s = append(s, uint16(i))
			}
		}
	}
	return joinTenants(s, len(b.cfg.Tenants))
}

// joinTenants sorts tenants, each once; all of them are allTenants.
func joinTenants(s tenantSet, tenants int) tenantSet {
	slices.Sort(s)
	s = slices.Compact(s)
	if n := len(s); n > 0 && (n >= tenants || s[n-1] == allTenants) {
		return tenantSet{allTenants}
	}
	return s
}

func (s tenantSet) all() bool { return len(s) > 0 && s[0] == allTenants }

// has reports whether something is withheld from a tenant.
func (s tenantSet) has(tenant uint16) bool {
	if s.all() {
		return true
	}
	_, ok := slices.BinarySearch(s, tenant)
	return ok
}
