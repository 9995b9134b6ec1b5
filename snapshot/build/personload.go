package build

import (
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot/resolve"
)

// groupNode is an identifier of a group.
type groupNode struct {
	root, number uint32
	node
}

// groupLink is a link of a group.
type groupLink struct {
	root uint32
	cut  resolve.Reason // before the set was resolved
	link
}

// load reads a group and sorts it by sets.
func (w *personWorker) load(i int) error {
	if err := w.loadNodes(i); err != nil {
		return err
	}
	chunks, buf, err := w.r.g.links.Load(i, w.buf[1])
	w.buf[1] = buf
	if err != nil {
		return err
	}
	w.keys, w.found, w.links = w.keys[:0], w.found[:0], w.links[:0]
	for _, chunk := range chunks {
		for d := (decoder{chunk}); d.more(); {
			l := groupLink{root: d.u32(), cut: resolve.Reason(d.u8()), link: d.link()}
			if l.a > l.b {
				l.a, l.b = l.b, l.a
			}
			w.keys = append(w.keys, index.Entry{
				Hash: index.Hash{Hi: uint64(l.root)<<32 | uint64(l.a), Lo: uint64(l.b)<<32 | uint64(l.method)<<16 | uint64(l.source)},
				Addr: uint64(len(w.found)),
			})
			w.found = append(w.found, l)
		}
	}
	index.SortEntries(w.keys)
	for i := range w.keys {
		w.links = append(w.links, w.found[w.keys[i].Addr])
	}
	return nil
}

// loadNodes reads the identifiers of a group. They are sorted while they are
// still encoded.
func (w *personWorker) loadNodes(i int) error {
	chunks, buf, err := w.r.g.nodes.Load(i, w.buf[0])
	w.buf[0] = buf
	if err != nil {
		return err
	}
	w.keys, w.nodes = w.keys[:0], w.nodes[:0]
	for k, chunk := range chunks {
		for d := (decoder{chunk}); d.more(); {
			at := uint64(len(chunk) - len(d.b))
			w.keys = append(w.keys, index.Entry{
				Hash: index.Hash{Hi: uint64(d.u32())<<32 | uint64(d.u32())}, Addr: uint64(k)<<32 | at,
			})
			d.node()
		}
	}
	index.SortEntries(w.keys)
	for i := range w.keys {
		if i%block == 0 {
			w.touched += touch(chunks, w.keys[i:min(i+block, len(w.keys))])
		}
		d := decoder{chunks[w.keys[i].Addr>>32][uint32(w.keys[i].Addr):]}
		w.nodes = append(w.nodes, groupNode{root: d.u32(), number: d.u32(), node: d.node()})
	}
	return nil
}
