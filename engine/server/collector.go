package server

import (
	"math"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/swap"
)

// collector shows the counters of a server and its engine to Prometheus, as
// they are at each scrape.
type collector struct {
	server *Server

	lookups, requests, duration, panics, faults *prometheus.Desc
	swaps, refusals, reasons, held              *prometheus.Desc
	logSeq, logFailed, unobeyed, obeyed         *prometheus.Desc
	overdue, found, retired                     *prometheus.Desc
	followLag, followSeq                        *prometheus.Desc
	bytes, identifiers, age, opened, info       *prometheus.Desc
}

func newRegistry(s *Server) *prometheus.Registry {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("matchd_"+name, help, labels, nil)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &collector{
		server:      s,
		lookups:     desc("lookups_total", "Answers to questions, by store and result.", "store", "result"),
		requests:    desc("requests_total", "Answered requests, by route and status.", "route", "code"),
		duration:    desc("request_duration_seconds", "Time from a request read to its answer made, by route.", "route"),
		panics:      desc("panics_total", "Requests that panicked."),
		faults:      desc("faults_total", "Answers that a damaged record or lost memory made unknown.", "store"),
		swaps:       desc("swaps_total", "Snapshots swapped in.", "store"),
		refusals:    desc("snapshots_refused_total", "Snapshots refused.", "store"),
		reasons:     desc("swaps_refused_total", "Refusals of snapshots by reason; one refusal may have several.", "store", "reason"),
		held:        desc("swap_held", "Whether what is served is not what CURRENT names: by a pin, or a refusal.", "store"),
		bytes:       desc("snapshot_bytes", "Size of the open snapshot's files.", "store"),
		identifiers: desc("snapshot_identifiers", "Identifiers in the open snapshot.", "store"),
		age:         desc("snapshot_age_seconds", "Time since the moment that the open snapshot speaks of.", "store"),
		opened:      desc("snapshot_opened_timestamp_seconds", "When the open snapshot was swapped in.", "store"),
		info:        desc("snapshot_info", "The open snapshot; the value is 1.", "store", "snapshot"),
		logSeq:      desc("event_log_seq", "Number of the newest live change on disk.", "store"),
		logFailed:   desc("event_log_failed", "1 where the log of live changes takes none until a restart.", "store"),
		unobeyed:    desc("event_log_unobeyed_seconds", "Age of the oldest live change that is on disk and not obeyed by lookups.", "store"),
		obeyed:      desc("event_refusal_seconds", "Time from an opt-out or erasure being accepted to when each lookup that begins obeys it.", "store", "type"),
		overdue:     desc("erasure_overdue_seconds", "For how much longer than erase_within an erased customer is in a snapshot that is served, current or pinned.", "store"),
		found:       desc("erased_customers_found", "Erased customers in snapshots that say to contain their erasures; there must be none.", "store"),
		retired:     desc("snapshots_erased_total", "Snapshots removed since an erased customer was in them for erase_within.", "store"),
		followLag:   desc("follow_lag_seconds", "Time since a follower is known to have had all live changes of its leader; +Inf where it never had.", "store"),
		followSeq:   desc("follow_seq", "Number of the newest live change that a follower has.", "store"),
	})
	return r
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.lookups, c.requests, c.duration, c.panics, c.faults, c.swaps, c.refusals, c.reasons, c.held,
		c.bytes, c.identifiers, c.age, c.opened, c.info, c.logSeq, c.logFailed, c.unobeyed, c.obeyed,
		c.overdue, c.found, c.retired, c.followLag, c.followSeq,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for _, p := range c.server.pools.All() {
		stats := p.Stats()
		for result, n := range stats.Results {
			counter(c.lookups, n, p.Name, result.String())
		}
		counter(c.faults, stats.Results[engine.ResultFault], p.Name)
		counter(c.swaps, stats.Swaps, p.Name)
		counter(c.refusals, stats.Refused, p.Name)
		for _, reason := range swap.Reasons() {
			counter(c.reasons, stats.Reasons[reason], p.Name, string(reason))
		}
		c.collectSnapshot(out, p)
		c.collectLog(out, p)
	}
	counter(c.panics, c.server.metrics.panics.Load())
	for id := range routeIDs {
		t := c.server.metrics.totals(id)
		for i, n := range t.statuses {
			if n > 0 {
				counter(c.requests, n, routeNames[id], statusLabel(statuses[i]))
			}
		}
		if id != routeRefused { // those have no duration
			out <- histogram(c.duration, durationBounds[:], t.buckets[:], time.Duration(t.nanos), routeNames[id])
		}
	}
}

func (c *collector) collectSnapshot(out chan<- prometheus.Metric, p engine.Pool) {
	info := p.Info()
	if info.Snapshot == "" {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(c.bytes, float64(info.Bytes), p.Name)
	gauge(c.identifiers, float64(info.Manifest.Counts.Identifiers), p.Name)
	gauge(c.age, time.Since(info.Manifest.AsOf).Seconds(), p.Name)
	gauge(c.opened, float64(info.Opened.UnixMilli())/1000, p.Name)
	gauge(c.info, 1, p.Name, info.Snapshot)
	if st, err := p.SwapStatus(); err == nil {
		held := 0.0
		if st.Serving != st.Current {
			held = 1
		}
		gauge(c.held, held, p.Name)
	}
}

// collectLog shows the log of live changes, where there is one.
func (c *collector) collectLog(out chan<- prometheus.Metric, p engine.Pool) {
	changes := p.Changes()
	if changes == nil {
		return
	}
	seq, _, _ := changes.Log().Last()
	failed := 0.0
	if changes.Err() != nil {
		failed = 1
	}
	erased := changes.Erased()
	for d, v := range map[*prometheus.Desc]float64{
		c.logSeq: float64(seq), c.logFailed: failed, c.unobeyed: changes.Unobeyed().Seconds(),
		c.overdue: erased.Overdue.Seconds(), c.found: float64(erased.Found),
	} {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, p.Name)
	}
	out <- prometheus.MustNewConstMetric(c.retired, prometheus.CounterValue, float64(erased.Removed), p.Name)
	l := changes.Latency()
	for name, d := range map[string]*engine.Durations{event.OptOut.String(): &l.OptOuts, event.Erase.String(): &l.Erasures} {
		out <- histogram(c.obeyed, engine.LatencyBounds(), d.Buckets[:], d.Sum, p.Name, name)
	}
	if f, ok := changes.Following(); ok {
		lag := f.Lag.Seconds()
		if f.Lag == math.MaxInt64 {
			lag = math.Inf(1)
		}
		out <- prometheus.MustNewConstMetric(c.followLag, prometheus.GaugeValue, lag, p.Name)
		out <- prometheus.MustNewConstMetric(c.followSeq, prometheus.GaugeValue, float64(f.Seq), p.Name)
	}
}

// histogram is one of counts in buckets, the last of which has no bound.
func histogram(d *prometheus.Desc, bounds []time.Duration, counts []uint64, sum time.Duration, labels ...string) prometheus.Metric {
	buckets := make(map[float64]uint64, len(bounds))
	count := uint64(0)
	for i, n := range counts {
		count += n
		if i < len(bounds) {
			buckets[bounds[i].Seconds()] = count
		}
	}
	return prometheus.MustNewConstHistogram(d, count, sum.Seconds(), buckets, labels...)
}

func statusLabel(status int) string {
	if status == 0 {
		return "other"
	}
	return strconv.Itoa(status)
}
