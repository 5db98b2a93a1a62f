package exchange_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/exchange"
)

// parking is a wire whose requests can be deferred.
type parking struct {
	*wire
	host     *exchange.Host
	d        exchange.Deferred
	attached int
	deadline time.Duration
}

func (p *parking) Park() exchange.Parked                 { return p }
func (p *parking) Deferred() *exchange.Deferred          { return &p.d }
func (p *parking) Host() *exchange.Host                  { return p.host }
func (p *parking) Attach()                               { p.attached++ }
func (p *parking) SetDeadline(d time.Duration)           { p.deadline = d }
func (p *parking) Finish(complete bool)                  { p.wire.Finish(complete); p.d.Gone() }
func (s *source) Defer() app.Deferred                    { return s.deferrer.Defer() }
func (e *watched) Enter(interface{ TakenOver() }) uint64 { e.calls++; return 0 }

// watched is an executor that counts the calls into application code.
type watched struct {
	*executor
	calls int
}

// deferring starts an exchange on the loop whose answer is deferred.
func deferring(t *testing.T) (r *run, p *parking, loop *watched, d app.Deferred) {
	t.Helper()
	loop = new(watched)
	r, p, d = deferringOn(t, "GET", loop)
	return r, p, loop, d
}

// deferringTo is deferring a request with that method.
func deferringTo(t *testing.T, method string) (r *run, p *parking, d app.Deferred) {
	t.Helper()
	return deferringOn(t, method, new(watched))
}

func deferringOn(t *testing.T, method string, loop *watched) (r *run, p *parking, d app.Deferred) {
	t.Helper()
	r = newRun(method)
	loop.executor = r.exec
	r.host = exchange.NewHost(r.config, loop)
	r.exchange.Init(r.host)
	r.source.deferrer = &r.exchange
	p = &parking{wire: r.wire, host: r.host}
	r.exchange.Begin(p, r.source, r.input)
	r.exchange.Run(func(environ *app.Environ, _ app.StartResponse) app.Body {
		d = environ.Defer()
		return nil
	})
	p.d.Waits()
	if p.attached != 1 || r.ended > 0 {
		t.Fatalf("attached %d times, calls are %s", p.attached, r.journal)
	}
	return r, p, d
}

// TestDeferredDeadlineCallsNobody: the answer of a deadline is sent in the middle of the wheel's turn, which must not lose its loop: whatever
// its form, no call into application code is begun.
func TestDeferredDeadlineCallsNobody(t *testing.T) {
	for name, response := range map[string]*app.Response{
		"content":         {Status: "200 OK", Content: []byte("default")},
		"none":            {Status: "204 No Content"},
		"declared length": {Status: "200 OK", Headers: []app.Header{header("Content-Length", "3")}, Content: []byte("abc")},
		"large":           {Status: "200 OK", Content: make([]byte, 1<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			r, p, loop, d := deferring(t)
			d.SetDeadline(time.Second, response)
			for r.exec.step() {
			}
			if p.deadline != time.Second {
				t.Fatalf("the deadline is %v", p.deadline)
			}
			calls := loop.calls
			p.d.Expire()
			if loop.calls != calls {
				t.Errorf("%d calls", loop.calls-calls)
			}
			if r.ended != 1 || !r.whole || r.content.Len() != len(response.Content) {
				t.Errorf("calls are %s", r.journal)
			}
		})
	}
}

// TestDeferredEndsOnce: what comes when the response has ended is refused, from whatever goroutine.
func TestDeferredEndsOnce(t *testing.T) {
	r, p, _, d := deferring(t)
	var mu sync.Mutex
	ends := 0
	count := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			ends++
		} else if !errors.Is(err, app.ErrGone) {
			t.Error(err)
		}
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { count(d.Answer(&app.Response{Status: "200 OK"})) })
		group.Go(func() { d.SetDeadline(0, nil) })
	}
	group.Wait()
	for r.exec.step() {
	}
	p.d.Expire()
	if ends != 1 || r.ended != 1 {
		t.Errorf("%d ends, calls are %s", ends, r.journal)
	}
}
