package exchange

import (
	"time"

	"github.com/weirhttp/weir/app"
)

// Calls are the calls into application code of a connection that has left HTTP: one at a time, by the rules of requests. The loop
// goes on without one that blocks, and calls of a path that does so often are made on goroutines from the start.
//
// Its methods are called on the loop.
type Calls struct {
	host *Host
	user Caller
	path string // of the request that the connection began with, percent-encoded
	away bool   // a call runs that has lost the loop, or never had it
	err  error  // what that has failed with
}

// Caller is a connection that makes calls. Its methods are called on the loop, but for Call.
type Caller interface {
	// Call calls the application, as the caller has prepared it.
	Call()
	// TakenOver tells that the loop goes on without the call that the connection has made: nothing below Run or Start runs on.
	TakenOver()
	// Returned tells that a call has returned that has lost the loop, or never had it. err is how it failed; nil: it has not.
	Returned(err error)
}

// Init makes a zero Calls ready for use. path is that of the request.
func (c *Calls) Init(host *Host, user Caller, path string) { c.host, c.user, c.path = host, user, path }

// Opened counts the connection, until Closed.
func (c *Calls) Opened() {
	if t := c.host.Tally; t != nil {
		t.Sockets++
	}
}

// Closed tells that the connection has ended.
func (c *Calls) Closed() {
	if t := c.host.Tally; t != nil {
		t.Sockets--
	}
}

// Away tells whether a call is running. Another one has to wait for Returned.
func (c *Calls) Away() bool { return c.away }

// Executor is the loop.
func (c *Calls) Executor() app.Executor { return c.host.executor() }

// Post has f called on the loop; f is not the application's.
func (c *Calls) Post(f func(p any), p any) { c.host.loop.Post(f, p) }

// Blocks tells whether the next call is one for Start, by what was learned of the path.
func (c *Calls) Blocks() bool {
	e := c.entry()
	return e != nil && e.Blocks()
}

func (c *Calls) entry() *Path {
	if c.host.Paths.empty() {
		return nil
	}
	return c.host.Paths.find([]byte(c.path))
}

// Run makes a call on the loop. err is how the application failed. It does not return when the loop was taken over meanwhile.
func (c *Calls) Run() (err error) {
	loop := c.host.loop
	call := loop.Enter(c)
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		mine := loop.Leave(call)
		err = c.failed(v)
		if v == nil && mine { // it ends its goroutine
			loop.Abandon(c)
			mine = false
		}
		if !mine {
			c.depart(err)
		}
	}()
	c.user.Call()
	returned = true
	if !loop.Leave(call) {
		c.depart(nil)
	}
	if e := c.entry(); e != nil {
		e.note(false)
	}
	return nil
}

// TakenOver is called on the loop by the goroutine that goes on with it, while the call is still running on the old one.
func (c *Calls) TakenOver() {
	c.away = true
	c.host.blocking.Add(1)
	c.host.Paths.add([]byte(c.path))
	c.user.TakenOver()
}

// depart ends the goroutine that the loop was taken from.
func (c *Calls) depart(err error) {
	c.finish(err)
	c.host.loop.Depart()
}

// finish tells the loop that a call is over which was not the loop's any more. Any goroutine.
func (c *Calls) finish(err error) {
	c.err = err
	c.host.blocking.Add(-1)
	c.host.loop.Post(returned, c)
}

func returned(p any) {
	c := p.(*Calls)
	c.away = false
	err := c.err
	c.err = nil
	c.user.Returned(err)
}

// Start makes a call on a goroutine. What the call works with must not be of the loop. It is false when there are too many
// such calls already; always has it made even then.
func (c *Calls) Start(always bool) bool {
	if c.host.blocking.Add(1) > int64(c.host.MaxBlocking) && !always {
		c.host.blocking.Add(-1)
		return false
	}
	c.away = true
	go func() {
		began, ok := time.Now(), false
		defer func() { // also where the application ends its goroutine
			var err error
			if !ok {
				err = c.failed(recover())
			}
			took := time.Since(began)
			if e := c.entry(); e != nil {
				e.note(took > slowCall)
			}
			if c.host.Blocked != nil && took > longCall {
				c.host.Blocked()
			}
			c.finish(err)
		}()
		c.user.Call()
		ok = true
	}()
	return true
}

// failed reports what a call has panicked with.
func (c *Calls) failed(v any) error {
	err := c.host.panicError(v)
	c.host.report("application failed in a callback of its connection", err, "path", c.path)
	return err
}
