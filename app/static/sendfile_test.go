package static_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/app/static"
)

// answers are the ways in which an application can give the same answer: its status and its fields, and content that a client must not see when a
// file takes its place.
var answers = map[string]func(environ *app.Environ, start app.StartResponse, status string, headers []app.Header) app.Body{
	"plain": func(_ *app.Environ, start app.StartResponse, status string, headers []app.Header) app.Body {
		start(status, headers)
		return app.String("secret content")
	},
	"written": func(_ *app.Environ, start app.StartResponse, status string, headers []app.Header) app.Body {
		_, _ = start(status, headers)([]byte("secret "))
		return app.String("content")
	},
	"second thoughts": func(_ *app.Environ, start app.StartResponse, status string, headers []app.Header) app.Body {
		start("200 OK", []app.Header{{Name: "X-Sendfile", Value: "/etc/passwd"}})
		start("500 Oops", nil, errors.New("first"))
		start(status, headers, errors.New("second"))
		return app.String("secret content")
	},
	"blocking": func(environ *app.Environ, start app.StartResponse, status string, headers []app.Header) app.Body {
		return app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
			start(status, headers)
			return app.String("secret content")
		})(environ, start)
	},
	"late": func(_ *app.Environ, start app.StartResponse, status string, headers []app.Header) app.Body {
		return app.Seq(func(yield func([]byte) bool) {
			start(status, headers)
			_ = yield([]byte("secret ")) && yield([]byte("content"))
		})
	},
	"deferred": func(environ *app.Environ, _ app.StartResponse, status string, headers []app.Header) app.Body {
		d := environ.Defer()
		go func() {
			_ = d.Answer(&app.Response{Status: status, Headers: headers, Content: []byte("secret content")})
		}()
		return nil
	},
	"deferred, on the loop": func(environ *app.Environ, _ app.StartResponse, status string, headers []app.Header) app.Body {
		d := environ.Defer()
		loop := d.Executor().(app.Poller)
		loop.Post(func() {
			r := &app.Response{Status: status, Headers: headers, Content: []byte("secret content")}
			if err := loop.Answer(d, r); err != nil {
				panic(err)
			}
			clear(r.Headers) // they are the caller's again
			clear(r.Content)
		})
		return nil
	},
	"deferred in steps": func(environ *app.Environ, _ app.StartResponse, status string, headers []app.Header) app.Body {
		d := environ.Defer()
		go func() {
			if err := d.Start(status, headers); err != nil {
				panic(err)
			}
			if d.Start(status, headers) == nil {
				panic("started twice")
			}
			_, _ = d.Write([]byte("secret "))
			file, err := os.CreateTemp("", "weir")
			if err != nil {
				panic(err)
			}
			_ = os.Remove(file.Name())
			_, _ = file.WriteString("content")
			_ = d.SendFile(file, 0, 7)
			_ = d.Close()
		}()
		return nil
	},
}

