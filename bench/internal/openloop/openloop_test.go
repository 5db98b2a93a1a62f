package openloop

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fakeLine answers each request after a time that the server tells, on a clock that moves only while the pacer waits.
type fakeLine struct {
	clock   time.Duration
	serve   func(at time.Duration, request string) (after time.Duration)
	pending []answer // in the order of their times
	status  int
	sent    []time.Duration
}

type answer struct {
	at   time.Duration
	conn int
}

func (f *fakeLine) now() time.Duration { return f.clock }

func (f *fakeLine) send(conn int, request []byte) error {
	f.sent = append(f.sent, f.clock)
	a := answer{f.clock + f.serve(f.clock, string(request)), conn}
	i := len(f.pending)
	for i > 0 && f.pending[i-1].at > a.at {
		i--
	}
	f.pending = append(f.pending[:i], append([]answer{a}, f.pending[i:]...)...)
	return nil
}

func (f *fakeLine) receive(wait time.Duration, answered func(int, int, []byte) error) error {
	until := f.clock + wait
	if len(f.pending) > 0 && f.pending[0].at <= until {
		until = f.pending[0].at
	}
	f.clock = until
	for len(f.pending) > 0 && f.pending[0].at <= f.clock {
		a := f.pending[0]
		f.pending = f.pending[1:]
		if err := answered(a.conn, f.status, nil); err != nil {
			return err
		}
	}
	return nil
}

func good(status int, _ []byte) error {
	if status != 200 {
		return fmt.Errorf("status %d", status)
	}
	return nil
}

func options(rate float64, connections int) Options {
	return Options{Rate: rate, Connections: connections, Length: time.Second, Grace: time.Second, Request: Request{[]byte("a"), good}}
}

func quantile(r *Result, percent float64) time.Duration {
	return time.Duration(r.Latencies.ValueAtQuantile(percent)) * time.Microsecond
}

func about(got, want time.Duration) bool { return got > want*99/100 && got < want*101/100 }

// TestPace: requests leave when they are due, and a steady server's latency is what it takes.
func TestPace(t *testing.T) {
	f := &fakeLine{status: 200, serve: func(time.Duration, string) time.Duration { return 3 * time.Millisecond }}
	r, err := newPacer(options(1000, 8), f).run()
	if err != nil || r.Requests != 1000 || r.Latencies.TotalCount() != 1000 {
		t.Fatalf("%+v, %v", r, err)
	}
	for i, at := range f.sent {
		if at != time.Duration(i)*time.Millisecond {
			t.Fatalf("request %d was sent at %v", i, at)
		}
	}
	if !about(quantile(r, 50), 3*time.Millisecond) || !about(quantile(r, 100), 3*time.Millisecond) || r.Late.Max() > 1 {
		t.Errorf("p50 %v, longest %v, late %d us", quantile(r, 50), quantile(r, 100), r.Late.Max())
	}
}

// TestStop: a server that stops for 400 ms is charged for all that was due in them. A client that waits for its answers before it asks
// again would see four slow requests.
func TestStop(t *testing.T) {
	const from, to = 200 * time.Millisecond, 600 * time.Millisecond
	f := &fakeLine{status: 200, serve: func(at time.Duration, _ string) time.Duration {
		if at >= from && at < to {
			return to - at
		}
		return 0
	}}
	r, err := newPacer(options(1000, 4), f).run()
	if err != nil || r.Requests != 1000 {
		t.Fatalf("%+v, %v", r, err)
	}
	// The 400 that were due in the stop waited 0 to 400 ms: the median of all is 0, three quarters lie below 150 ms, and 1 in 100 waited 390 ms.
	if p := quantile(r, 50); p > time.Millisecond {
		t.Errorf("p50 %v", p)
	}
	for percent, want := range map[float64]time.Duration{75: 150 * time.Millisecond, 99: 390 * time.Millisecond} {
		if p := quantile(r, percent); p < want-3*time.Millisecond || p > want+3*time.Millisecond {
			t.Errorf("p%v: %v, want %v", percent, p, want)
		}
	}
	if r.Late.Max() > 1 {
		t.Errorf("the client is charged with %d us", r.Late.Max())
	}
}

// TestOther: every tenth request is another one, is checked by itself, and is in no figure; the rest does not wait behind it.
func TestOther(t *testing.T) {
	o := options(1000, 32)
	others := 0
	o.Every, o.Other = 10, Request{[]byte("b"), func(int, []byte) error { others++; return nil }}
	f := &fakeLine{status: 200, serve: func(_ time.Duration, request string) time.Duration {
		if request == "b" {
			return 100 * time.Millisecond
		}
		return time.Millisecond
	}}
	r, err := newPacer(o, f).run()
	if err != nil || r.Requests != 1000 || r.Others != 100 || others != 100 || r.Elapsed != time.Second {
		t.Fatalf("%+v, %d, %v", r, others, err)
	}
	if r.Latencies.TotalCount() != 900 || !about(quantile(r, 100), time.Millisecond) {
		t.Errorf("%d are counted, the longest took %v", r.Latencies.TotalCount(), quantile(r, 100))
	}
}

