package admin

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"

	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/tally"
)

// scrapeTime is how long a scrape waits for loops. One that is stuck has the numbers of the time before, and a lag that says so.
const scrapeTime = time.Second

// metric is a metric that is made of what there is at the time of a scrape.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func (s *Server) counter(name, help string, labels ...string) metric {
	return s.metric(name, help, prometheus.CounterValue, labels)
}

func (s *Server) gauge(name, help string, labels ...string) metric {
	return s.metric(name, help, prometheus.GaugeValue, labels)
}

func (s *Server) metric(name, help string, kind prometheus.ValueType, labels []string) metric {
	m := metric{prometheus.NewDesc("weir_"+name, help, labels, nil), kind}
	s.metrics.descs = append(s.metrics.descs, m.desc)
	return m
}

// to sends a value.
func (m metric) to(ch chan<- prometheus.Metric, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
}

// metrics is a prometheus.Collector: it asks for all numbers when it is scraped.
type metrics struct {
	server *Server
	descs  []*prometheus.Desc

	info, ready                                                         metric
	connections, loopConnections, maxConnections, accepted, closed      metric
	received, sent, requests, active, waiting, malformed                metric
	lag, takeovers, away, blocking, blockingPaths, content, dropped     metric
	topics, subscribers, messages                                       metric
	workers, busy, leaving, queued, deaths, replaced, takenBack, memory metric
	latency, queueWait                                                  *prometheus.Desc
}

