package build

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/spill"
)

// open makes the store where there is none, takes its lock, and opens the
// previous snapshot.
func (b *builder) open() (err error) {
	if b.store, err = snapshot.CreateStore(b.opts.FS, b.opts.Store, b.opts.Secret); err != nil {
		return err
	}
	if b.draft, err = b.store.Begin(); err != nil {
		return err
	}
	keys, err := b.store.Keys() // which stay while the store is locked
	if err != nil {
		return err
	}
	b.secret, b.former, b.formerKeys = keys.Secret, keys.IdentifierHashers(), keys.FormerIDs()
	if err := b.openSpace(); err != nil {
		return err
	}
	return b.openPrevious()
}

func (b *builder) openPrevious() (err error) {
	var cur snapshot.Current
	switch b.opts.Previous {
	case "":
		return nil
	case Current:
		cur, err = b.store.Current()
		if errors.Is(err, snapshot.ErrNoSnapshot) {
			return nil
		}
	default:
		cur, err = b.store.Named(b.opts.Previous)
	}
	if err == nil {
		b.previous, err = b.store.Open(cur, snapshot.Once)
	}
	if err != nil {
		return fmt.Errorf("previous snapshot: %w", err)
	}
	return nil
}

// spillShare is the share of the memory that records between stages may take,
// in percent; the rest is for the arrays of numbers and what stages work on.
const spillShare = 65

// openSpace clears away what a killed build left in the folder for temporary
// files: nobody else uses it while the store is locked.
func (b *builder) openSpace() error {
	dir := b.draft.SpillDir
	if b.opts.Tmp != "" {
		abs, err := filepath.EvalSymlinks(b.opts.Store)
		if err == nil {
			abs, err = filepath.Abs(abs)
		}
		if err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(abs))
		own := filepath.Join(b.opts.Tmp, fmt.Sprintf("matchd-build-%x", sum[:8]))
		if err := spill.Clear(own); err != nil {
			return err
		}
		dir = func() (string, error) { return own, nil }
	}
	b.space = b.opts.newSpace(dir, b.opts.Memory/100*spillShare)
	return nil
}

func (b *builder) close() error {
	var err error
	if b.space != nil {
		err = b.space.Close()
	}
	if b.previous != nil {
		err = errors.Join(err, b.previous.Close())
	}
	if b.draft != nil {
		err = errors.Join(err, b.draft.Close())
	}
	return err
}
