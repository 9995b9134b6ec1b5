package persons

import (
	"slices"

	"github.com/matchd/matchd/index"
)

// A trie is a map from hashes, or ids that are as random, of which versions
// share what they do not change. It has a fork for each four bits, and leaves
// of up to leafSize entries. The zero value is empty.
type trie[V any] struct {
	root fork[V]
	n    int
}

const (
	forkBits = 4
	leafSize = 4
	maxDepth = 64 / forkBits
)

type fork[V any] struct {
	forks  *[1 << forkBits]fork[V] // nil at a leaf
	leaves []leaf[V]
}

type leaf[V any] struct {
	key   index.Hash
	value V
}

// branch is the fork that a key takes at a depth.
func branch(key index.Hash, depth int) int {
	return int(key.Lo >> (depth * forkBits) & (1<<forkBits - 1))
}

func (t *trie[V]) get(key index.Hash) (v V, ok bool) {
	f := &t.root
	for depth := 0; f.forks != nil; depth++ {
		f = &f.forks[branch(key, depth)]
	}
	for i := range f.leaves {
		if f.leaves[i].key == key {
			return f.leaves[i].value, true
		}
	}
	return v, false
}

// with returns the map with an entry set.
func (t trie[V]) with(key index.Hash, v V) trie[V] {
	if _, ok := t.get(key); !ok {
		t.n++
	}
	t.root = t.root.with(key, v, 0)
	return t
}

func (f fork[V]) with(key index.Hash, v V, depth int) fork[V] {
	if f.forks != nil {
		forks := *f.forks
		at := branch(key, depth)
		forks[at] = forks[at].with(key, v, depth+1)
		return fork[V]{forks: &forks}
	}
	leaves := slices.DeleteFunc(slices.Clone(f.leaves), func(l leaf[V]) bool { return l.key == key })
	leaves = append(leaves, leaf[V]{key, v})
	if len(leaves) <= leafSize || depth == maxDepth {
		return fork[V]{leaves: leaves}
	}
	split := fork[V]{forks: new([1 << forkBits]fork[V])}
	for _, l := range leaves {
		split = split.with(l.key, l.value, depth)
	}
	return split
}

// without returns the map without a key.
func (t trie[V]) without(key index.Hash) trie[V] {
	if _, ok := t.get(key); ok {
		t.n--
		t.root = t.root.without(key, 0)
	}
	return t
}

func (f fork[V]) without(key index.Hash, depth int) fork[V] {
	if f.forks != nil {
		forks := *f.forks
		at := branch(key, depth)
		forks[at] = forks[at].without(key, depth+1)
		return fork[V]{forks: &forks}
	}
	return fork[V]{leaves: slices.DeleteFunc(slices.Clone(f.leaves), func(l leaf[V]) bool { return l.key == key })}
}