// TestSendfile: however an application answers, the file that it names is sent in the place of its content.
func TestSendfile(t *testing.T) {
	dir := files(t)
	name := func(field, value string) string { return field + ": " + value }
	plainly := "Content-Type: image/x-own|Cache-Control: private|Set-Cookie: a=b|"
	var mu sync.Mutex
	var way, status, fields string // of the next answer
	application := func(environ *app.Environ, start app.StartResponse) app.Body {
		mu.Lock()
		way, status, fields := way, status, fields
		mu.Unlock()
		var headers []app.Header
		for _, f := range split(fields) {
			name, value, _ := strings.Cut(f, ": ")
			headers = append(headers, app.Header{Name: name, Value: value})
		}
		return answers[way](environ, start, status, headers)
	}
	log := &record{}
	sendfile, err := static.NewSendfile([]static.Handover{{Dir: dir + "/page"}, {Dir: dir}, {Prefix: "/protected/", Dir: dir}}, static.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer sendfile.Close()
	s := serve(t, sendfile.Wrap(application))
	on, off := s, serve(t, application)
	for _, c := range []struct {
		s              *served
		method, ask    string
		status, fields string // of the application
		code           int
		want           string // fields
		content        string
		log            string
	}{
		{on, "GET", "", "200 OK", plainly + name("X-Sendfile", dir+"/a.txt"), 200, "Content-Type: image/x-own|Cache-Control: private|Set-Cookie: a=b|Content-Length: 10|Last-Modified: " + pastDate + "|Accept-Ranges: bytes", "0123456789", ""},
		{on, "GET", "", "200 OK", "Content-Length: 14|" + name("x-sendfile", dir+"/a.txt"), 200, "Content-Type: text/plain; charset=utf-8|Content-Length: 10", "0123456789", ""},
		{on, "HEAD", "", "200 OK", name("X-Sendfile", dir+"/a.txt"), 200, "Content-Length: 10", "", ""},
		{on, "POST", "Content-Length: 0|Range: bytes=0-1", "200 OK", name("X-Sendfile", dir+"/a.txt"), 200, "Content-Length: 10|-Content-Range", "0123456789", ""},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir+"/large.bin"), 200, "Content-Length: 6291456", string(large), ""},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir+"/empty.css"), 200, "Content-Length: 0", "", ""},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir+"/page/../a.txt"), 200, "", "0123456789", ""},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir+"/page/index.html"), 200, "", "<p>index", ""},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir+"/.secret"), 200, "", "hidden", ""},
		{on, "GET", "", "200 OK", name("X-Accel-Redirect", "/protected/sp%20ace.txt?x=y"), 200, "", "space", ""},
		{on, "GET", "", "404 Not Found", name("X-Accel-Redirect", "/protected/page/index.html"), 404, "Content-Type: text/html; charset=utf-8", "<p>index", ""},

		// Ranges and conditions, with the application's validators where it has any.
		{on, "GET", "Range: bytes=2-4", "200 OK", plainly + name("X-Sendfile", dir+"/a.txt"), 206, "Content-Range: bytes 2-4/10|Content-Type: image/x-own|Set-Cookie: a=b", "234", ""},
		{on, "GET", "Range: bytes=2-4", "206 Partial Content", "Content-Range: bytes 2-4/10|" + name("X-Sendfile", dir+"/a.txt"), 206, "Content-Range: bytes 2-4/10", "234", ""},
		{on, "GET", "Range: bytes=10-", "200 OK", name("X-Sendfile", dir+"/a.txt"), 416, "Content-Range: bytes */10", "", ""},
		{on, "GET", "Range: bytes=1000000-2999999", "200 OK", name("X-Accel-Redirect", "/protected/large.bin"), 206, "Content-Length: 2000000", string(large[1000000:3000000]), ""},
		{on, "GET", "If-Modified-Since: " + pastDate, "200 OK", plainly + name("X-Sendfile", dir+"/a.txt"), 304, "Cache-Control: private|-Content-Type", "", ""},
		{on, "GET", `If-None-Match: "own"`, "200 OK", `ETag: "own"|` + name("X-Sendfile", dir+"/a.txt"), 304, `ETag: "own"`, "", ""},
		{on, "GET", `If-None-Match: "x"`, "200 OK", `ETag: "own"|Last-Modified: Mon, 06 May 2002 07:08:09 GMT|` + name("X-Sendfile", dir+"/a.txt"), 200, `ETag: "own"|Last-Modified: Mon, 06 May 2002 07:08:09 GMT`, "0123456789", ""},
		{on, "GET", "", "304 Not Modified", `ETag: "own"|` + name("X-Sendfile", dir+"/a.txt"), 304, `ETag: "own"|-X-Sendfile`, "", ""},

		// What is not to be sent.
		{on, "GET", "", "200 OK", plainly + name("X-Sendfile", filepath.Dir(dir)+"/outside"), 500, "-Set-Cookie|-ETag", "Internal Server Error\n", "outside of all directories"},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir+"/../outside"), 500, "", "Internal Server Error\n", "outside of all directories"},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir+"2/x"), 500, "", "Internal Server Error\n", "outside of all directories"},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir), 500, "", "Internal Server Error\n", "outside of all directories"},
		{on, "GET", "", "200 OK", name("X-Sendfile", "a.txt"), 500, "", "Internal Server Error\n", "outside of all directories"},
		{on, "GET", "", "200 OK", name("X-Sendfile", ""), 500, "", "Internal Server Error\n", "outside of all directories"},
		{on, "GET", "", "200 OK", name("X-Sendfile", "/protected/a.txt"), 500, "", "Internal Server Error\n", "outside of all directories"},
		{on, "GET", "", "200 OK", name("X-Accel-Redirect", dir+"/a.txt"), 500, "", "Internal Server Error\n", "outside of all directories"},
		{on, "GET", "", "200 OK", name("X-Accel-Redirect", "/protected/../a.txt"), 500, "", "Internal Server Error\n", "outside of all directories"},
		{on, "GET", "", "200 OK", name("X-Accel-Redirect", "/protected/%2e%2e/outside"), 500, "", "Internal Server Error\n", "outside of all directories"},
		{on, "GET", "", "200 OK", name("X-Accel-Redirect", "/protected/%zz"), 500, "", "Internal Server Error\n", "invalid URL escape"},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir+"/a.txt") + "|" + name("X-Accel-Redirect", "/protected/a.txt"), 500, "", "Internal Server Error\n", "two files"},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir+"/link.txt"), 404, "", "Not Found\n", "file does not exist"},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir+"/fifo"), 404, "", "Not Found\n", "neither a file nor a directory"},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir+"/page"), 404, "", "Not Found\n", "is a directory"},
		{on, "GET", "", "200 OK", name("X-Sendfile", dir+"/none"), 404, "", "Not Found\n", "no such file"},
		{on, "HEAD", "", "200 OK", name("X-Sendfile", dir+"/none"), 404, "", "", "no such file"},

		// Nobody names a file, or nobody listens.
		{on, "GET", "", "200 OK", "X-Other: /a", 200, "X-Other: /a", "secret content", ""},
		{off, "GET", "", "200 OK", "X-Sendfile: /etc/passwd", 200, "X-Sendfile: /etc/passwd", "secret content", ""},
	} {
		for kind := range answers {
			t.Run(kind+" "+c.method+" "+c.ask+" "+strings.ReplaceAll(c.fields, dir, "DIR"), func(t *testing.T) {
				mu.Lock()
				way, status, fields = kind, c.status, c.fields
				mu.Unlock()
				r := c.s.ask(c.method, "/", split(c.ask)...)
				if r.StatusCode != c.code || string(r.content) != c.content {
					t.Errorf("%s, %.60q (%d octets); want %d, %.60q (%d)", r.Status, r.content, len(r.content), c.code, c.content, len(c.content))
				}
				for _, f := range split(c.want) {
					name, want, _ := strings.Cut(strings.TrimPrefix(f, "-"), ": ")
					if got := strings.Join(r.Header.Values(name), "|"); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				if c.s == on && (r.Header.Get("X-Sendfile") != "" || r.Header.Get("X-Accel-Redirect") != "") {
					t.Errorf("the name is sent: %v", r.Header)
				}
				if got := log.take() + s.log.take(); !strings.Contains(got, c.log) || (got == "") != (c.log == "") {
					t.Errorf("log is %q, want %q", got, c.log)
				}
			})
		}
	}
}