// TestUnlimited: without a rate each connection asks again when it has its answer.
func TestUnlimited(t *testing.T) {
	f := &fakeLine{status: 200, serve: func(time.Duration, string) time.Duration { return 10 * time.Millisecond }}
	r, err := newPacer(options(0, 5), f).run()
	if err != nil || r.Requests != 500 || r.Elapsed != time.Second || !about(quantile(r, 100), 10*time.Millisecond) {
		t.Errorf("%+v, longest %v, %v", r, quantile(r, 100), err)
	}
}

func TestFailures(t *testing.T) {
	f := &fakeLine{status: 200, serve: func(time.Duration, string) time.Duration { return 100 * time.Millisecond }}
	if _, err := newPacer(options(1000, 4), f).run(); !errors.Is(err, ErrOverload) {
		t.Errorf("overload: %v", err)
	}
	f = &fakeLine{status: 200, serve: func(time.Duration, string) time.Duration { return time.Hour }}
	if _, err := newPacer(options(2, 4), f).run(); err == nil || !strings.Contains(err.Error(), "2 requests have no answer") {
		t.Errorf("no answer: %v", err)
	}
	f = &fakeLine{status: 500, serve: func(time.Duration, string) time.Duration { return 0 }}
	if _, err := newPacer(options(10, 4), f).run(); err == nil || !strings.Contains(err.Error(), "status 500") {
		t.Errorf("status: %v", err)
	}
}

// TestRun: over real sockets, with an answer that is longer than the first room, and a handler that once stops everybody.
func TestRun(t *testing.T) {
	content := strings.Repeat("x", 20_000)
	var asked atomic.Int64
	var gate sync.RWMutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 50 {
			gate.Lock()
			time.Sleep(150 * time.Millisecond)
			gate.Unlock()
		}
		gate.RLock()
		defer gate.RUnlock()
		w.Header().Set("Content-Length", "20000")
		io.WriteString(w, content)
	}))
	defer s.Close()
	addr := s.Listener.Addr().String()
	o := Options{Addr: addr, Connections: 4, Rate: 400, Length: 500 * time.Millisecond, Grace: 20 * time.Second, Request: Request{
		Bytes: []byte("GET / HTTP/1.1\r\nHost: " + addr + "\r\n\r\n"),
		Check: func(status int, got []byte) error {
			if status != 200 || string(got) != content {
				return fmt.Errorf("status %d, %d octets", status, len(got))
			}
			return nil
		},
	}}
	r, err := Run(o)
	if err != nil || r.Requests != 200 || asked.Load() != 200 {
		t.Fatalf("%+v, %d asked, %v", r, asked.Load(), err)
	}
	// At least the 60 that were due in the stop waited; 45 of them for a quarter of it or more.
	slow := int64(0)
	for _, bar := range r.Latencies.Distribution() {
		if bar.From >= 37_000 {
			slow += bar.Count
		}
	}
	if slow < 40 || r.Latencies.Max() < 149_000 || r.Busy <= 0 {
		t.Errorf("%d slow requests, the longest took %d us, busy %v", slow, r.Latencies.Max(), r.Busy)
	}
	o.Request.Check = func(int, []byte) error { return errors.New("not this") }
	if _, err := Run(o); err == nil || err.Error() != "not this" {
		t.Errorf("a bad answer: %v", err)
	}
	s.Close()
	if _, err := Run(o); err == nil {
		t.Error("no server: no error")
	}
}

// TestClosing: a server that closes each connection behind its answer has a new one for each request.
func TestClosing(t *testing.T) {
	var dialled atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "hello")
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			dialled.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	o := Options{Addr: server.Listener.Addr().String(), Connections: 4, Rate: 200, Length: 200 * time.Millisecond, Grace: 20 * time.Second, Closing: true,
		Request: Request{Bytes: []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Check: func(status int, content []byte) error {
			if status != 200 || string(content) != "hello" {
				return fmt.Errorf("status %d, %q", status, content)
			}
			return nil
		}}}
	r, err := Run(o)
	if err != nil || r.Requests != 40 || dialled.Load() != 40 {
		t.Errorf("%+v, %v, %d connections", r, err, dialled.Load())
	}
	o.Closing = false
	if _, err := Run(o); err == nil {
		t.Error("a connection that was closed is taken for one that is kept")
	}
}
