package admin_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/websocket"
	"github.com/weirhttp/weir/server"
)

// TestCountsUnderLoad: nothing is lost and nothing is counted twice while loops change hands, answers are deferred and clients leave.
func TestCountsUnderLoad(t *testing.T) {
	const clients, each = 6, 60
	s := serve(t, server.Config{Loops: 2, CountRequests: true, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		switch path := environ.Get("PATH_INFO"); {
		case strings.HasPrefix(path, "/blocks/"): // a path of its own each: none is learned
			time.Sleep(5 * time.Millisecond)
		case path == "/deferred":
			d := environ.Defer()
			go func() {
				time.Sleep(time.Millisecond)
				_ = d.Answer(&app.Response{Status: "202 Accepted"})
			}()
			return nil
		case path == "/blocking":
			return app.Blocking(hello)(environ, start)
		}
		return hello(environ, start)
	}})
	var running sync.WaitGroup
	for i := range clients {
		running.Go(func() {
			c := s.dial(t, 0)
			in := bufio.NewReader(c)
			for j := range each {
				path := [...]string{"/", "/deferred", "/blocking", fmt.Sprintf("/blocks/%d/%d", i, j)}[(i+j)%4]
				// Two at a time: the second waits while the first one's loop changes hands.
				if _, err := io.WriteString(c, strings.Repeat("GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n", 2)); err != nil {
					t.Error(err)
					return
				}
				for range 2 {
					r, err := http.ReadResponse(in, nil)
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
				}
			}
			if i%2 == 0 { // it leaves, with an answer under way
				_, _ = io.WriteString(c, "GET /deferred HTTP/1.1\r\nHost: a\r\n\r\n")
			}
			_ = c.Close()
		})
	}
	running.Wait()
	until(t, "all connections to be closed", func() bool {
		families := scrape(t, s.client)
		return value(families, "connections", "idle") == 0 && value(families, "connections", "waiting") == 0 &&
			value(families, "connections", "active") == 0 && value(families, "connections", "closing") == 0
	})
	families := scrape(t, s.client) // what is compared is of one moment: a request of those who have left may end until then
	total := 0.0
	for _, m := range families["weir_requests_total"].GetMetric() {
		total += m.GetCounter().GetValue()
	}
	const answered = 2 * clients * each
	if deferred := value(families, "requests_total", "202"); deferred < answered/4 {
		t.Errorf("%v deferred answers, want %d or more", deferred, answered/4)
	}
	if got := value(families, "requests_total", "200"); got != answered*3/4 {
		t.Errorf("%v answers with 200, want %d", got, answered*3/4)
	}
	if total < answered || total > answered+clients/2 {
		t.Errorf("%v requests, want %d and up to %d of those who have left", total, answered, clients/2)
	}
	if got := value(families, "request_duration_seconds"); got != total {
		t.Errorf("%v requests have a duration, want %v", got, total)
	}
	for _, name := range []string{"requests_active", "requests_waiting", "takeovers_active"} {
		if got := value(families, name); got != 0 {
			t.Errorf("%s is %v when all is over", name, got)
		}
	}
	if value(families, "takeovers_total") == 0 {
		t.Error("no loop has changed hands: the test tests nothing")
	}
}

// TestSockets: a WebSocket is a state of its own.
func TestSockets(t *testing.T) {
	s := serve(t, server.Config{Loops: 1, CountRequests: true, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		return websocket.Upgrade(environ, start, silent{})
	}})
	c := s.dial(t, 0)
	const upgrade = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	if _, err := io.WriteString(c, upgrade); err != nil {
		t.Fatal(err)
	}
	if r, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || r.StatusCode != 101 {
		t.Fatal(r, err)
	}
	for _, want := range []float64{1, 0} {
		until(t, fmt.Sprintf("%v sockets", want), func() bool { return value(scrape(t, s.client), "connections", "websocket") == want })
		families := scrape(t, s.client)
		if idle, active := value(families, "connections", "idle"), value(families, "requests_active"); idle != 0 || active != 0 {
			t.Errorf("%v idle connections, %v active requests", idle, active)
		}
		if got := value(families, "requests_total", "101"); got != 1 {
			t.Errorf("%v answers with 101", got)
		}
		_ = c.Close()
	}
}

// silent is a websocket.Handler that says nothing.
type silent struct{}

func (silent) Open(websocket.Conn)                            {}
func (silent) Message(websocket.Conn, websocket.Kind, []byte) {}
func (silent) Close(websocket.Conn, websocket.Code, string)   {}