// take empties the log.
func (r *record) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.text.String()
	r.text.Reset()
	return s
}

// TestSendfileEnds: deferred answers that name a file and then come to another end.
func TestSendfileEnds(t *testing.T) {
	dir := files(t)
	sendfile, err := static.NewSendfile([]static.Handover{{Dir: dir}}, static.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer sendfile.Close()
	file := []app.Header{{Name: "X-Sendfile", Value: dir + "/a.txt"}}
	for _, c := range []struct {
		name   string
		script func(d app.Deferred) error
		want   string
	}{
		{"abort", func(d app.Deferred) error {
			err := d.Start("200 OK", file)
			d.Abort(errors.New("on purpose"))
			return err
		}, "500 Internal Server Error"},
		{"deadline with a file", func(d app.Deferred) error {
			d.SetDeadline(time.Millisecond, &app.Response{Status: "200 OK", Headers: file})
			return nil
		}, "500 Internal Server Error"},
		{"deadline that does not come", func(d app.Deferred) error {
			d.SetDeadline(time.Hour, &app.Response{Status: "204 No Content"})
			return errors.Join(d.Start("200 OK", file), d.Close())
		}, "0123456789"},
		{"another response", func(d app.Deferred) error {
			err := errors.Join(d.Start("200 OK", file), d.Start("202 Accepted", nil, errors.New("why")))
			_, werr := d.Write([]byte("other"))
			return errors.Join(err, werr, d.Close())
		}, "other"},
		{"a second end", func(d app.Deferred) error {
			err := errors.Join(d.Start("200 OK", file), d.Close())
			for i, gone := range []error{d.Start("200 OK", nil), d.Close(), d.Answer(&app.Response{Status: "200 OK"}), d.Answer(&app.Response{Status: "200 OK", Headers: file})} {
				if gone != app.ErrGone {
					err = errors.Join(err, fmt.Errorf("call %d behind the end: %v", i, gone))
				}
			}
			if _, gone := d.Write([]byte("x")); gone != app.ErrGone {
				err = errors.Join(err, errors.New("Write behind the end"))
			}
			return err
		}, "0123456789"},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := make(chan error, 1)
			s := serve(t, sendfile.Wrap(func(environ *app.Environ, _ app.StartResponse) app.Body {
				d := environ.Defer()
				go func() { result <- c.script(d) }()
				return nil
			}))
			r := s.ask("GET", "/")
			if err := <-result; err != nil {
				t.Error(err)
			}
			if string(r.content) != c.want && r.Status != c.want {
				t.Errorf("%s, %q", r.Status, r.content)
			}
		})
	}
}

