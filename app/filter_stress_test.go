package app_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
)

// TestFilterStress: goroutines do what they like with deferred answers under filters, at the same time, while clients read, read slowly, and
// leave. Whatever happens, all that was opened is closed, and each answer ends once.
func TestFilterStress(t *testing.T) {
	const requests, clients = 600, 12
	path := file(t, strings.Repeat("content of a file ", 20_000)).Name()
	chunk := []byte(strings.Repeat("chunk ", 3000))
	before := runtime.NumGoroutine()
	var open, ended, asked, working atomic.Int64 // a WaitGroup forbids Add beside Wait: a request may be heard of after its client has left
	act := func(d app.Deferred, r *rand.Rand) {
		defer working.Add(-1)
		for range 1 + r.IntN(6) {
			switch r.IntN(12) {
			case 0, 1:
				_ = d.Start("200 OK", nil)
			case 2, 3, 4:
				_, _ = d.Write(chunk[:r.IntN(len(chunk))])
			case 5:
				_, _ = d.Write(make([]byte, 200_000))
			case 6, 7:
				if f, err := os.Open(path); err == nil {
					_ = d.SendFile(f, int64(r.IntN(1000)), int64(r.IntN(300_000)))
				}
			case 8:
				_ = d.Answer(&app.Response{Status: "200 OK", Content: make([]byte, r.IntN(200_000))})
			case 9:
				d.SetDeadline(time.Duration(r.IntN(int(time.Millisecond))), &app.Response{Status: "504 Gateway Timeout", Content: chunk})
			case 10:
				d.Watch(leaving{new(atomic.Bool)})
			case 11:
				_ = d.Start("200 OK", nil, errors.New("again"))
			}
			if r.IntN(4) == 0 {
				time.Sleep(time.Duration(r.IntN(int(time.Millisecond))))
			}
		}
		if r.IntN(8) == 0 {
			d.Abort(app.ErrAbort)
		}
		_ = d.Close()
	}
	address := serve(t, func(environ *app.Environ, start app.StartResponse) app.Body {
		n := asked.Add(1)
		return app.OnEnd(func(environ *app.Environ, start app.StartResponse) app.Body {
			return app.FilterContent(func(environ *app.Environ, _ app.StartResponse) app.Body {
				d := environ.Defer()
				for i := range uint64(1 + n%3) {
					working.Add(1)
					go act(d, rand.New(rand.NewPCG(uint64(n), i)))
				}
				return nil
			}, environ, start, func(h *app.Head) {
				switch n % 4 {
				case 0:
					open.Add(1)
					h.Body = &counted{app.Reader(strings.NewReader(strings.Repeat("instead ", 40_000))), &open}
				case 1, 2:
					h.Coder = newMarking(&open)
				}
			})
		}, environ, start, func() { ended.Add(1) })
	})
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(c)))
			for range requests / clients {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
				_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				switch r.IntN(3) {
				case 0:
					_, _ = io.CopyN(io.Discard, conn, r.Int64N(1000))
				default:
					if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
						t.Error("an answer does not end")
					}
				}
				_ = conn.Close()
			}
		})
	}
	group.Wait()
	until(t, "each answer has ended once, and what was opened is closed", func() bool {
		return working.Load() == 0 && open.Load() == 0 && ended.Load() == asked.Load() && asked.Load() > 0
	})
	until(t, "no more files are open", func() bool { return opened(path) <= 1 }) // the one of file
	until(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before+20 })
}

// opened is how many descriptors of the process are of a file, 0 where the system does not tell.
func opened(path string) (n int) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && to == path {
			n++
		}
	}
	return n
}
