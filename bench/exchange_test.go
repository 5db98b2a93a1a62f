package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/weirhttp/weir/bench/internal/openloop"
	"github.com/weirhttp/weir/bench/internal/registry"
)

// rightHandler answers every route as it should.
func rightHandler(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "test")
	switch r.URL.Path {
	case "/plaintext":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, hello)
	case "/json":
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"message": "Hello, World!"}`)
	case "/echo":
		content, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Length", r.Header.Get("Content-Length"))
		w.Write(content)
	case "/bytes":
		w.Header().Set("Content-Length", "65536")
		io.WriteString(w, strings.Repeat("y", bytesSize))
	case "/sleep":
		io.WriteString(w, "slept")
	}
}

var rightServer = server{entry: registry.Entry{Routes: map[string]string{
	"plaintext": "/plaintext", "json": "/json", "echo": "/echo", "bytes": "/bytes", "sleep": "/sleep", "hello": "/plaintext",
}}}

// TestVerify: every case against a server that is right, and each route against one that is wrong in something.
func TestVerify(t *testing.T) {
	addr, _ := testServer(t, rightHandler)
	for _, c := range allCases {
		if c.Kind == waiting {
			continue // the clients check every answer themselves
		}
		if err := verify(rightServer, addr, c); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	named := func(handler http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Server", "test")
			handler(w, r)
		}
	}
	for _, c := range []struct {
		route   string
		handler http.HandlerFunc
		want    string
	}{
		{"plaintext", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, hello) }, "without Server"},
		{"plaintext", named(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", "today")
			plaintextHandler(w, r)
		}), "Date"},
		{"plaintext", named(http.NotFound), "404"},
		{"plaintext", named(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "Hello, Moon!!") }), "Moon"},
		{"plaintext", named(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, hello)
		}), "Content-Type"},
		{"json", named(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"message": "Hello"}`)
		}), "bad response"},
		{"bytes", named(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "few") }), "3 octets"},
		{"echo", named(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "other") }), "5 octets"},
	} {
		addr, _ := testServer(t, c.handler)
		if err := verify(rightServer, addr, benchCase{route: c.route, size: 16}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", c.route, err, c.want)
		}
	}
}

// TestProbe: a response that goes wrong in the middle of a run is found.
func TestProbe(t *testing.T) {
	var asked atomic.Int64
	addr, _ := testServer(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 3 {
			http.Error(w, hello, http.StatusServiceUnavailable)
			return
		}
		plaintextHandler(w, r)
	})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := probe(ctx, addr, plaintextAt("/plaintext"), false); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("got %v", err)
	}
	good, _ := testServer(t, plaintextHandler)
	short, cancel := context.WithTimeout(context.Background(), 3*probeEvery)
	defer cancel()
	if err := probe(short, good, plaintextAt("/plaintext"), false); err != nil {
		t.Error(err)
	}
}

func TestBottleneck(t *testing.T) {
	for _, c := range []struct {
		busy      float64
		late, p99 time.Duration
		want      bool
	}{
		{0.2, 10, 1000, false}, {0.9, 10, 1000, true}, {0.2, 600, 1000, true}, {0.2, 0, 0, false},
	} {
		l := loadResult{P99: c.p99, Rate: &rateResult{Busy: c.busy, Late: c.late}}
		if l.bottleneck() != c.want {
			t.Errorf("%+v: got %v", c, !c.want)
		}
	}
	if (&loadResult{}).bottleneck() {
		t.Error("a closed loop has none")
	}
}

// TestRateResult: the histogram can be read again, also by other programs that know HdrHistogram.
func TestRateResult(t *testing.T) {
	r := &openloop.Result{Requests: 3, Elapsed: time.Second, Latencies: hdrhistogram.New(1, 1e6, 3), Late: hdrhistogram.New(1, 1e6, 3)}
	for _, us := range []int64{100, 200, 30_000} {
		if err := r.Latencies.RecordValue(us); err != nil {
			t.Fatal(err)
		}
	}
	var l, read loadResult
	l.of(r, 3)
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	h, err := hdrhistogram.Decode([]byte(read.Rate.Histogram))
	if err != nil || h.TotalCount() != 3 || h.Max() < 29_900 || len(l.Problems) > 0 {
		t.Errorf("%+v, %v, %v", h, l, err)
	}
	if l.P50 < 199*time.Microsecond || l.P50 > 201*time.Microsecond || l.PerSecond != 3 {
		t.Errorf("got %+v", l)
	}
}
