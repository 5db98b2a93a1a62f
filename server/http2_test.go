package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/server"
)

// serveHTTP2 runs a server that speaks HTTP/2, and returns a client that speaks nothing else.
func serveHTTP2(t *testing.T, config server.Config) (*running, *http.Client) {
	t.Helper()
	config.H2C = true
	s := serve(t, config)
	return s, s.http2Client()
}

func (r *running) http2Client() *http.Client {
	var only http.Protocols
	only.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &only}
	r.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// fetch asks for a path of s and returns the response, read whole; body is the error where there is none.
func (r *running) fetch(client *http.Client, method, path, content string) (response *http.Response, body string) {
	r.t.Helper()
	request, err := http.NewRequest(method, r.url(path), strings.NewReader(content))
	if err != nil {
		r.t.Fatal(err)
	}
	response, err = client.Do(request)
	if err != nil {
		return &http.Response{Header: http.Header{}}, err.Error()
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		return response, string(all) + err.Error()
	}
	return response, string(all)
}

// TestHTTP2Environ: an application sees the same, whichever way its client has taken.
func TestHTTP2Environ(t *testing.T) {
	for _, bind := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0"} {
		t.Run(bind, func(t *testing.T) {
			seen := make(chan map[string]string, 1)
			application := func(environ *app.Environ, start app.StartResponse) app.Body {
				all := make(map[string]string)
				for key, value := range environ.All() {
					if key != nethttp.RequestKey && key != "wsgi.early_hints" && key != "wsgi.file_wrapper" && key != "wsgi.input" {
						all[key] = fmt.Sprint(value)
					}
				}
				content, err := io.ReadAll(environ.Input())
				all["content"] = fmt.Sprintf("%q %v", content, err)
				seen <- all
				return plain("ok")(environ, start)
			}
			s, client := serveHTTP2(t, server.Config{
				Bind: []string{bind}, Application: app.Validator(application), Environ: map[string]any{"deployer.key": "value"}, Errors: os.Stdout,
			})
			for _, want := range []struct{ method, path, content string }{
				{"GET", "/a%2Fb/c%20d//e?f=%20g&h", ""},
				{"HEAD", "/", ""},
				{"POST", "/form", "some content"},
				{"PUT", "/?", strings.Repeat("long", 1<<16)},
				{"OPTIONS", "/x", ""},
			} {
				var got [2]map[string]string
				for i, client := range []*http.Client{{Timeout: patience}, client} {
					request, _ := http.NewRequest(want.method, s.url(want.path), strings.NewReader(want.content))
					request.Host = "name.example:8080"
					request.Header = http.Header{
						"X-Twice": {"one", "two"}, "Content-Type": {"a/b"}, "X-Under_score": {"no"}, "Cookie": {"a=b; c=d"},
						"Accept-Encoding": {"identity"}, "X-Latin": {"caf\xe9"}, "User-Agent": {"test"},
					}
					response, err := client.Do(request)
					if err != nil {
						t.Fatal(err)
					}
					_ = response.Body.Close()
					got[i] = <-seen
					if got[i]["REMOTE_PORT"] == "" {
						t.Error("there is no REMOTE_PORT")
					}
					delete(got[i], "REMOTE_PORT")
					client.CloseIdleConnections()
				}
				if p := got[1]["SERVER_PROTOCOL"]; p != "HTTP/2.0" {
					t.Errorf("SERVER_PROTOCOL is %q", p)
				}
				got[1]["SERVER_PROTOCOL"] = "HTTP/1.1"
				for _, key := range slices.Sorted(maps.Keys(got[0])) {
					if got[0][key] != got[1][key] {
						t.Errorf("%s %s: %s is %.200q under HTTP/1.1, %.200q under HTTP/2", want.method, want.path, key, got[0][key], got[1][key])
					}
					delete(got[1], key)
				}
				if len(got[1]) > 0 {
					t.Errorf("%s %s: only under HTTP/2: %v", want.method, want.path, got[1])
				}
			}
		})
	}
}