// register makes the metrics.
func (s *Server) register() *prometheus.Registry {
	m := &s.metrics
	m.server = s
	m.info = s.gauge("info", "1, with the version of weir.", "version")
	m.ready = s.gauge("ready", "Whether the server should get requests (/readyz).")
	m.connections = s.gauge("connections", "Open connections, by what they are at.", "state")
	m.loopConnections = s.gauge("loop_connections", "Open connections of each loop.", "loop")
	m.maxConnections = s.gauge("max_connections", "Connections at which accepting pauses; 0: any number.")
	m.accepted = s.counter("connections_accepted_total", "Connections that were accepted.")
	m.closed = s.counter("connections_closed_total", "Connections that have ended, by the reason.", "reason")
	m.received = s.counter("received_bytes_total", "Octets that clients have sent, as the sockets have them.")
	m.sent = s.counter("sent_bytes_total", "Octets that were sent to clients, as the sockets have them.")
	m.requests = s.counter("requests_total", "Requests, by the status of the answer; none: the client left before.", "code")
	m.active = s.gauge("requests_active", "Requests that are begun and not answered.")
	m.waiting = s.gauge("requests_waiting", "Requests among them whose answer was deferred.")
	m.malformed = s.counter("malformed_requests_total", "Requests that the parser of HTTP/1.1 has refused, by what is wrong.", "kind")
	m.lag = s.gauge("loop_lag_seconds", "How long the loop took to answer this scrape, or has not answered an earlier one.", "loop")
	m.takeovers = s.counter("takeovers_total", "Calls of the application that have blocked and lost their loop.")
	m.content = s.gauge("content_memory_bytes", "Memory for request content that is read whole, in use.")
	m.away = s.gauge("takeovers_active", "Calls among them that have not returned.")
	m.blocking = s.gauge("blocking_calls", "Calls of the application that run on goroutines from the start.")
	m.blockingPaths = s.gauge("blocking_paths", "Paths that were learned to block.")
	m.dropped = s.counter("access_log_dropped_total", "Lines of the access log that were dropped because its writer was behind.")
	m.topics = s.gauge("hub_topics", "Topics that clients wait for.")
	m.subscribers = s.gauge("hub_subscribers", "Clients that wait for messages, by how.", "kind")
	m.messages = s.counter("hub_messages_total", "Messages that were published.")
	m.workers = s.gauge("python_workers", "Python workers that take requests.")
	m.busy = s.gauge("python_workers_busy", "Workers among them that have requests.")
	m.leaving = s.gauge("python_workers_leaving", "Workers that finish what they have begun.")
	m.queued = s.gauge("python_queue_length", "Requests that wait for a worker.")
	m.deaths = s.counter("python_worker_deaths_total", "Workers that have died.")
	m.replaced = s.counter("python_worker_replacements_total", "Workers that were replaced on purpose.")
	m.takenBack = s.counter("python_requests_taken_back_total", "Requests that were taken from a worker that was busy with another.")
	m.memory = s.gauge("python_worker_resident_bytes", "Resident memory of the worker in a place.", "worker")
	m.latency = prometheus.NewDesc("weir_request_duration_seconds", "From when the head of a request is whole to when the last octet of its answer is given to the connection.", nil, nil)
	m.queueWait = prometheus.NewDesc("weir_python_queue_wait_seconds", "How long requests have waited for a worker.", nil, nil)
	m.descs = append(m.descs, m.latency, m.queueWait)
	registry := prometheus.NewRegistry()
	registry.MustRegister(m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range m.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	s := m.server
	m.info.to(ch, 1, server.Version)
	ready := 1.0
	if len(s.lacking()) > 0 {
		ready = 0
	}
	m.ready.to(ch, ready)
	if watched := s.server(); watched != nil {
		m.collectServer(ch, watched)
	}
	s.mu.Lock()
	topics, workers := s.topics, s.workers
	s.mu.Unlock()
	if topics != nil {
		stats := topics.Stats()
		m.topics.to(ch, float64(stats.Topics))
		m.subscribers.to(ch, float64(stats.Polls), "poll")
		m.subscribers.to(ch, float64(stats.Streams), "stream")
		m.messages.to(ch, float64(stats.Published))
	}
	if workers == nil {
		return
	}
	stats := workers.Stats()
	busy := 0
	for _, w := range stats.Workers {
		if w.InFlight > 0 {
			busy++
		}
		m.memory.to(ch, float64(w.RSS), strconv.Itoa(w.Place))
	}
	m.workers.to(ch, float64(len(stats.Workers)))
	m.busy.to(ch, float64(busy))
	m.leaving.to(ch, float64(stats.Leaving))
	m.queued.to(ch, float64(stats.Waiting))
	m.deaths.to(ch, float64(stats.Died))
	m.replaced.to(ch, float64(stats.Replaced))
	m.takenBack.to(ch, float64(stats.TakenBack))
	ch <- prometheus.MustNewConstSummary(m.queueWait, stats.Given, stats.Waited.Seconds(), nil)
}

// collectServer collects what the server has counted.
func (m *metrics) collectServer(ch chan<- prometheus.Metric, watched *server.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), m.server.scrape)
	defer cancel()
	stats := watched.Statistics(ctx)
	m.maxConnections.to(ch, float64(watched.MaxConnections()))
	for state, n := range states(&stats) {
		m.connections.to(ch, float64(n), state)
	}
	received, sent, accepted := stats.Detached.Received, stats.Detached.Sent, uint64(0)
	var closed [loop.Reasons]uint64
	for i := range stats.Loops {
		l := &stats.Loops[i]
		name := strconv.Itoa(i)
		m.loopConnections.to(ch, float64(l.Connections), name)
		m.lag.to(ch, l.Lag.Seconds(), name)
		received, sent, accepted = received+l.Received, sent+l.Sent, accepted+l.Accepted
		for reason, n := range l.Closed {
			closed[reason] += n
		}
	}
	m.received.to(ch, float64(received))
	m.sent.to(ch, float64(sent))
	m.accepted.to(ch, float64(accepted))
	for reason, n := range closed {
		m.closed.to(ch, float64(n), strings.ReplaceAll(loop.Reason(reason).String(), " ", "_"))
	}
	m.closed.to(ch, float64(stats.Detached.Closed), "detached")
	r := &stats.Requests
	for code, n := range r.Answered {
		if n > 0 {
			m.requests.to(ch, float64(n), codeName(code))
		}
	}
	for kind, n := range r.Malformed {
		if n > 0 {
			m.malformed.to(ch, float64(n), httpparse.Kind(kind).String())
		}
	}
	m.active.to(ch, float64(r.Active))
	m.waiting.to(ch, float64(r.Waiting))
	ch <- &histogram{m.latency, &r.Latency}
	m.takeovers.to(ch, float64(stats.Takeovers))
	m.content.to(ch, float64(stats.ContentMemory))
	m.away.to(ch, float64(stats.Away))
	m.blocking.to(ch, float64(stats.Blocking))
	paths := 0
	for _, p := range watched.LearnedPaths() {
		if p.Goroutine {
			paths++
		}
	}
	m.blockingPaths.to(ch, float64(paths))
	m.dropped.to(ch, float64(stats.LogDropped))
}

