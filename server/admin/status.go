package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/tally"
)

// Status is what /status answers, as JSON. Durations are seconds, sizes octets. What there is none of is left out.
type Status struct {
	Version string   `json:"version"`
	Go      string   `json:"go"`
	PID     int      `json:"pid"`
	Uptime  float64  `json:"uptime"`
	State   string   `json:"state"`
	Lacking []string `json:"lacking"` // why it is not ready; empty: it is
	// Addresses are those of Config.Bind.
	Addresses []string `json:"addresses"`

	Connections    map[string]int `json:"connections"` // by state
	Loops          []LoopStatus   `json:"loops"`
	Requests       RequestStatus  `json:"requests"`
	Takeovers      uint64         `json:"takeovers"`
	TakeoversAway  int            `json:"takeovers_active"`
	BlockingCalls  int            `json:"blocking_calls"`
	LogDropped     int64          `json:"access_log_dropped"`
	Workers        []WorkerStatus `json:"workers,omitempty"`
	WorkersLeaving int            `json:"workers_leaving,omitempty"`
	WorkerDeaths   uint64         `json:"worker_deaths,omitempty"`
	Queued         int            `json:"queued,omitempty"` // requests that wait for a worker
	Hub            *HubStatus     `json:"hub,omitempty"`
	// Learned are the paths whose calls have blocked.
	Learned []LearnedStatus `json:"learned"`
	// Limits are those of the configuration; 0: there is none.
	Limits map[string]float64 `json:"limits"`
}

// LoopStatus is what one loop does.
type LoopStatus struct {
	Answers     bool    `json:"answers"` // it has answered within a second
	Lag         float64 `json:"lag"`
	Connections int     `json:"connections"`
	Accepted    uint64  `json:"accepted"`
	Received    uint64  `json:"received"`
	Sent        uint64  `json:"sent"`
}

// RequestStatus is what was counted of requests since the start.
type RequestStatus struct {
	Total   uint64            `json:"total"`
	Codes   map[string]uint64 `json:"codes"`
	Active  int               `json:"active"`
	Waiting int               `json:"waiting"`
	P50     float64           `json:"p50"`
	P99     float64           `json:"p99"`
	// Latency are the counts of the buckets that are not empty, with their upper bounds.
	Latency [][2]float64 `json:"latency"`
}

// WorkerStatus is what a Python worker does.
type WorkerStatus struct {
	PID      int   `json:"pid"`
	InFlight int   `json:"in_flight"`
	Requests int   `json:"requests"`
	RSS      int64 `json:"rss"`
}

// HubStatus is what the hub does.
type HubStatus struct {
	Topics   int    `json:"topics"`
	Polls    int    `json:"polls"`
	Streams  int    `json:"streams"`
	Messages uint64 `json:"messages"`
}

// LearnedStatus is what is known of a path whose calls have blocked.
type LearnedStatus struct {
	Path      string `json:"path"`
	Blocked   int    `json:"blocked"` // of the last 64 calls
	Goroutine bool   `json:"goroutine"`
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.scrape)
	defer cancel()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(s.Status(ctx))
}

// Status is what there is to tell. Loops have until the end of ctx to answer.
func (s *Server) Status(ctx context.Context) *Status {
	st := &Status{
		Version: server.Version, Go: runtime.Version(), PID: os.Getpid(), Uptime: time.Since(s.started).Seconds(),
		State: string(s.state()), Lacking: s.lacking(), Learned: []LearnedStatus{}, Loops: []LoopStatus{}, Addresses: []string{},
	}
	if st.Lacking == nil {
		st.Lacking = []string{}
	}
	if watched := s.server(); watched != nil {
		st.fill(ctx, watched)
	}
	s.mu.Lock()
	topics, workers := s.topics, s.workers
	s.mu.Unlock()
	if topics != nil {
		h := topics.Stats()
		st.Hub = &HubStatus{h.Topics, h.Polls, h.Streams, h.Published}
	}
	if workers != nil {
		p := workers.Stats()
		st.WorkersLeaving, st.WorkerDeaths, st.Queued = p.Leaving, p.Died, p.Waiting
		for _, w := range p.Workers {
			st.Workers = append(st.Workers, WorkerStatus{w.PID, w.InFlight, w.Requests, w.RSS})
		}
	}
	return st
}

// fill tells of the server.
func (st *Status) fill(ctx context.Context, watched *server.Server) {
	stats := watched.Statistics(ctx)
	st.Addresses = append(st.Addresses, watched.Addresses()...)
	st.Connections = states(&stats)
	for i := range stats.Loops {
		l := &stats.Loops[i]
		st.Loops = append(st.Loops, LoopStatus{l.Answers, l.Lag.Seconds(), l.Connections, l.Accepted, l.Received, l.Sent})
	}
	r := &stats.Requests
	st.Requests = RequestStatus{
		Codes: map[string]uint64{}, Active: r.Active, Waiting: r.Waiting,
		P50: r.Latency.Quantile(0.5), P99: r.Latency.Quantile(0.99), Latency: [][2]float64{},
	}
	for code, n := range r.Answered {
		if n > 0 {
			st.Requests.Total += n
			st.Requests.Codes[codeName(code)] = n
		}
	}
	if r.Latency.Zero > 0 {
		st.Requests.Latency = append(st.Requests.Latency, [2]float64{tally.Bound(-1), float64(r.Latency.Zero)})
	}
	for i, n := range r.Latency.Bucket {
		if n > 0 {
			st.Requests.Latency = append(st.Requests.Latency, [2]float64{tally.Bound(i), float64(n)})
		}
	}
	st.Takeovers, st.TakeoversAway, st.BlockingCalls, st.LogDropped = stats.Takeovers, stats.Away, stats.Blocking, stats.LogDropped
	for _, p := range watched.LearnedPaths() {
		st.Learned = append(st.Learned, LearnedStatus(p))
	}
	c := watched.Config()
	st.Limits = map[string]float64{
		"connections":             float64(c.MaxConnections),
		"connections_per_address": float64(c.MaxPerAddress),
		"requests_per_connection": float64(c.MaxRequests),
		"blocking_calls":          float64(c.MaxBlocking),
		"request_line":            float64(c.Limits.RequestLine),
		"request_head":            float64(c.Limits.FieldSection),
		"request_field":           float64(c.Limits.FieldLine),
		"request_fields":          float64(c.Limits.Fields),
		"request_body":            float64(c.MaxContent),
		"content_memory":          float64(c.ContentMemory),
		"head_timeout":            c.HeadTimeout.Seconds(),
		"content_timeout":         c.ContentTimeout.Seconds(),
		"keep_alive":              c.IdleTimeout.Seconds(),
		"write_timeout":           c.WriteTimeout.Seconds(),
		"graceful_timeout":        c.GracefulTimeout.Seconds(),
		"content_rate":            float64(c.ContentRate),
		"content_grace":           c.ContentGrace.Seconds(),
	}
}

// codeName is the name of a status in metrics; 0 stands for requests that had no answer.
func codeName(code int) string {
	if code == 0 {
		return "none"
	}
	return strconv.Itoa(code)
}