// TestHTTP2UnixSocket: there is no client address on one.
func TestHTTP2UnixSocket(t *testing.T) {
	path := t.TempDir() + "/socket"
	s := serve(t, server.Config{H2C: true, Bind: []string{"unix:" + path}, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		address, there := environ.Lookup("REMOTE_ADDR")
		return plain(fmt.Sprint(address, there, environ.Get("SERVER_NAME"), environ.Get("SERVER_PORT"), environ.Get("SERVER_PROTOCOL")))(environ, start)
	}})
	client := s.http2Client()
	client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		return net.DialTimeout("unix", path, patience)
	}
	response, err := client.Get("http://name.example/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != "truelocalhost80HTTP/2.0" {
		t.Errorf("got %q", body)
	}
}

// TestHTTP2Answers: what applications do is answered as under HTTP/1.1, and reported.
func TestHTTP2Answers(t *testing.T) {
	applications := paths{
		"/plain":    plain("plain"),
		"/blocking": app.Blocking(plain("blocking")),
		"/empty": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("204 No Content", nil)
			return nil
		},
		"/reset": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("205 Reset Content", nil)
			return app.String("content")
		},
		"/own": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("299 Own", []app.Header{{Name: "Server", Value: "own"}, {Name: "X-A", Value: "1"}, {Name: "X-A", Value: "2"}})
			return app.String("own")
		},
		"/panic": func(*app.Environ, app.StartResponse) app.Body { panic("out of order") },
		"/late": func(_ *app.Environ, start app.StartResponse) app.Body {
			write := start("200 OK", nil)
			_, _ = write([]byte("begun "))
			panic("out of order, late")
		},
		"/abort": func(_ *app.Environ, start app.StartResponse) app.Body { panic(app.ErrAbort) },
		"/short": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", []app.Header{{Name: "Content-Length", Value: "10"}})
			return app.String("short")
		},
		"/nothing": func(*app.Environ, app.StartResponse) app.Body { return nil },
		"/handler": nethttp.Application(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprint(w, r.Proto, " ", r.URL)
		})),
	}
	log := newRecord()
	s, client := serveHTTP2(t, server.Config{Application: applications.application(), Logger: log.logger()})
	for _, test := range []struct {
		method, path string
		status       int
		body, server string
		log          string // "": nothing is logged
	}{
		{"GET", "/plain", 200, "plain", "weir", ""},
		{"HEAD", "/plain", 200, "", "weir", ""},
		{"GET", "/blocking", 200, "blocking", "weir", ""},
		{"GET", "/empty", 204, "", "weir", ""},
		{"GET", "/reset", 205, "", "weir", ""},
		{"GET", "/own", 299, "own", "own", ""},
		{"GET", "/panic", 500, "Internal Server Error\n", "weir", `msg="application failed" method=GET path=/panic error="panic: out of order" stack=`},
		{"GET", "/late", 200, "begun stream error: stream ID", "weir", `error="panic: out of order, late"`},
		{"GET", "/abort", 0, "stream error", "", ""},
		{"GET", "/short", 0, "stream error", "", "content is shorter than Content-Length"},
		{"GET", "/nothing", 500, "Internal Server Error\n", "weir", "start_response: not called"},
		{"GET", "/handler?a=b", 200, "HTTP/2.0 /handler?a=b", "weir", ""},
	} {
		before := len(log.String())
		response, body := s.fetch(client, test.method, test.path, "")
		body, _, _ = strings.Cut(strings.ReplaceAll(body, `Get "`+s.url(test.path)+`": `, ""), " ID")
		if test.body = strings.TrimSuffix(test.body, " ID"); response.StatusCode != test.status || !strings.HasPrefix(body, test.body) || test.body == "" && body != "" ||
			response.Header.Get("Server") != test.server {
			t.Errorf("%s %s: got %d %q from %q", test.method, test.path, response.StatusCode, body, response.Header.Get("Server"))
		}
		if response.StatusCode != 0 && response.Header.Get("Date") == "" {
			t.Errorf("%s: no Date", test.path)
		}
		until(t, "the log line of "+test.path, func() bool { return strings.Contains(log.String()[before:], test.log) })
		if got := log.String()[before:]; test.log == "" && got != "" {
			t.Errorf("%s: logged %s", test.path, got)
		}
	}
}

