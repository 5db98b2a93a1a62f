package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/exchange"
)

// patience is how long a test waits for what must happen. It is met long before, on slow machines too.
const patience = 30 * time.Second

// wire is an exchange.Wire that records its calls. It is used by the test's goroutine only, which stands for the loop.
type wire struct {
	journal *journal
	head    *exchange.Head
	content bytes.Buffer
	ended   int  // calls of Finish
	whole   bool // what Finish was told
	full    bool // Room is false
	fullBy  int  // octets of content after which it gets full; 0: never
	unsent  int
	short   bool // the file that is sent next ends early

	rendered string // what the head had of the one before
}

// journal is a list of what happened, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "; ")
}

func (w *wire) Head(h *exchange.Head) {
	w.journal.add("head %s", h.Status)
	if w.head != nil {
		w.journal.add("SECOND HEAD")
	}
	w.rendered = string(h.Rendered.Octets)
	h.Rendered.Octets = append(h.Rendered.Octets[:0], h.Status...)
	kept := *h
	kept.Headers = slices.Clone(h.Headers)
	w.head = &kept
}

func (w *wire) Chunk(p []byte) {
	w.journal.add("chunk %.20s", p)
	if len(p) == 0 {
		w.journal.add("EMPTY CHUNK")
	}
	w.content.Write(p)
	if w.fullBy > 0 && w.content.Len() >= w.fullBy {
		w.full = true
	}
}

func (w *wire) Hints(headers []app.Header) { w.journal.add("hints %v", headers) }

func (w *wire) File(file app.File, offset, n int64) {
	w.journal.add("file %d+%d", offset, n)
	part := make([]byte, n)
	if _, err := file.ReadAt(part, offset); err != nil && err != io.EOF {
		w.journal.add("FILE %v", err)
	}
	w.content.Write(part)
}

func (w *wire) FileShort() bool { return w.short }

func (w *wire) Flush()      { w.journal.add("flush") }
func (w *wire) Room() bool  { return !w.full }
func (w *wire) Unsent() int { return w.unsent }

func (w *wire) Finish(complete bool) {
	w.journal.add("finish %v", complete)
	w.ended++
	w.whole = complete
}

// field returns the values of the response's fields of that name.
func (w *wire) field(name string) (values []string) {
	for _, h := range w.head.Headers {
		if strings.EqualFold(h.Name, name) {
			values = append(values, h.Value)
		}
	}
	return values
}

func (w *wire) TakenOver() []byte     { w.journal.add("taken over"); return nil }
func (w *wire) Park() exchange.Parked { return nil }

// executor is an exchange.Loop whose functions the test runs. Calls on it are not watched.
type executor struct {
	mu     sync.Mutex
	posted []func()
	news   chan struct{}
}

func newExecutor() *executor { return &executor{news: make(chan struct{}, 1)} }

func (e *executor) Enter(interface{ TakenOver() }) uint64 { return 0 }
func (e *executor) Leave(uint64) bool                     { return true }
func (e *executor) Abandon(c interface{ TakenOver() })    { c.TakenOver() }
func (e *executor) Depart()                               {}
func (e *executor) Watch(int, func(), func()) error       { return nil }
func (e *executor) Unwatch(int)                           {}
func (e *executor) Exited() <-chan struct{}               { return nil }

func (e *executor) Post(f func(p any), p any) {
	e.mu.Lock()
	e.posted = append(e.posted, func() { f(p) })
	e.mu.Unlock()
	select {
	case e.news <- struct{}{}:
	default:
	}
}

func (e *executor) After(d time.Duration, f func()) {
	time.AfterFunc(d, func() { e.Post(func(any) { f() }, nil) })
}

func (e *executor) step() bool {
	e.mu.Lock()
	if len(e.posted) == 0 {
		e.mu.Unlock()
		return false
	}
	f := e.posted[0]
	e.posted = e.posted[1:]
	e.mu.Unlock()
	f()
	return true
}