// states is how many connections are at what. The loops have not been asked at the same moment, so that the sum may be off by a few.
func states(stats *server.Statistics) map[string]int {
	open, closing, sockets := 0, 0, 0
	for i := range stats.Loops {
		l := &stats.Loops[i]
		open += l.Connections
		closing += l.Closing
		sockets += l.Sockets
	}
	r := &stats.Requests
	active := r.Active - stats.HTTP2 - r.Waiting
	return map[string]int{
		"active":    max(active, 0),
		"waiting":   r.Waiting,
		"websocket": sockets,
		"detached":  stats.Detached.Open,
		"closing":   closing,
		"idle":      max(open-active-r.Waiting-sockets-stats.Detached.Open-closing, 0),
	}
}

// histogram is a tally.Histogram as a prometheus.Metric: a native histogram, and classic buckets for those who do not take that.
type histogram struct {
	desc *prometheus.Desc
	of   *tally.Histogram
}

// Desc implements prometheus.Metric.
func (h *histogram) Desc() *prometheus.Desc { return h.desc }

// Write implements prometheus.Metric. The bounds of the classic buckets are powers of two, because those are exact.
func (h *histogram) Write(out *dto.Metric) error {
	count, sum := h.of.Count, float64(h.of.Sum)/1e9
	schema, threshold := int32(tally.Schema), tally.Bound(-1)
	p := &dto.Histogram{SampleCount: &count, SampleSum: &sum, Schema: &schema, ZeroThreshold: &threshold, ZeroCount: &h.of.Zero}
	const perOctave = 1 << tally.Schema
	cumulative, last, end := h.of.Zero, int64(0), 0
	for i, n := range h.of.Bucket {
		cumulative += n
		if i%perOctave == perOctave-1 && i/perOctave >= firstClassic && i/perOctave <= lastClassic {
			sofar, bound := cumulative, tally.Bound(i)
			p.Bucket = append(p.Bucket, &dto.Bucket{CumulativeCount: &sofar, UpperBound: &bound})
		}
		if n == 0 {
			continue
		}
		// The number of a bucket counts from 1 s: that of the bound 2^(i/perOctave) is i.
		if spans := p.PositiveSpan; len(spans) == 0 {
			offset, length := int32(i+1+tally.LeastExponent*perOctave), uint32(1)
			p.PositiveSpan = append(spans, &dto.BucketSpan{Offset: &offset, Length: &length})
		} else if i == end {
			*spans[len(spans)-1].Length++
		} else {
			offset, length := int32(i-end), uint32(1)
			p.PositiveSpan = append(spans, &dto.BucketSpan{Offset: &offset, Length: &length})
		}
		p.PositiveDelta = append(p.PositiveDelta, int64(n)-last)
		last, end = int64(n), i+1
	}
	if len(p.PositiveSpan) == 0 { // which tells it from a classic one
		zero, length := int32(0), uint32(0)
		p.PositiveSpan = []*dto.BucketSpan{{Offset: &zero, Length: &length}}
	}
	out.Histogram = p
	return nil
}

// The powers of two that are bounds of classic buckets, counted from the least bound: 61 us to 64 s.
const (
	firstClassic = -14 - tally.LeastExponent - 1
	lastClassic  = 6 - tally.LeastExponent - 1
)
