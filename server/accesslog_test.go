package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/accesslog"
)

// TestAccessLog: many clients on several loops, and all of their lines when the server has ended.
func TestAccessLog(t *testing.T) {
	before := runtime.NumGoroutine()
	var out bytes.Buffer // written by one goroutine, and read when that has ended
	s := serve(t, server.Config{Loops: 2, Application: plain("content"), AccessLog: &out, AccessLogFormat: accesslog.Common})
	const clients, requests = 8, 500
	var group sync.WaitGroup
	for range clients {
		c := s.dial()
		group.Go(func() {
			for range requests {
				ask(t, c, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
			}
		})
	}
	group.Wait()
	s.hangUp()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	line := regexp.MustCompile(`^127\.0\.0\.1 - - \[[^]]+\] "GET /x HTTP/1\.1" 200 7\n$`)
	n := 0
	for got := range strings.Lines(out.String()) {
		if n++; !line.MatchString(got) {
			t.Fatalf("got %q", got)
		}
	}
	if n != clients*requests {
		t.Errorf("%d lines, want %d", n, clients*requests)
	}
	noGoroutinesLeft(t, before)
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// stuck is a writer that does not return until it is closed.
type stuck chan struct{}

func (w stuck) Write(p []byte) (int, error) {
	<-w
	return len(p), nil
}

// TestAccessLogTrouble: a log that cannot be written is of no concern to clients.
func TestAccessLogTrouble(t *testing.T) {
	blocked := make(stuck)
	defer close(blocked)
	for name, w := range map[string]io.Writer{"failing": broken{}, "blocked": blocked} {
		t.Run(name, func(t *testing.T) {
			var messages bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&messages, nil))
			s := serve(t, server.Config{Application: plain("content"), AccessLog: w, Logger: logger})
			c := s.dial()
			for range 3000 { // more than what a page holds
				if _, body := ask(t, c, "GET /"+strings.Repeat("x", 100)+" HTTP/1.1\r\nHost: a\r\n\r\n"); body != "content" {
					t.Fatalf("got %q", body)
				}
			}
			s.hangUp()
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			if n := strings.Count(messages.String(), "level=ERROR"); name == "failing" && n != 1 {
				t.Errorf("%d messages: %s", n, messages.String())
			}
		})
	}
}

func TestAccessLogConfig(t *testing.T) {
	for want, config := range map[string]server.Config{
		"AccessLogFormat": {AccessLogFormat: "xml"},
		"%(x)s":           {AccessLogFormat: "%(x)s"},
		"AccessLogSample": {AccessLogSample: -1},
	} {
		config.Application = plain("")
		if _, err := server.New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

// answers has the same answer in all ways that there are.
func answers(environ *app.Environ, start app.StartResponse) app.Body {
	headers := []app.Header{{Name: "X-Out", Value: "out"}, {Name: "X-Out", Value: "second"}}
	environ.Set("REMOTE_USER", "set by the application")
	switch environ.Get("PATH_INFO") {
	case "/inline":
		start("200 OK", headers)
		return app.String("12345")
	case "/blocking":
		return app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", headers)
			return app.String("12345")
		})(environ, start)
	case "/deferred":
		d := environ.Defer()
		d.After(time.Millisecond, func() { _ = d.Answer(&app.Response{Status: "200 OK", Headers: headers, Content: []byte("12345")}) })
		return nil
	}
	_, _ = io.Copy(io.Discard, environ.Input())
	start("200 OK", headers)
	return app.String("12345")
}