// runUntil runs what is posted until done is true, which is looked at after each function, and now and then.
func (e *executor) runUntil(t testing.TB, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !done() {
		if e.step() {
			continue
		}
		select {
		case <-e.news:
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// source is a request.
type source struct {
	method   string
	detached bool
	deferrer app.Deferrer
	hinter   app.EarlyHinter
}

func (s *source) Method() string               { return s.method }
func (s *source) Target() []byte               { return []byte("/path?query") }
func (s *source) Path() []byte                 { return []byte("/path") }
func (s *source) Query() []byte                { return []byte("query") }
func (s *source) Protocol() string             { return "HTTP/1.1" }
func (s *source) Scheme() string               { return "http" }
func (s *source) Fields() int                  { return 0 }
func (s *source) Field(int) (n, v []byte)      { return nil, nil }
func (s *source) ContentLength() int64         { return -1 }
func (s *source) Remote() (host string, p int) { return "192.0.2.1", 1024 }
func (s *source) Local() (host string, p int)  { return "192.0.2.2", 80 }
func (s *source) Detach()                      { s.detached = true }

// logs is what was logged.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// run is one exchange under test.
type run struct {
	*wire
	exchange exchange.Exchange
	config   *exchange.Config
	host     *exchange.Host
	exec     *executor
	source   *source
	logs     logs
	input    app.Input
}

func newRun(method string) *run {
	r := &run{wire: &wire{journal: new(journal)}, exec: newExecutor(), source: &source{method: method}}
	r.config = &exchange.Config{Log: slog.New(slog.NewTextHandler(&r.logs, nil)), MaxBlocking: 8}
	r.use(r.config)
	r.input = app.NewMemory(nil)
	return r
}

// use makes r one of the exchanges of config.
func (r *run) use(config *exchange.Config) {
	r.config = config
	r.host = exchange.NewHost(config, r.exec)
	r.exchange.Init(r.host)
}

// start runs application as a connection does: the environ is detached when the exchange goes on after the call.
func (r *run) start(application app.Application) *run {
	r.exchange.Begin(r, r.source, r.input)
	r.exchange.Run(application)
	if r.ended == 0 {
		r.exchange.Environ.Detach()
	}
	return r
}

// again starts another exchange, on a fresh wire.
func (r *run) again(application app.Application) *run {
	r.wire = &wire{journal: r.journal}
	return r.start(application)
}

// resume gives the client room.
func (r *run) resume() {
	r.full, r.fullBy = false, 0
	r.exchange.Resume()
}

// finish runs what is posted until the response has ended.
func (r *run) finish(t testing.TB) *run {
	t.Helper()
	r.exec.runUntil(t, "the end of the response", func() bool { return r.ended > 0 })
	return r
}

// body is a scripted app.Body that records its calls.
type body struct {
	journal *journal
	steps   []step
	closes  func() error // what Close does, besides being recorded

	mu            sync.Mutex
	nexts, closed int
}

// step is what one call of Next does.
type step struct {
	chunk string
	err   error
	do    func()
}

func chunks(list ...string) (steps []step) {
	for _, c := range list {
		steps = append(steps, step{chunk: c})
	}
	return steps
}

func (b *body) Next() ([]byte, error) {
	b.mu.Lock()
	n := b.nexts
	b.nexts++
	if b.closed > 0 {
		b.journal.add("NEXT AFTER CLOSE")
	}
	b.mu.Unlock()
	b.journal.add("next")
	if n >= len(b.steps) {
		return nil, io.EOF
	}
	s := b.steps[n]
	if s.do != nil {
		s.do()
	}
	return []byte(s.chunk), s.err
}

func (b *body) Close() error {
	b.mu.Lock()
	b.closed++
	b.mu.Unlock()
	b.journal.add("close")
	if b.closes != nil {
		return b.closes()
	}
	return nil
}

func (b *body) closedTimes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// sizedBody is a body that says how long it is.
type sizedBody struct {
	*body
	size int64
}

func (b sizedBody) Size() int64 { return b.size }

// answering returns an application that starts a response and returns b.
func answering(b app.Body, status string, headers ...app.Header) app.Application {
	return func(_ *app.Environ, start app.StartResponse) app.Body {
		start(status, headers)
		return b
	}
}

func header(name, value string) app.Header { return app.Header{Name: name, Value: value} }