// TestHTTP2Refusals: what a client may not do is refused as under HTTP/1.1.
func TestHTTP2Refusals(t *testing.T) {
	limits := httpparse.DefaultLimits()
	limits.RequestLine, limits.FieldLine, limits.Fields, limits.FieldSection = 100, 200, 20, 2000
	var called atomic.Int64
	s, client := serveHTTP2(t, server.Config{Limits: &limits, MaxContent: 100_000, ContentBuffer: 1000, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		called.Add(1)
		if _, err := io.Copy(io.Discard, environ.Input()); err != nil {
			panic(err)
		}
		return plain("served")(environ, start)
	}})
	many := http.Header{}
	for i := range 21 {
		many.Set(fmt.Sprint("X-", i), "1")
	}
	for _, test := range []struct {
		name    string
		change  func(r *http.Request)
		content io.Reader
		want    string
		called  int64
	}{
		{"nothing wrong", nil, nil, "200 served", 1},
		{"OPTIONS *", func(r *http.Request) { r.Method, r.URL.Opaque = "OPTIONS", "*" }, nil, "200 ", 0},
		{"long path", func(r *http.Request) { r.URL.Path = "/" + strings.Repeat("x", 100) }, nil, "414 ", 0},
		{"long field", func(r *http.Request) { r.Header.Set("X", strings.Repeat("x", 300)) }, nil, "431 ", 0},
		{"many fields", func(r *http.Request) { r.Header = many }, nil, "431 ", 0},
		{"host", func(r *http.Request) { r.Host = "a%zz" }, nil, "400 ", 0},
		{"long content, declared", nil, strings.NewReader(strings.Repeat("x", 100_001)), "413 Request Entity Too Large: the content is longer", 0},
		{"long content, not declared", nil, io.MultiReader(strings.NewReader(strings.Repeat("x", 100_001))), "413 Request Entity Too Large: the content is longer", 1},
		{"content to the limit", nil, io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000))), "200 served", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := called.Load()
			request, _ := http.NewRequest("POST", s.url("/"), test.content)
			if test.change != nil {
				test.change(request)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if got := fmt.Sprint(response.StatusCode, " ", string(body)); err != nil || !strings.HasPrefix(got, test.want) {
				t.Errorf("got %s, %v; want %s", got, err, test.want)
			}
			if n := called.Load() - before; n != test.called {
				t.Errorf("the application was called %d times", n)
			}
		})
	}
}

// TestHTTP2Streams: content is read as it comes, and answered before it has ended.
func TestHTTP2Streams(t *testing.T) {
	s, client := serveHTTP2(t, server.Config{ContentBuffer: 1, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		return app.Seq(func(yield func([]byte) bool) {
			for {
				line, err := environ.Input().ReadLine(-1)
				if err != nil || !yield(append([]byte("got "), line...)) {
					return
				}
			}
		})
	}})
	content, in := io.Pipe()
	go func() { _, _ = io.WriteString(in, "first\n") }()
	response, err := client.Post(s.url("/"), "text/plain", content)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	buf := make([]byte, 100)
	for _, want := range []string{"got first\n", "got second\n", "got third\n"} {
		n, err := io.ReadFull(response.Body, buf[:len(want)])
		if err != nil || string(buf[:n]) != want {
			t.Fatalf("received %q, %v; want %q", buf[:n], err, want)
		}
		if want == "got third\n" {
			_ = in.Close()
			break
		}
		_, _ = fmt.Fprintf(in, "%s\n", map[string]string{"got first\n": "second", "got second\n": "third"}[want])
	}
	if n, err := response.Body.Read(buf); err != io.EOF {
		t.Errorf("behind the end: %d, %v", n, err)
	}
}

// TestHTTP2Large: content both ways, for many requests at a time on one connection.
func TestHTTP2Large(t *testing.T) {
	s, client := serveHTTP2(t, server.Config{Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		return app.Reader(environ.Input())
	}})
	content := string(randomOctets(1 << 20))
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if response, body := s.fetch(client, "POST", "/", content); body != content {
				t.Errorf("got %d and %d octets", response.StatusCode, len(body))
			}
		})
	}
	group.Wait()
}

