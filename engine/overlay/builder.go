package overlay

// Builder makes an overlay from many changes faster than [Overlay.With] does,
// as at the start of a daemon, which replays its log.
type Builder struct {
	m       merger
	applied uint64
	seq     uint64
}

// NewBuilder begins an overlay beside a snapshot that contains the log up to a
// sequence number.
func NewBuilder(applied uint64) *Builder {
	b := &Builder{applied: applied}
	empty := newTree(minBits)
	b.m.draft = empty.edit()
	b.m.reuse = true
	return b
}

// Add adds a change; see [Overlay.With] for their order. It keeps no reference
// to it.
func (b *Builder) Add(c *Change) {
	b.m.apply(c)
	b.seq = max(b.seq, c.Seq)
}

// Build returns the overlay. The builder must not be used any more.
func (b *Builder) Build() *Overlay {
	for _, p := range b.m.pages {
		if p == nil {
			continue
		}
		for i, bucket := range p {
			if cap(bucket) > len(bucket) {
				p[i] = append(make([]byte, 0, len(bucket)), bucket...)
			}
		}
	}
	o := &Overlay{tree: b.m.tree, applied: b.applied, seq: b.seq}
	b.m = merger{}
	return o
}
