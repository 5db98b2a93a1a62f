package nethttp_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
)

// Each chunk reaches the client before there is another.
func TestDeferredStreams(t *testing.T) {
	proceed := make(chan bool)
	onEachWire(t, func(e *app.Environ, _ app.StartResponse) app.Body {
		d := e.Defer()
		go func() {
			_ = d.Start("200 OK", typed)
			_, _ = d.Write(nil) // sends the head
			for <-proceed {
				_, _ = d.Write([]byte("chunk"))
			}
			_ = d.Close()
		}()
		return nil
	}, func(t *testing.T, s *wire) {
		res, err := s.Client().Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		for range 10 {
			proceed <- true
			chunk := make([]byte, 5)
			if _, err := io.ReadFull(res.Body, chunk); err != nil || string(chunk) != "chunk" {
				t.Fatalf("got %q, %v", chunk, err)
			}
		}
		proceed <- false
		if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
			t.Errorf("then %q, %v", rest, err)
		}
	})
}

// tooMuch is more than systems buffer between a server and its client.
const tooMuch = 16 << 20

// A client that does not read slows nobody down but the producer that asks how much is unsent.
func TestDeferredDrains(t *testing.T) {
	const high = 64 << 10
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 1<<10)
	type end struct {
		d    app.Deferred
		w    watcher
		sent int
	}
	full := make(chan end)
	onEachWire(t, func(e *app.Environ, _ app.StartResponse) app.Body {
		d := e.Defer()
		w := watch(d)
		go func() {
			_ = d.Start("200 OK", typed)
			sent, unsent := 0, 0
			for unsent < tooMuch {
				unsent, _ = d.Write(chunk)
				sent += len(chunk)
			}
			full <- end{d, w, sent}
		}()
		return nil
	}, func(t *testing.T, s *wire) {
		res, err := s.Client().Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		e := <-full
		e.w.told(e.d)
		for len(e.w.drained) > 0 { // as long as the systems have taken it
			<-e.w.drained
		}
		if _, err := io.CopyN(io.Discard, res.Body, int64(e.sent)); err != nil {
			t.Fatal(err)
		}
		<-e.w.drained
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) { // it was told at the mark: what is left leaves too
			if unsent, err := e.d.Write(nil); unsent == 0 && err == nil {
				break
			} else if time.Now().After(deadline) {
				t.Fatalf("%d octets stay unsent, %v", unsent, err)
			}
		}
		if unsent, err := e.d.Write([]byte("end")); unsent > high || err != nil {
			t.Errorf("%d octets are unsent, %v", unsent, err)
		}
		_ = e.d.Close()
		if rest, err := io.ReadAll(res.Body); string(rest) != "end" || err != nil {
			t.Errorf("then %q, %v", rest, err)
		}
		<-s.served
		if w := e.w; w.told(e.d) || len(w.drained) > 0 {
			t.Error("told that the client has left, or once more that it has caught up")
		}
	})
}

// A client leaves: before the response, in the middle of it, and while the goroutine of the request waits for it.
func TestDeferredClientLeaves(t *testing.T) {
	for _, phase := range []string{"waiting", "streaming", "not reading"} {
		t.Run(phase, func(t *testing.T) {
			type held struct {
				d         app.Deferred
				former, w watcher
			}
			requests := make(chan held)
			onEachWire(t, func(e *app.Environ, _ app.StartResponse) app.Body {
				d := e.Defer()
				former, w := watch(d), watch(d)
				go func() {
					if phase != "waiting" {
						_ = d.Start("200 OK", typed)
						_, _ = d.Write([]byte("begin"))
					}
					for unsent := 0; phase == "not reading" && unsent < tooMuch; {
						unsent, _ = d.Write(make([]byte, 1<<20))
					}
					requests <- held{d, former, w}
				}()
				return nil
			}, func(t *testing.T, s *wire) {
				ctx, cancel := context.WithCancel(t.Context())
				r, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
				answered := make(chan bool)
				go func() {
					if res, err := s.Client().Do(r); err == nil {
						_, _ = io.ReadFull(res.Body, make([]byte, len("begin")))
						answered <- true
						<-ctx.Done()
						_ = res.Body.Close()
					}
					close(answered)
				}()
				h := <-requests
				if phase != "waiting" {
					<-answered
				}
				select {
				case <-h.d.Done():
					t.Error("done too early")
				default:
				}
				cancel()
				<-h.d.Done()
				<-h.w.left
				<-h.d.Done() // made anew
				over(t, h.d)
				<-s.served
				<-answered
				if err := s.all(); err != nil {
					t.Error(err)
				}
				if again := watch(h.d); !again.told(h.d) {
					t.Error("a watcher that comes late was not told")
				}
				if h.w.told(h.d) {
					t.Error("told twice")
				}
				if h.former.told(h.d) {
					t.Error("the watcher that was replaced was told")
				}
			})
		})
	}
}