// TestHTTP2Deferred: an answer that comes later, and the notice that nobody waits for it any more.
func TestHTTP2Deferred(t *testing.T) {
	l := newLot()
	s, client := serveHTTP2(t, server.Config{Application: l.application(), MaxBlocking: 5})
	const waiting = 50 // more than may block: a deferred request takes no place
	answers := make(chan string, waiting)
	for range waiting {
		go func() {
			body := ""
			for status := 503; status == 503; { // while another is being deferred
				var response *http.Response
				response, body = s.fetch(client, "GET", "/defer", "")
				status = response.StatusCode
			}
			answers <- body
		}()
	}
	for i := range waiting {
		d := l.take(t)
		if i%2 == 0 {
			if err := d.Answer(response("whole")); err != nil {
				t.Error(err)
			}
			continue
		}
		_, _ = d.Start("200 OK", nil), d.EarlyHints(nil)
		_, _ = d.Write([]byte("in "))
		_, _ = d.Write([]byte("parts"))
		_ = d.Close()
	}
	got := make(map[string]int)
	for range waiting {
		got[<-answers]++
	}
	if got["whole"] != waiting/2 || got["in parts"] != waiting/2 {
		t.Errorf("got %v", got)
	}

	ctx, leave := context.WithCancel(t.Context())
	request, _ := http.NewRequestWithContext(ctx, "GET", s.url("/defer"), nil)
	go func() { _, _ = client.Do(request) }()
	d := l.take(t)
	watcher := &observer{}
	d.Watch(watcher)
	until(t, "the call to end", func() bool { // or the client would leave before
		response, _ := s.fetch(client, "GET", "/before", "")
		return response.StatusCode == 200
	})
	leave()
	done(t, d)
	until(t, "the watcher is told", func() bool { return watcher.left.Load() == 1 })
	if err := d.Answer(response("nobody reads this")); !errors.Is(err, app.ErrGone) {
		t.Errorf("Answer says %v", err)
	}
	if _, body := s.fetch(client, "GET", "/behind", ""); body != "/behind" {
		t.Errorf("the same connection answers %q", body)
	}
}

// TestHTTP2EarlyHints: interim responses arrive ahead of the answer.
func TestHTTP2EarlyHints(t *testing.T) {
	hinted := make(chan bool)
	s, client := serveHTTP2(t, server.Config{Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		if err := environ.EarlyHints([]app.Header{{Name: "Link", Value: "</style.css>; rel=preload"}}); err != nil {
			t.Error(err)
		}
		<-hinted
		return plain("answer")(environ, start)
	}})
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		if code != 103 || header.Get("Link") != "</style.css>; rel=preload" || header.Get("Server") != "" {
			t.Errorf("got %d %v", code, header)
		}
		close(hinted)
		return nil
	}}
	request, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", s.url("/"), nil)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != "answer" || response.Header.Get("Link") != "" {
		t.Errorf("got %q, %v", body, response.Header)
	}
}

// TestHTTP2AccessLog: requests have their lines, refused and unanswered ones too.
func TestHTTP2AccessLog(t *testing.T) {
	var out bytes.Buffer // read when the server has ended
	s, client := serveHTTP2(t, server.Config{AccessLog: &out, MaxContent: 10, Application: paths{
		"/x":     plain("content"),
		"/abort": func(*app.Environ, app.StartResponse) app.Body { panic(app.ErrAbort) },
	}.application()})
	_, _ = s.fetch(client, "GET", "/x?y", "")
	_, _ = s.fetch(client, "HEAD", "/x", "")
	_, _ = s.fetch(client, "POST", "/x", "more than ten octets")
	_, _ = s.fetch(client, "GET", "/abort", "")
	client.CloseIdleConnections()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	got := regexp.MustCompile(`\[[^]]+\]`).ReplaceAllString(out.String(), "[]")
	want := `127.0.0.1 - - [] "GET /x?y HTTP/2.0" 200 7 "-" "Go-http-client/2.0"
127.0.0.1 - - [] "HEAD /x HTTP/2.0" 200 - "-" "Go-http-client/2.0"
127.0.0.1 - - [] "POST /x HTTP/2.0" 413 73 "-" "Go-http-client/2.0"
127.0.0.1 - - [] "GET /abort HTTP/2.0" - - "-" "Go-http-client/2.0"
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