// TestAccessLogAtoms: what a format asks for is the same on all wires, whichever way the answer comes.
func TestAccessLogAtoms(t *testing.T) {
	var log bytes.Buffer // read when the server has ended
	s, client := serveHTTP2(t, server.Config{
		Bind: []string{"127.0.0.1:0", "scgi:127.0.0.1:0"}, Application: answers, AccessLog: &log, ContentBuffer: 4, Loops: 1,
		AccessLogFormat: `%(m)s %(U)s?%(q)s %(H)s %(s)s %(B)s %({x-in}i)s %({X-Other}i)s %({x-out}o)s %({request_method}e)s %({wsgi.url_scheme}e)s %({REMOTE_USER}e)s %(L)s`,
	})
	ways := []string{"/inline", "/blocking", "/deferred", "/streaming"}
	var want []string
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0", "HTTP/1.0"} {
		for _, way := range ways {
			method, content := "GET", ""
			if way == "/streaming" {
				method, content = "POST", "content"
			}
			want = append(want, method+" "+way+"?a=b "+protocol+" 200 5 in - out "+method+" http - T\n")
			switch protocol {
			case "HTTP/2.0":
				request, err := http.NewRequest(method, s.url(way+"?a=b"), strings.NewReader(content))
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("X-In", "in")
				response, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			case "HTTP/1.1":
				ask(t, s.dial(), fmt.Sprintf("%s %s?a=b HTTP/1.1\r\nHost: a\r\nX-In: in\r\nContent-Length: %d\r\n\r\n%s", method, way, len(content), content))
			default:
				c, err := net.Dial("tcp", strings.TrimPrefix(s.Addresses()[1], "scgi:"))
				if err != nil {
					t.Fatal(err)
				}
				head := ""
				for _, v := range []string{"CONTENT_LENGTH", fmt.Sprint(len(content)), "SCGI", "1", "REQUEST_METHOD", method, "REQUEST_URI", way + "?a=b",
					"QUERY_STRING", "a=b", "PATH_INFO", way, "SCRIPT_NAME", "", "SERVER_PROTOCOL", "HTTP/1.0", "HTTP_HOST", "a", "HTTP_X_IN", "in"} {
					head += v + "\x00"
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				fmt.Fprintf(c, "%d:%s,%s", len(head), head, content)
				if answer, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(answer), "12345") {
					t.Errorf("SCGI %s: %q, %v", way, answer, err)
				}
				_ = c.Close()
			}
		}
	}
	client.CloseIdleConnections()
	s.hangUp()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	got := slices.Sorted(strings.Lines(regexp.MustCompile(`\d\.\d{6}\n`).ReplaceAllString(log.String(), "T\n")))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%swant\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
}

// TestAccessLogDuration: it is that of the request, of an application that takes its time too.
func TestAccessLogDuration(t *testing.T) {
	const nap = 30 * time.Millisecond
	var log bytes.Buffer
	s := serve(t, server.Config{AccessLog: &log, AccessLogFormat: "%(U)s %(D)s", Application: paths{
		"/quick": plain("content"),
		"/nap": func(environ *app.Environ, start app.StartResponse) app.Body {
			time.Sleep(nap)
			return plain("content")(environ, start)
		},
	}.application()})
	began := time.Now()
	for _, path := range []string{"/nap", "/quick"} {
		c := s.dial()
		ask(t, c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	most := time.Since(began)
	s.hangUp()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(log.String()) {
		var path string
		var us int64
		if _, err := fmt.Sscanf(line, "%s %d\n", &path, &us); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		took := time.Duration(us) * time.Microsecond
		if took > most || path == "/nap" && took < nap-time.Millisecond {
			t.Errorf("%s took %v; all took %v", path, took, most)
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines", n)
	}
}

// TestAccessLogSample: one of so many requests is logged, and each that fails.
func TestAccessLogSample(t *testing.T) {
	const requests, every = 3000, 10
	var log bytes.Buffer
	s := serve(t, server.Config{AccessLog: &log, AccessLogFormat: accesslog.JSON, AccessLogSample: every, Application: paths{
		"/": plain("content"),
		"/fails": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("503 Service Unavailable", nil)
			return nil
		},
	}.application()})
	c := s.dial()
	for i := range requests {
		ask(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if i%100 == 0 {
			ask(t, c, "GET /fails HTTP/1.1\r\nHost: a\r\n\r\n")
		}
	}
	s.hangUp()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	text := log.String()
	if n := strings.Count(text, `"status":503,"bytes":0,`); n != requests/100 {
		t.Errorf("%d of %d failures are logged", n, requests/100)
	}
	if n := strings.Count(text, `"sample"`); n != strings.Count(text, `"status":200`) || n < requests/every/2 || n > requests/every*2 {
		t.Errorf("%d of %d others are logged, %d of them with their weight", strings.Count(text, `"status":200`), requests, n)
	}
}
