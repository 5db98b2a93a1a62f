package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
)

// testCalls counts the calls of the application with --test-routes. A client compares them with the
// answers that it got. Any goroutine.
var testCalls atomic.Int64

// testRoutes is application with the routes that tests need and that nobody should be able to reach elsewhere.
func testRoutes(application app.Application, topics *hub.Hub) app.Application {
	internals := internals(topics)
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		testCalls.Add(1)
		switch string(environ.Path()) {
		case "/sink":
			return sink(environ, start)
		case "/panic":
			return failing(environ, start)
		case "/spin":
			return spin(environ, start)
		case "/internals":
			return onlyGet(internals, environ, start)
		}
		return application(environ, start)
	}
}

// spin computes for ms=M milliseconds.
func spin(environ *app.Environ, start app.StartResponse) app.Body {
	ms, wrong := number(environ, "ms", 20, 60_000)
	if wrong != "" {
		return text(environ, start, "400 Bad Request", wrong)
	}
	n := 0
	for end := time.Now().Add(time.Duration(ms) * time.Millisecond); time.Now().Before(end); n++ {
	}
	return text(environ, start, "200 OK", fmt.Sprintf("looked at the clock %d times in %d ms\n", n, ms))
}

// sinkEvery is how often sink looks at the clock.
const sinkEvery = 50 * time.Millisecond

// sink reads the content at rate=N octets a second, and answers with their number.
var sink = app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
	rate, wrong := number(environ, "rate", 1<<20, 1<<40)
	if wrong == "" && rate == 0 {
		wrong = "rate must not be 0\n"
	}
	if wrong != "" {
		return text(environ, start, "400 Bad Request", wrong)
	}
	n, err := drain(environ.Input(), rate)
	if err != nil {
		return text(environ, start, "400 Bad Request", "the content has not come whole\n")
	}
	return text(environ, start, "200 OK", fmt.Sprintf("%d\n", n))
})

// drain reads to the end of r, rate octets a second.
func drain(r io.Reader, rate int64) (n int64, err error) {
	piece := make([]byte, min(max(rate/int64(time.Second/sinkEvery), 1), 32<<10))
	began := time.Now()
	for {
		m, err := r.Read(piece)
		n += int64(m)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		due := time.Duration(float64(n) / float64(rate) * float64(time.Second))
		time.Sleep(due - time.Since(began))
	}
}

// failing panics in a phase of the call: phase=call, start, body or close.
func failing(environ *app.Environ, start app.StartResponse) app.Body {
	query, _ := url.ParseQuery(string(environ.Query())) // what is malformed is no phase
	phase := query.Get("phase")
	switch phase {
	case "call":
		panic("the application fails in its call")
	case "start":
		start("200 OK", plainHeaders)
		panic("the application fails after start_response")
	case "body", "close":
		start("200 OK", plainHeaders)
		return &failingBody{phase: phase}
	}
	return text(environ, start, "400 Bad Request", "phase must be call, start, body or close\n")
}

// failingBody is a chunk, and then a panic in Next or in Close.
type failingBody struct {
	phase string
	begun bool
}

func (b *failingBody) Next() ([]byte, error) {
	switch {
	case !b.begun:
		b.begun = true
		return []byte("begun\n"), nil
	case b.phase == "body":
		panic("the application fails in its body")
	}
	return nil, io.EOF
}

func (b *failingBody) Close() error {
	if b.phase == "close" {
		panic("the application fails in Close")
	}
	return nil
}

// internals tells what the process holds: open descriptors (-1 where the system does not tell), goroutines, octets of
// the heap after a collection, and requests that wait for messages.
func internals(topics *hub.Hub) app.Application {
	return app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
		runtime.GC()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		stats := topics.Stats()
		message, err := json.Marshal(struct {
			Descriptors int    `json:"descriptors"`
			Goroutines  int    `json:"goroutines"`
			Heap        uint64 `json:"heap"`
			Waiting     int    `json:"waiting"`
		}{openDescriptors(), runtime.NumGoroutine(), memory.HeapAlloc, stats.Polls + stats.Streams})
		if err != nil {
			panic(err)
		}
		start("200 OK", jsonHeaders)
		return environ.Bytes(message)
	})
}

func openDescriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries) - 1 // one is the directory itself
}
