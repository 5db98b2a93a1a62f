package app_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	weir "github.com/weirhttp/weir/server"
)

// marking is a Coder whose work shows: it turns letters round, and puts a mark behind each chunk and another one at the end.
type marking struct{ open *atomic.Int64 }

func newMarking(open *atomic.Int64) *marking { open.Add(1); return &marking{open} }

func (m *marking) Encode(dst, chunk []byte, last bool) ([]byte, error) {
	dst = append(dst, bytes.ToUpper(chunk)...)
	if last {
		dst = append(dst, "<end>"...)
	}
	return dst, nil
}

func (m *marking) Close() { m.open.Add(-1) }

// owned is a file that whoever gets it closes.
func owned(t *testing.T, content string) *os.File {
	t.Helper()
	f, err := os.Open(file(t, content).Name())
	if err != nil {
		t.Error(err)
	}
	return f
}

// ways are the ways in which an application gives content.
func ways(t *testing.T, content string) map[string]app.Application {
	plain := []app.Header{{Name: "Content-Type", Value: "text/plain"}}
	open := func() app.Body {
		body, err := app.FileBody(owned(t, content), 0, -1)
		if err != nil {
			panic(err)
		}
		return body
	}
	started := func(body func() app.Body) app.Application {
		return func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			return body()
		}
	}
	half := len(content) / 2
	seq := func(yield func([]byte) bool) {
		_ = yield([]byte(content[:half])) && yield(nil) && yield([]byte(content[half:]))
	}
	deferred := func(answer func(d app.Deferred)) app.Application {
		return func(environ *app.Environ, _ app.StartResponse) app.Body {
			d := environ.Defer()
			go answer(d)
			return nil
		}
	}
	begun := func(answer func(d app.Deferred)) app.Application {
		return deferred(func(d app.Deferred) {
			if err := d.Start("200 OK", plain); err != nil {
				d.Abort(err)
				return
			}
			answer(d)
			_ = d.Close()
		})
	}
	response := &app.Response{Status: "200 OK", Headers: plain, Content: []byte(content)}
	write := func(environ *app.Environ, start app.StartResponse) app.Body {
		write := start("200 OK", plain)
		_, _ = write([]byte(content[:half]))
		return app.String(content[half:])
	}
	return map[string]app.Application{
		"bytes":    started(func() app.Body { return app.String(content) }),
		"sequence": started(func() app.Body { return app.Seq(seq) }),
		"reader":   started(func() app.Body { return app.ReaderN(strings.NewReader(content), int64(len(content))) }),
		"file":     started(open),
		"write":    write,
		"written only": func(_ *app.Environ, start app.StartResponse) app.Body {
			_, _ = start("200 OK", plain)([]byte(content))
			return nil
		},
		"late": func(_ *app.Environ, start app.StartResponse) app.Body {
			return app.Seq(func(yield func([]byte) bool) {
				start("200 OK", plain)
				seq(yield)
			})
		},
		"withdrawn": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("404 Not Found", plain)
			start("200 OK", plain, errors.New("second thoughts"))
			return app.String(content)
		},
		"blocking":       app.Blocking(started(func() app.Body { return app.String(content) })),
		"blocking file":  app.Blocking(started(open)),
		"blocking write": app.Blocking(write),
		"answered":       deferred(func(d app.Deferred) { _ = d.Answer(response) }),
		"answered in the call": func(environ *app.Environ, _ app.StartResponse) app.Body {
			_ = environ.Defer().Answer(response)
			return nil
		},
		"expired": deferred(func(d app.Deferred) { d.SetDeadline(time.Millisecond, response) }),
		"deferred": begun(func(d app.Deferred) {
			_, _ = d.Write([]byte(content[:half]))
			_, _ = d.Write([]byte(content[half:]))
		}),
		"withdrawn later": begun(func(d app.Deferred) {
			_ = d.Start("200 OK", plain, errors.New("second thoughts"))
			_, _ = d.Write([]byte(content))
		}),
		"deferred file": begun(func(d app.Deferred) {
			_ = d.SendFile(owned(t, content), 0, int64(half))
			_, _ = d.Write([]byte(content[half:]))
		}),
		"deferred from a goroutine": app.Blocking(deferred(func(d app.Deferred) { _ = d.Answer(response) })),
	}
}

