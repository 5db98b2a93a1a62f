package hub_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
)

// patience is how long a test waits for what must happen. It is met long before, on slow machines too.
const patience = 30 * time.Second

// loop is an app.Executor. A test runs what was posted with drain, and moves its time with pass; or has both done by
// run, without timers.
type loop struct {
	mu     sync.Mutex
	posted []func()
	news   chan struct{}
	now    time.Duration
	timers []timer
}

type timer struct {
	at time.Duration
	f  func()
}

func newLoop() *loop { return &loop{news: make(chan struct{}, 1)} }

func (l *loop) Post(f func()) {
	l.mu.Lock()
	l.posted = append(l.posted, f)
	l.mu.Unlock()
	select {
	case l.news <- struct{}{}:
	default:
	}
}

func (l *loop) After(d time.Duration, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timers = append(l.timers, timer{l.now + d, f})
}

// step runs one function that was posted.
func (l *loop) step() bool {
	l.mu.Lock()
	if len(l.posted) == 0 {
		l.mu.Unlock()
		return false
	}
	f := l.posted[0]
	l.posted = l.posted[1:]
	l.mu.Unlock()
	f()
	return true
}

func (l *loop) drain() {
	for l.step() {
	}
}

// pass lets d pass, and runs what is due.
func (l *loop) pass(d time.Duration) {
	l.mu.Lock()
	l.now += d
	due := l.timers
	l.timers = nil
	for _, t := range due {
		if t.at > l.now {
			l.timers = append(l.timers, t)
		}
	}
	l.mu.Unlock()
	for _, t := range due {
		if t.at <= l.now {
			t.f()
		}
	}
	l.drain()
}

// run is the loop's goroutine, until stop is closed.
func (l *loop) run(stop <-chan struct{}) {
	for {
		l.drain()
		select {
		case <-l.news:
		case <-stop:
			return
		}
	}
}

// exchange is a request and its answer: an app.Source, and the app.Deferred when it is held.
type exchange struct {
	method, path, query string
	fields              []app.Header
	length              int64
	loop                *loop

	mu       sync.Mutex
	status   string
	headers  []app.Header
	content  bytes.Buffer
	held     bool
	ended    bool
	stuck    bool // the client takes nothing
	unsent   int
	behind   bool
	watcher  app.Watcher
	deadline *app.Response
	done     chan struct{}
	returned bool  // the application has
	refusal  error // with which Start refuses
	aborted  error

	// These are called with mu held, by whoever writes or ends.
	onWrite func(chunk []byte)
	onEnd   func()
	// onExecutor is called by Executor.
	onExecutor func()
}

func (x *exchange) Method() string   { return x.method }
func (x *exchange) Target() []byte   { return []byte(x.path + "?" + x.query) }
func (x *exchange) Path() []byte     { return []byte(x.path) }
func (x *exchange) Query() []byte    { return []byte(x.query) }
func (x *exchange) Protocol() string { return "HTTP/1.1" }
func (x *exchange) Scheme() string   { return "http" }
func (x *exchange) Fields() int      { return len(x.fields) }
func (x *exchange) Field(i int) (n, v []byte) {
	return []byte(x.fields[i].Name), []byte(x.fields[i].Value)
}
func (x *exchange) ContentLength() int64         { return x.length }
func (x *exchange) Remote() (host string, p int) { return "192.0.2.1", 1024 }
func (x *exchange) Local() (host string, p int)  { return "192.0.2.2", 80 }
func (x *exchange) Detach()                      {}

func (x *exchange) Defer() app.Deferred {
	_ = x.locked(func() error { x.held = true; return nil })
	return x
}

func (x *exchange) Post(f func())                     { x.loop.Post(f) }
func (x *exchange) After(d time.Duration, f func())   { x.loop.After(d, f) }
func (x *exchange) Done() <-chan struct{}             { return x.done }
func (x *exchange) EarlyHints([]app.Header) error     { panic("the hub gives no hints") }
func (x *exchange) locked(f func() error) (err error) { x.mu.Lock(); defer x.mu.Unlock(); return f() }

func (x *exchange) Executor() app.Executor {
	if x.onExecutor != nil {
		x.onExecutor()
	}
	return x.loop
}

func (x *exchange) Watch(w app.Watcher) {
	_ = x.locked(func() error { x.watcher = w; return nil })
}

// finish ends the answer. mu is held.
func (x *exchange) finish() {
	x.ended = true
	close(x.done)
	if x.onEnd != nil {
		x.onEnd()
	}
}

func (x *exchange) SendFile(*os.File, int64, int64) error { panic("the hub has no files") }

func (x *exchange) Start(status string, headers []app.Header, _ ...error) error {
	return x.locked(func() error {
		if x.ended {
			return app.ErrGone
		}
		if x.refusal != nil {
			return x.refusal
		}
		x.status, x.headers = status, headers
		return nil
	})
}

