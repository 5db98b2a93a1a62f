package server

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/h1"
)

// crowd is very many requests that wait, on connections in memory: the real loops, protocol and hub, without sockets.
type crowd struct {
	hub       *hub.Hub
	reactor   *loop.Reactor
	protocols []*h1.Protocol
	listener  *loop.Listener
	answers   atomic.Int64 // responses that clients have got
}

// heapEach is how much heap a request that waits may take, with its connection, in octets.
const heapEach = 500

var pollRequest = []byte("GET /poll/news?timeout=300 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept: application/json\r\n\r\n")

func newCrowd(t testing.TB) *crowd {
	t.Helper()
	c := &crowd{hub: hub.New(hub.Options{}), listener: loop.NewMemoryListener("127.0.0.1", 8000)}
	poll := c.hub.Poll("/poll/")
	s := prepare(Config{Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		if string(environ.Path()) == "/plaintext" {
			start("200 OK", nil)
			return environ.Bytes([]byte("Hello, World!"))
		}
		return poll(environ, start)
	}})
	if s.err != nil {
		t.Fatal(s.err)
	}
	var err error
	if c.reactor, err = loop.New(loop.Options{Loops: 2, MaxAway: 100}); err != nil {
		t.Fatal(err)
	}
	config := s.config.protocol()
	for _, l := range c.reactor.Loops() {
		c.protocols = append(c.protocols, h1.New(config, l))
	}
	c.reactor.Start()
	t.Cleanup(func() {
		_ = c.hub.Close()
		c.reactor.Stop()
	})
	return c
}

// gather has n more requests wait.
func (c *crowd) gather(t testing.TB, n int) {
	t.Helper()
	want := c.hub.Stats().Polls + n
	took := c.took // one for all
	for i := range n {
		i %= len(c.protocols)
		l, p := c.reactor.Loops()[i], c.protocols[i]
		// A task each: when a loop is taken over in the middle of one, the rest of it is lost.
		l.Post(func(any) { l.Connect(p.NewConn(), c.listener, took).Feed(pollRequest) }, nil)
	}
	await(t, "requests that wait", func() bool { return c.hub.Stats().Polls == want })
}

// took is what clients do with output.
func (c *crowd) took(p []byte) int {
	c.answers.Add(1)
	return len(p)
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestHeapOfCrowd: a request that waits takes little more than its connection, and no goroutine.
func TestHeapOfCrowd(t *testing.T) {
	c := newCrowd(t)
	const n = 20_000
	c.gather(t, 2000) // pools and tables have their size
	before, goroutines := heap(), runtime.NumGoroutine()
	c.gather(t, n)
	each := (heap() - before) / n
	t.Logf("%d octets of heap each", each)
	if each > heapEach {
		t.Errorf("a request that waits takes %d octets of heap, want %d at most", each, heapEach)
	}
	if n := runtime.NumGoroutine() - goroutines; n > 5 {
		t.Errorf("%d goroutines more", n)
	}
	if _, reached, err := c.hub.Publish("news", []byte("hello")); err != nil || reached != n+2000 {
		t.Errorf("%d were reached, %v", reached, err)
	}
	await(t, "answers", func() bool { return c.answers.Load() == n+2000 })
}

// BenchmarkCrowd has WEIR_CROWD (1,000,000) requests wait, and publishes once to all of them: heap for each, CPU time of the
// publishing, the longest that others waited meanwhile, and how long the garbage collector stops the process, in WEIR_COLLECTIONS (10)
// collections of its rubbish while the requests wait. A collection has two pauses: a 99.9th percentile needs 500 of them.
func BenchmarkCrowd(b *testing.B) {
	n, collections := setting("WEIR_CROWD", 1_000_000), setting("WEIR_COLLECTIONS", 10)
	for b.Loop() {
		c := newCrowd(b)
		before := heap()
		c.gather(b, n)
		each := float64(heap()-before) / float64(n)
		slowest := c.probe(b)
		pauses := collect(collections)
		cpu, began := processTime(), time.Now()
		if _, reached, err := c.hub.Publish("news", []byte("hello")); err != nil || reached != n {
			b.Fatalf("%d were reached, %v", reached, err)
		}
		await(b, "answers", func() bool { return c.answers.Load() >= int64(n) })
		b.ReportMetric((processTime() - cpu).Seconds(), "cpu-s/publish")
		b.ReportMetric(time.Since(began).Seconds(), "s/publish")
		b.ReportMetric(each, "heap-B/waiter")
		b.ReportMetric(float64(slowest().Microseconds())/1000, "ms-others-at-most")
		pauses.report(b)
	}
}

// BenchmarkCrowdOfNobody is the collections of BenchmarkCrowd in a program that has as much heap and no server, only goroutines that wake once a millisecond as its
// probes do: how long the collector stops a process on this machine by itself.
func BenchmarkCrowdOfNobody(b *testing.B) {
	type waiter struct {
		neighbours [4]*waiter
		_          [400]byte
	}
	n, collections := setting("WEIR_CROWD", 1_000_000), setting("WEIR_COLLECTIONS", 10)
	for b.Loop() {
		stop := make(chan struct{})
		for range 2 {
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond):
					}
				}
			}()
		}
		all := make([]*waiter, n)
		for i := range all {
			all[i] = &waiter{}
			for j := range all[i].neighbours {
				all[i].neighbours[j] = all[i>>j]
			}
		}
		pauses := collect(collections)
		runtime.KeepAlive(all)
		close(stop)
		pauses.report(b)
	}
}