// servers are an http.Server and weir's own, with a client each. application runs between validators.
func servers(t *testing.T, application app.Application) map[string]func() (*http.Response, error) {
	t.Helper()
	test := apptest.NewServer(t, application)
	address := serve(t, app.Validator(application))
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: 30 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	return map[string]func() (*http.Response, error){
		"net/http": func() (*http.Response, error) { return test.Client.Get(test.URL) },
		"weir":     func() (*http.Response, error) { return client.Get("http://" + address) },
	}
}

// serve serves application on weir's own loops until the test ends.
func serve(t *testing.T, application app.Application) (address string) {
	t.Helper()
	return serveWith(t, weir.Config{Application: application})
}

func serveWith(t *testing.T, config weir.Config) (address string) {
	t.Helper()
	config.Bind, config.Loops, config.Logger = []string{"127.0.0.1:0"}, 1, slog.New(slog.DiscardHandler)
	s, err := weir.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.Addresses()[0]
}

// until waits for something to come true.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !true(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still not so: " + what)
		}
	}
}

var filterCases = []struct {
	name   string
	filter func(t *testing.T, open *atomic.Int64) app.Filter
	want   func(content string) string
}{
	{"left alone", func(*testing.T, *atomic.Int64) app.Filter {
		return func(h *app.Head) { h.Add("X-Seen", h.Status) }
	}, func(content string) string { return content }},
	{"coded", func(_ *testing.T, open *atomic.Int64) app.Filter {
		return func(h *app.Head) {
			h.Add("X-Seen", h.Status)
			h.Delete("Content-Length")
			h.Coder = newMarking(open)
		}
	}, func(content string) string { return strings.ToUpper(content) + "<end>" }},
	{"replaced", func(t *testing.T, open *atomic.Int64) app.Filter {
		return func(h *app.Head) {
			h.Add("X-Seen", h.Status)
			open.Add(1)
			h.Body = &counted{app.String("instead"), open}
		}
	}, func(string) string { return "instead" }},
	{"replaced by a file", func(t *testing.T, open *atomic.Int64) app.Filter {
		return func(h *app.Head) {
			h.Add("X-Seen", h.Status)
			h.Body, _ = app.FileBody(owned(t, "another file"), 0, -1)
		}
	}, func(string) string { return "another file" }},
}

// counted is a body whose Close is counted.
type counted struct {
	app.Body
	open *atomic.Int64
}

func (c *counted) Close() error { c.open.Add(-1); return nil }

// TestFilterContent: whatever the way in which an application gives its answer, a filter sees the head and says what becomes of
// the content, and what it has opened is closed.
func TestFilterContent(t *testing.T) {
	for length, content := range map[string]string{"short": "some content", "long": strings.Repeat("much more content ", 20_000), "none": ""} {
		for way, application := range ways(t, content) {
			for _, c := range filterCases {
				if length == "none" && c.name != "coded" {
					continue // the same as of short content
				}
				t.Run(length+"/"+way+"/"+c.name, func(t *testing.T) {
					if way == "expired" && strings.HasPrefix(c.name, "replaced") {
						return // a deadline's response has no other body in its place
					}
					var open, ended, asked atomic.Int64
					inner := app.Validator(application)
					filtered := func(environ *app.Environ, start app.StartResponse) app.Body {
						asked.Add(1)
						return app.OnEnd(func(environ *app.Environ, start app.StartResponse) app.Body {
							return app.FilterContent(inner, environ, start, c.filter(t, &open))
						}, environ, start, func() { ended.Add(1) })
					}
					for name, get := range servers(t, filtered) {
						res, err := get()
						if err != nil {
							t.Fatal(name, err)
						}
						got, err := io.ReadAll(res.Body)
						_ = res.Body.Close()
						if want := c.want(content); err != nil || string(got) != want {
							t.Errorf("%s: %d octets, want %d (%v): %.50q", name, len(got), len(want), err, got)
						}
						if seen := res.Header["X-Seen"]; len(seen) != 1 || seen[0] != "200 OK" {
							t.Errorf("%s: the filter saw %q", name, seen)
						}
					}
					until(t, "all is closed", func() bool { return open.Load() == 0 && ended.Load() == asked.Load() })
				})
			}
		}
	}
}