// TestSendfileCloses: the body that a file takes the place of is closed once, and not read further than it has to be.
func TestSendfileCloses(t *testing.T) {
	dir := files(t)
	sendfile, err := static.NewSendfile([]static.Handover{{Dir: dir}}, static.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sendfile.Close()
	for _, late := range []bool{false, true} {
		closed := make(chan int, 9)
		var app1 app.Application = func(_ *app.Environ, start app.StartResponse) app.Body {
			begin := func() { start("200 OK", []app.Header{{Name: "X-Sendfile", Value: dir + "/a.txt"}}) }
			if !late {
				begin()
			}
			n := 0
			return &counted{next: func() ([]byte, error) {
				if n++; n == 1 && late {
					begin()
				}
				return []byte("x"), nil
			}, close: func() { closed <- n }}
		}
		s := serve(t, sendfile.Wrap(app1))
		if r := s.ask("GET", "/"); !bytes.Equal(r.content, []byte("0123456789")) {
			t.Errorf("%s, %q", r.Status, r.content)
		}
		want := 0
		if late {
			want = 1
		}
		if n := <-closed; n != want || len(closed) > 0 {
			t.Errorf("Next was called %d times, and Close %d more", n, len(closed))
		}
	}
}

type counted struct {
	next  func() ([]byte, error)
	close func()
}

func (c *counted) Next() ([]byte, error) { return c.next() }
func (c *counted) Close() error          { c.close(); return nil }

// TestSendfileOverNetHTTP: middleware holds whatever the wire is.
func TestSendfileOverNetHTTP(t *testing.T) {
	dir := files(t)
	sendfile, err := static.NewSendfile([]static.Handover{{Dir: dir}}, static.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer sendfile.Close()
	for way, application := range answers {
		if way == "deferred, on the loop" {
			continue // there is none
		}
		s := httptest.NewServer(nethttp.Handler(sendfile.Wrap(func(environ *app.Environ, start app.StartResponse) app.Body {
			return application(environ, start, "200 OK", []app.Header{{Name: "X-Sendfile", Value: dir + string(environ.Path())}})
		})))
		for path, want := range map[string]string{"/large.bin": string(large[100:5000000]), "/a.txt": "", "/none": "Not Found\n"} {
			request, err := http.NewRequest("GET", s.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Range", "bytes=100-4999999")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(response.Body)
			if err != nil || string(content) != want || response.Header.Get("X-Sendfile") != "" {
				t.Errorf("%s, %s: %s, %d octets, %v", way, path, response.Status, len(content), err)
			}
			_ = response.Body.Close()
		}
		s.Close()
	}
}
