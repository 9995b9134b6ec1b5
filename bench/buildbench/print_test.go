package buildbench

import (
	"bytes"
	"testing"
	"time"

	"github.com/matchd/matchd/bench"
)

// The tables say the best of the rounds, over the best of sort's.
func TestMarkdown(t *testing.T) {
	usage := func(wall, cpu float64, peak int64) Usage {
		return Usage{time.Duration(wall * 1e9), time.Duration(cpu * 1e9), peak << 20}
	}
	build := func(u Usage, identifiers int64) Build {
		return Build{u, 75 * identifiers, 50 * identifiers, identifiers, identifiers / 5, []Stage{{"read", 9 * time.Second}, {"write", 1500 * time.Millisecond}}}
	}
	c := Default()
	r := &Result{
		Config: c, Machine: bench.Machine{CPU: "a CPU", Cores: 2, OS: "linux", Go: "go1", Commit: "0123456789ab"},
		Sizes: Sizes{Customers: 260e6, Links: 1490e6}, Cached: 0.994,
		Sort:   []Usage{usage(12, 18, 2048), usage(10, 17, 2000), usage(11, 19, 2048)},
		Builds: []Build{build(usage(31, 50, 3072), 11e6), build(usage(26, 49, 2560), 11e6), build(usage(28, 48, 4096), 11e6)},
		Scale: []Scale{
			{Data{1600000, 8000000, 1}, Sizes{2e8, 12e8}, 1, build(usage(20, 30, 5120), 10e6)},
			{Data{16000000, 80000000, 1}, Sizes{2e9, 12e9}, -1, build(usage(210, 300, 6144), 100e6)},
		},
		Skipped: []string{"this, for that"},
	}
	var got bytes.Buffer
	r.Markdown(&got)
	const want = `# How fast a build is

On 2 cores of a CPU, linux, go1, commit 0123456789ab, by

§§§
matchd bench build --customers 2000000 --links 10000000 --seed 1 --rounds 3 --scale 10000000,100000000 --memory 6GiB
§§§

## Beside sort

10,000,000 links (1.49 GB) and 2,000,000 customers (0.26 GB). Each is a process of its own, in turns; the best of 3 counts.
The input was written just before: 99 % of it is in the page cache. The build verifies, syncs and publishes; sort does not sync.

| | seconds | × sort | CPU seconds | peak resident GiB | seconds of each round |
|---|--:|--:|--:|--:|---|
| §LC_ALL=C sort --parallel=2 -S 4G§ of the links alone | 10.0 | 1.00 | 17.0 | 1.95 | 12.0, 10.0, 11.0 |
| §matchd build --memory 6GiB§ of all | 26.0 | 2.60 | 49.0 | 2.50 | 31.0, 26.0, 28.0 |

The snapshot: 11,000,000 identifiers of 2,200,000 persons in 0.82 GB, 75.0 bytes an identifier; 0.55 GB were spilled.
Stages of the best round: read 9.0 s, write 1.5 s.

## As the data grows

One build each with §--memory 6GiB§; × is over the first row.

| identifiers (×) | customers, links | input GB | in the page cache | seconds (×) | CPU seconds | peak resident GiB | spilled GB | snapshot GB |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|
| 10,000,000 (1.00) | 1,600,000, 8,000,000 | 1.40 | 100 % | 20.0 (1.00) | 30.0 | 5.00 | 0.50 | 0.75 |
| 100,000,000 (10.00) | 16,000,000, 80,000,000 | 14.00 | unknown | 210.0 (10.50) | 300.0 | 6.00 | 5.00 | 7.50 |

Stages with 10,000,000 identifiers: read 9.0 s, write 1.5 s.

Stages with 100,000,000 identifiers: read 9.0 s, write 1.5 s.

Skipped:

- this, for that
`
	if text := bytes.ReplaceAll([]byte(want), []byte("§"), []byte("`")); !bytes.Equal(got.Bytes(), text) {
		t.Errorf("it prints\n%s", got.String())
	}
}