// TestFilterHead: a filter of heads leaves the body as it is.
func TestFilterHead(t *testing.T) {
	for way, application := range ways(t, "some content") {
		t.Run(way, func(t *testing.T) {
			filtered := func(environ *app.Environ, start app.StartResponse) app.Body {
				return app.Validator(application)(environ, app.FilterHead(environ, start, func(h *app.Head) {
					h.SetDefault("X-Seen", h.Status)
				}))
			}
			for name, get := range servers(t, filtered) {
				res, err := get()
				if err != nil {
					t.Fatal(name, err)
				}
				got, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if string(got) != "some content" || res.Header.Get("X-Seen") != "200 OK" {
					t.Errorf("%s: %q, the filter saw %q", name, got, res.Header.Get("X-Seen"))
				}
			}
		})
	}
}

// TestFilterFailures: what an application does wrong is told to the server as ever, and nothing stays open.
func TestFilterFailures(t *testing.T) {
	plain := []app.Header{{Name: "Content-Type", Value: "text/plain"}}
	for name, application := range map[string]app.Application{
		"panic": func(*app.Environ, app.StartResponse) app.Body { panic("no") },
		"panic after a write": func(_ *app.Environ, start app.StartResponse) app.Body {
			_, _ = start("200 OK", plain)([]byte("something"))
			panic("no")
		},
		"panic after Defer": func(environ *app.Environ, start app.StartResponse) app.Body {
			d := environ.Defer()
			_ = d.Start("200 OK", plain)
			_, _ = d.Write([]byte("something"))
			panic("no")
		},
		"error of the body": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			return app.Reader(io.MultiReader(strings.NewReader("something"), failing{}))
		},
		"start twice": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			start("200 OK", plain)
			return app.String("never")
		},
		"wrong header": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", append(plain, app.Header{Name: "Connection", Value: "close"}))
			return app.String("never")
		},
		"abort": func(environ *app.Environ, start app.StartResponse) app.Body {
			d := environ.Defer()
			_ = d.Start("200 OK", plain)
			_, _ = d.Write(make([]byte, 1<<20))
			d.Abort(app.ErrAbort)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			var open, ended atomic.Int64
			address := serve(t, func(environ *app.Environ, start app.StartResponse) app.Body {
				return app.OnEnd(func(environ *app.Environ, start app.StartResponse) app.Body {
					return app.FilterContent(application, environ, start, func(h *app.Head) { h.Coder = newMarking(&open) })
				}, environ, start, func() { ended.Add(1) })
			})
			res, err := http.Get("http://" + address)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if err == nil && res.StatusCode != 500 {
					t.Error(res.Status)
				}
			}
			until(t, "all is closed", func() bool { return open.Load() == 0 && ended.Load() == 1 })
		})
	}
}

