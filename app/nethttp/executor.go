package nethttp

import (
	"sync"
	"time"
)

// executor implements app.Executor: it runs functions one at a time, on a goroutine that is there while there are any.
// That is not the goroutine of the request, which may be waiting for its client, and ends with the request. Its methods
// are for any goroutine.
type executor struct {
	failed func(err error) // told what the functions panic with

	mu        sync.Mutex // guards what follows
	functions []func()
	running   bool
}

// Post implements app.Executor.
func (e *executor) Post(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.functions = append(e.functions, f)
	if !e.running {
		e.running = true
		go e.run()
	}
}

// After implements app.Executor.
func (e *executor) After(d time.Duration, f func()) {
	time.AfterFunc(d, func() { e.Post(f) })
}

func (e *executor) run() {
	// In this form it goes on when a function has ended the goroutine (runtime.Goexit).
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.running = len(e.functions) > 0; e.running {
			go e.run()
		}
	}()
	for f, ok := e.next(); ok; f, ok = e.next() {
		if err := attempt(func() error { f(); return nil }); err != nil {
			e.failed(err)
		}
	}
}

func (e *executor) next() (f func(), ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.functions) == 0 {
		e.functions = nil
		return nil, false
	}
	f = e.functions[0]
	e.functions[0] = nil
	e.functions = e.functions[1:]
	return f, true
}