func (x *exchange) Abort(cause error) {
	_ = x.locked(func() error {
		x.aborted = cause
		x.finish()
		return nil
	})
}

func (x *exchange) Write(chunk []byte) (unsent int, err error) {
	err = x.locked(func() error {
		if x.ended {
			return app.ErrGone
		}
		x.content.Write(chunk)
		if x.onWrite != nil {
			x.onWrite(chunk)
		}
		if x.stuck {
			x.unsent += len(chunk)
			x.behind = x.behind || x.unsent > 64<<10
		}
		unsent = x.unsent
		return nil
	})
	return unsent, err
}

func (x *exchange) Close() error {
	return x.locked(func() error {
		x.finish()
		return nil
	})
}

func (x *exchange) Answer(r *app.Response) error {
	return x.locked(func() error {
		if x.ended {
			return app.ErrGone
		}
		x.status, x.headers = r.Status, r.Headers
		x.content.Write(r.Content)
		x.finish()
		return nil
	})
}

func (x *exchange) SetDeadline(d time.Duration, r *app.Response) {
	_ = x.locked(func() error { x.deadline = r; return nil })
	x.loop.After(d, x.expire)
}

// expire is called on the loop when the deadline has passed.
func (x *exchange) expire() {
	if x.Answer(x.deadline) == nil {
		x.watcher.Left()
	}
}

// leave is called on the loop when the client has left.
func (x *exchange) leave() {
	x.mu.Lock()
	ended := x.ended
	if !ended {
		x.finish()
	}
	x.mu.Unlock()
	if !ended {
		x.watcher.Left()
	}
}

// take has a client that was stuck take what waits for it.
func (x *exchange) take() {
	x.mu.Lock()
	behind := x.behind
	x.stuck, x.behind, x.unsent = false, false, 0
	x.mu.Unlock()
	if behind {
		x.loop.Post(x.watcher.Drained)
	}
}

// result is the answer so far.
func (x *exchange) result() (status, content string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.status, x.content.String()
}

func (x *exchange) field(name string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, h := range x.headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// isHeld tells whether the request waits.
func (x *exchange) isHeld() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.held && !x.ended
}

// ask has application answer a request, on the goroutine of the caller.
func (l *loop) ask(application app.Application, method, target string, content io.Reader, fields ...app.Header) *exchange {
	x := &exchange{method: method, loop: l, fields: fields, length: -1, done: make(chan struct{})}
	x.path, x.query, _ = strings.Cut(target, "?")
	var input app.Input = app.NewMemory(nil)
	switch content := content.(type) {
	case nil:
	case *strings.Reader:
		x.length = content.Size()
		all, _ := io.ReadAll(content)
		input = app.NewMemory(all)
	default:
		input = underway{app.NewMemory(nil), content}
	}
	x.run(application, input)
	return x
}

// run calls application.
func (x *exchange) run(application app.Application, input app.Input) {
	environ := new(app.Environ)
	environ.Reset(x, input, &app.Gateway{Errors: io.Discard})
	body := application(environ, func(status string, headers []app.Header, _ ...error) app.Write {
		x.status, x.headers = status, headers
		return nil
	})
	x.mu.Lock()
	defer x.mu.Unlock()
	x.returned = true
	if x.held {
		if body != nil {
			panic("a body, and the answer deferred")
		}
		return
	}
	whole, ok := app.Whole(body)
	if !ok {
		panic("the body is not whole")
	}
	x.content.Write(whole)
	x.finish()
}

// underway is content that is not in memory.
type underway struct {
	*app.Memory
	io.Reader
}

func (u underway) Read(p []byte) (int, error)         { return u.Reader.Read(p) }
func (u underway) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, u.Reader) }
func (u underway) View() ([]byte, bool)               { return nil, false }

// message is the answer to a poll.
type message struct {
	ID     uint64
	Topic  string
	Data   string
	Base64 []byte
}

func parse(t testing.TB, content string) (m message) {
	t.Helper()
	if err := json.Unmarshal([]byte(content), &m); err != nil {
		t.Fatalf("%q: %v", content, err)
	}
	return m
}

// first is the position of a hub under test before any message.
const first = 100

func newHub(t testing.TB, options hub.Options) *hub.Hub {
	t.Helper()
	if options.Memory.First == 0 {
		options.Memory.First = first
	}
	h := hub.New(options)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// publish publishes and checks the id, unless it is 0, and the number of requests reached, unless it is -1.
func publish(t testing.TB, h *hub.Hub, topic, data string, id uint64, reached int) {
	t.Helper()
	gotID, gotReached, err := h.Publish(topic, []byte(data))
	if err != nil || id != 0 && gotID != id || reached >= 0 && gotReached != reached {
		t.Fatalf("publish %q to %q: id %d, reached %d, %v; want %d, %d", data, topic, gotID, gotReached, err, id, reached)
	}
}
