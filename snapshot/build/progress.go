package build

import (
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/matchd/matchd/snapshot/build/config"
)

// Progress says how far a stage of a build is.
type Progress struct {
	Stage string
	// Rows and Bytes were read so far; Total is how many bytes there are, or 0
	// where that is not known. All are 0 beyond the reading.
	Rows, Bytes, Total int64
}

// progress gathers what is told of a build.
type progress struct {
	rows, bytes, all atomic.Int64
	parts            atomic.Int64
	name             atomic.Pointer[string]

	mu   sync.Mutex
	tell func(Progress)
}

// interval is how often progress is told.
const interval = 200 * time.Millisecond

// start tells of the progress until stop is called.
func (p *progress) start(tell func(Progress)) (stop func()) {
	if tell == nil {
		return func() {}
	}
	p.mu.Lock()
	p.tell = tell
	p.mu.Unlock()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(interval)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				p.say()
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (p *progress) stage() string {
	if name := p.name.Load(); name != nil {
		return *name
	}
	return ""
}

func (p *progress) begin(name string) {
	p.say() // how far the stage before it came
	p.name.Store(&name)
	if name != "read" {
		p.rows.Store(0)
		p.bytes.Store(0)
		p.all.Store(0)
	}
	if name != "" {
		p.say()
	}
}

func (p *progress) total(n int64) { p.all.Store(n) }

func (p *progress) say() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name := p.stage(); p.tell != nil && name != "" {
		p.tell(Progress{Stage: name, Rows: p.rows.Load(), Bytes: p.bytes.Load(), Total: p.all.Load()})
	}
}

// size adds up the sizes of the files, or returns 0 where one is not known.
func (r *reader) size(profiles []config.ProfileFile, links []config.LinkFile) (total int64) {
	var paths []string
	for _, f := range profiles {
		paths = append(paths, f.Path)
	}
	for _, f := range links {
		paths = append(paths, f.Path)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return 0
		}
		total += info.Size()
	}
	return total
}