// probe sends requests of another kind on every loop, one after the other. The function that it returns ends that, and tells
// how long the slowest took.
func (c *crowd) probe(b *testing.B) (slowest func() time.Duration) {
	request := []byte("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n")
	stop, stopped := make(chan struct{}), make(chan time.Duration)
	for i, l := range c.reactor.Loops() {
		answered := make(chan struct{}, 1)
		memory := make(chan *loop.Memory, 1)
		l.Post(func(any) {
			memory <- l.Connect(c.protocols[i].NewConn(), c.listener, func(p []byte) int { answered <- struct{}{}; return len(p) })
		}, nil)
		m := <-memory
		go func() {
			var worst time.Duration
			for {
				began := time.Now()
				l.Post(func(any) { m.Feed(request) }, nil)
				<-answered
				worst = max(worst, time.Since(began))
				select {
				case <-stop:
					stopped <- worst
					return
				case <-time.After(time.Millisecond):
				}
			}
		}()
	}
	return func() (worst time.Duration) {
		close(stop)
		for range c.protocols {
			worst = max(worst, <-stopped)
		}
		return worst
	}
}

// processTime is the CPU time of the process so far.
func processTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// pauses is how often the garbage collector has stopped the process for how long.
type pauses struct{ metrics.Float64Histogram }

func gcPauses() pauses {
	sample := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(sample)
	return pauses{*sample[0].Value.Float64Histogram()}
}

// collect has the garbage collector run n times, and returns its pauses.
func collect(n int) pauses {
	before := gcPauses()
	for range n {
		runtime.GC()
	}
	return gcPauses().since(before)
}

func (p pauses) report(b *testing.B) {
	b.ReportMetric(p.quantile(0.5)*1000, "ms-gc-p50")
	b.ReportMetric(p.quantile(0.999)*1000, "ms-gc-p99.9")
	b.ReportMetric(0, "ns/op")
}

// since is what came after before.
func (p pauses) since(before pauses) pauses {
	for i := range p.Counts {
		p.Counts[i] -= before.Counts[i]
	}
	return p
}

// quantile is the upper bound of the bucket in which it lies, in seconds.
func (p pauses) quantile(q float64) float64 {
	var total, seen uint64
	for _, n := range p.Counts {
		total += n
	}
	for i, n := range p.Counts {
		if seen += n; float64(seen) >= q*float64(total) {
			return p.Buckets[i+1]
		}
	}
	return 0
}