// TestFilterRefused: a file that was to be coded on a goroutine is closed when there are too many of them.
func TestFilterRefused(t *testing.T) {
	var open, ended atomic.Int64
	busy, release := make(chan bool), make(chan bool)
	blocking := app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
		close(busy)
		<-release
		start("204 No Content", nil)
		return nil
	})
	read := owned(t, "content")
	address := serveWith(t, weir.Config{MaxBlocking: 1, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		if environ.Get("PATH_INFO") == "/busy" {
			return blocking(environ, start)
		}
		return app.OnEnd(func(environ *app.Environ, start app.StartResponse) app.Body {
			return app.FilterContent(func(_ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", nil)
				body, _ := app.FileBody(read, 0, -1)
				return body
			}, environ, start, func(h *app.Head) { h.Coder = newMarking(&open) })
		}, environ, start, func() { ended.Add(1) })
	}})
	first := make(chan error, 1)
	go func() {
		_, err := http.Get("http://" + address + "/busy")
		first <- err
	}()
	<-busy
	res, err := http.Get("http://" + address)
	if err != nil || res.StatusCode != 503 {
		t.Error(res, err)
	}
	until(t, "all is closed", func() bool { return open.Load() == 0 && ended.Load() == 1 })
	if _, err := read.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Error("the file is open:", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// TestFilterBehind: a client that reads slowly, or not at all, slows the content down that is coded on a goroutine, and its leaving
// ends it.
func TestFilterBehind(t *testing.T) {
	var open, ended atomic.Int64
	var left atomic.Bool
	source := &endless{}
	address := serve(t, func(environ *app.Environ, start app.StartResponse) app.Body {
		return app.OnEnd(func(environ *app.Environ, start app.StartResponse) app.Body {
			return app.FilterContent(func(environ *app.Environ, _ app.StartResponse) app.Body {
				d := environ.Defer()
				d.Watch(leaving{&left})
				if err := d.Start("200 OK", nil); err != nil {
					t.Error(err)
				}
				_ = d.Close()
				return nil
			}, environ, start, func(h *app.Head) { h.Body = &counted{app.Reader(source), &open}; open.Add(1) })
		}, environ, start, func() { ended.Add(1) })
	})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	last := int64(0)
	until(t, "nothing more is read", func() bool {
		time.Sleep(50 * time.Millisecond)
		now := source.octets.Load()
		same := now > 0 && now == last
		last = now
		return same
	})
	if last > 64<<20 {
		t.Errorf("%d octets were made for a client that reads none", last)
	}
	_ = conn.Close()
	until(t, "all is closed", func() bool { return open.Load() == 0 && ended.Load() == 1 })
	if left.Load() {
		t.Error("an application that has ended its answer was told that the client has left")
	}
}

type leaving struct{ left *atomic.Bool }

func (l leaving) Left()    { l.left.Store(true) }
func (l leaving) Drained() {}

// endless is a reader without end.
type endless struct{ octets atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.octets.Add(int64(len(p)))
	return len(p), nil
}

// failing is a reader that fails.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errRead }

func TestHeadFields(t *testing.T) {
	field := func(name, value string) app.Header { return app.Header{Name: name, Value: value} }
	for name, c := range map[string]struct {
		before []app.Header
		change func(h *app.Head)
		want   string
	}{
		"vary":          {nil, func(h *app.Head) { h.Vary("Origin") }, "Vary: Origin"},
		"vary again":    {[]app.Header{field("vary", "Accept, origin")}, func(h *app.Head) { h.Vary("Origin") }, "vary: Accept, origin"},
		"vary more":     {[]app.Header{field("vary", "Accept")}, func(h *app.Head) { h.Vary("Origin") }, "vary: Accept, Origin"},
		"vary wildcard": {[]app.Header{field("Vary", "*")}, func(h *app.Head) { h.Vary("Origin") }, "Vary: *"},
		"vary empty":    {[]app.Header{field("Vary", "")}, func(h *app.Head) { h.Vary("Origin") }, "Vary: Origin"},
		"vary in two":   {[]app.Header{field("Vary", "A"), field("Vary", "B")}, func(h *app.Head) { h.Vary("b"); h.Vary("C") }, "Vary: A, C\nVary: B"},
		"set":           {[]app.Header{field("x", "1"), field("Y", "2"), field("X", "3")}, func(h *app.Head) { h.Set("X", "4") }, "Y: 2\nX: 4"},
		"default":       {[]app.Header{field("x", "1")}, func(h *app.Head) { h.SetDefault("X", "4"); h.SetDefault("Y", "5") }, "x: 1\nY: 5"},
	} {
		h := &app.Head{Headers: c.before}
		c.change(h)
		var got []string
		for _, f := range h.Headers {
			got = append(got, f.Name+": "+f.Value)
		}
		if s := strings.Join(got, "\n"); s != c.want {
			t.Errorf("%s: %q, want %q", name, s, c.want)
		}
	}
}
