package nethttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/nethttp"
)

// outcome is what an application did with start, Write and its Body.
type outcome struct {
	status string
	header []app.Header
	writes []string
	body   string
	size   int64 // -1 where the body did not tell
	err    error // that ended the body, io.EOF apart
	fail   error // what Write returns
}

// call runs application as a server does.
func call(t *testing.T, application app.Application, e *app.Environ, fail error) *outcome {
	t.Helper()
	out := &outcome{size: -1, fail: fail}
	body := app.Validator(application)(e, func(status string, headers []app.Header, _ ...error) app.Write {
		out.status, out.header = status, append([]app.Header(nil), headers...)
		return func(chunk []byte) (int, error) {
			out.writes = append(out.writes, string(chunk))
			return 0, out.fail
		}
	})
	if blocking, ok := body.(*app.BlockingBody); ok {
		body = blocking.Call()
	} else {
		t.Error("the server cannot see that the application blocks")
	}
	if sized, ok := body.(app.Sized); ok {
		out.size = sized.Size()
	}
	for {
		chunk, err := body.Next()
		out.body += string(chunk)
		if err != nil {
			if err != io.EOF {
				out.err = err
			}
			break
		}
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	return out
}

// environ is that of r, as Handler makes it.
func environ(r *http.Request) (e *app.Environ) {
	nethttp.Handler(func(made *app.Environ, start app.StartResponse) app.Body {
		e = made
		start("204 No Content", nil)
		return nil
	}).ServeHTTP(httptest.NewRecorder(), r)
	return e
}

func TestApplicationResponse(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	for _, test := range []struct {
		name    string
		method  string
		handler http.HandlerFunc
		want    string // status and header
		writes  []int  // their lengths
		rest    string // the body
		size    int64
	}{
		{"implicit 200", "GET", func(w http.ResponseWriter, _ *http.Request) {}, "200 OK", nil, "", 0},
		{"small", "GET", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "small ")
			_, _ = w.Write([]byte("answer"))
		}, "200 OK|Content-Type: text/plain; charset=utf-8", nil, "small answer", 12},
		{"hop-by-hop", "GET", func(w http.ResponseWriter, _ *http.Request) {
			for _, name := range []string{"Connection", "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade", http.TrailerPrefix + "X"} {
				w.Header().Set(name, "close")
			}
			w.Header().Set("X-Kept", "1")
		}, "200 OK|X-Kept: 1", nil, "", 0},
		{"interim", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusAccepted)
		}, "202 Accepted", nil, "", 0},
		{"status without a phrase", "GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(299) }, "299 status code 299", nil, "", 0},
		{"length that is none", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "five")
			w.Header().Set("Content-Type", "a/b")
			_, _ = io.WriteString(w, "12345")
		}, "200 OK|Content-Type: a/b", nil, "12345", 5},
		{"long", "GET", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, long)
			_, _ = io.WriteString(w, "end")
		}, "200 OK|Content-Type: text/plain; charset=utf-8", []int{4096, 5904}, "end", -1},
		{"flushed", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.(http.Flusher).Flush()
			w.WriteHeader(http.StatusNotFound)
		}, "200 OK", []int{0}, "", -1},
		{"HEAD", "HEAD", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "small") },
			"200 OK|Content-Type: text/plain; charset=utf-8", nil, "small", 5},
		{"HEAD that the handler knows of", "HEAD", func(http.ResponseWriter, *http.Request) {}, "200 OK", nil, "", -1},
		{"204", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNoContent)
		}, "204 No Content", nil, "", -1},
		{"304", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.Header().Set("Etag", "x")
			w.WriteHeader(http.StatusNotModified)
		}, "304 Not Modified|Etag: x", nil, "", -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := call(t, nethttp.Application(test.handler), environ(httptest.NewRequest(test.method, "/", nil)), nil)
			got := out.status
			for _, h := range out.header {
				got += "|" + h.Name + ": " + h.Value
			}
			var writes []int
			for _, w := range out.writes {
				writes = append(writes, len(w))
			}
			if got != test.want || fmt.Sprint(writes) != fmt.Sprint(test.writes) || out.body != test.rest || out.size != test.size {
				t.Errorf("got %s, writes %v, then %q of %d\nwant %s, writes %v, then %q of %d",
					got, writes, out.body, out.size, test.want, test.writes, test.rest, test.size)
			}
		})
	}
}

func TestApplicationRequest(t *testing.T) {
	with := func(method, target string, changes ...any) *app.Environ {
		e := environ(httptest.NewRequest(method, target, nil))
		for i := 0; i+1 < len(changes); i += 2 {
			e.Set(changes[i].(string), changes[i+1])
		}
		return e
	}
	url := func(r *http.Request) string {
		return fmt.Sprintf("%s|%s|%s|%v", r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.URL)
	}
	header := func(name string) func(*http.Request) string {
		return func(r *http.Request) string { return fmt.Sprintf("%q", r.Header.Values(name)) }
	}
	content := func(r *http.Request) string {
		all, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		_, after := r.Body.Read(make([]byte, 1))
		return fmt.Sprintf("%d %v %q %v %v", r.ContentLength, r.TransferEncoding, all, err, after)
	}
	const afterClose = "http: invalid Read on closed Body"
	for _, test := range []struct {
		name    string
		environ *app.Environ
		ask     func(*http.Request) string
		want    string
	}{
		{"plain", with("GET", "/a?b=c"), url, "/a||b=c|/a?b=c"},
		{"encoded", with("GET", "/a%2Fb%20c?"), url, "/a/b c|/a%2Fb%20c||/a%2Fb%20c?"},
		{"two slashes", with("GET", "//a//b"), url, "//a//b|||//a//b"},
		{"asterisk", with("OPTIONS", "*"), url, "*|||*"},
		{"absolute", with("GET", "http://h.example/a%2Fb?c"), func(r *http.Request) string { return url(r) + "|" + r.Host },
			"/a/b|/a%2Fb|c|http://h.example/a%2Fb?c|h.example"},
		{"absolute, behind a proxy", with("GET", "http://h.example/", "HTTP_HOST", "public.example"), func(r *http.Request) string { return r.Host }, "public.example"},
		{"authority", with("GET", "/", "REQUEST_METHOD", "CONNECT", "REQUEST_URI", "h:443"), func(r *http.Request) string { return r.URL.Host + r.URL.Path }, "h:443"},
		{"not a URL", with("GET", "/", "REQUEST_URI", "%", "PATH_INFO", "/x"), url, "/x|||/x"},
		{"mounted", with("GET", "/app/x%2Fy", "SCRIPT_NAME", "/app", "PATH_INFO", "/x/y"), url, "/x/y|/x%2Fy||/x%2Fy"},
		{"mounted at", with("GET", "/app", "SCRIPT_NAME", "/app", "PATH_INFO", ""), url, "|||"},
		{"rewritten", with("GET", "/a%2Fb", "PATH_INFO", "/c", "QUERY_STRING", "d"), url, "/c||d|/c?d"},
		{"raw target", with("GET", "/a%2Fb"), func(r *http.Request) string { return r.RequestURI }, "/a%2Fb"},
		{"method", with("GET", "/", "REQUEST_METHOD", "PATCH"), func(r *http.Request) string { return r.Method }, "PATCH"},
		{"host", with("GET", "http://h.example/", "REQUEST_URI", "/"), func(r *http.Request) string { return r.Host + r.Header.Get("Host") }, "h.example"},
		{"field set by middleware", with("GET", "/", "HTTP_X_A", "1"), header("X-A"), `["1"]`},
		{"type set by middleware", with("GET", "/", "CONTENT_TYPE", "a/b"), header("Content-Type"), `["a/b"]`},
		{"protocol", with("GET", "/"), func(r *http.Request) string { return fmt.Sprintf("%s %d %d", r.Proto, r.ProtoMajor, r.ProtoMinor) }, "HTTP/1.1 1 1"},
		{"odd protocol", with("GET", "/", "SERVER_PROTOCOL", "INCLUDED"), func(r *http.Request) string { return fmt.Sprintf("%s %d %d", r.Proto, r.ProtoMajor, r.ProtoMinor) }, "INCLUDED 1 1"},
		{"client", with("GET", "/"), func(r *http.Request) string { return r.RemoteAddr }, "192.0.2.1:1234"},
		{"client without port", with("GET", "/", "REMOTE_PORT", ""), func(r *http.Request) string { return r.RemoteAddr }, "192.0.2.1:0"},
		{"http", with("GET", "/"), func(r *http.Request) string { return fmt.Sprint(r.TLS == nil) }, "true"},
		{"https", with("GET", "/", "wsgi.url_scheme", "https"), func(r *http.Request) string { return fmt.Sprintf("%v %s", r.TLS.HandshakeComplete, r.TLS.ServerName) }, "true example.com"},
		{"address", with("GET", "/", nethttp.RequestKey, "none"), func(r *http.Request) string { return fmt.Sprint(r.Context().Value(http.LocalAddrContextKey)) }, "example.com:80"},
		{"no content", with("GET", "/"), func(r *http.Request) string { return fmt.Sprint(r.ContentLength, r.Body == http.NoBody) }, "0 true"},
		{"content", with("POST", "/", "CONTENT_LENGTH", "3", "wsgi.input", app.NewMemory([]byte("abc"))), content, `3 [] "abc" <nil> ` + afterClose},
		{"content in memory", with("POST", "/", "wsgi.input", app.NewMemory([]byte("abc"))), content, `3 [] "abc" <nil> ` + afterClose},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := "not called"
			handler := func(w http.ResponseWriter, r *http.Request) { got = test.ask(r) }
			// Not under the validator: some of these are not what a server may pass.
			body := nethttp.Application(http.HandlerFunc(handler))(test.environ, func(string, []app.Header, ...error) app.Write {
				return func([]byte) (int, error) { return 0, nil }
			})
			_, _ = body.Next()
			_ = body.Close()
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestApplicationContext(t *testing.T) {
	type key struct{}
	var ctx context.Context
	var found *app.Environ
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx = r.Context()
		found, _ = nethttp.FromContext(ctx)
		if ctx.Err() != nil {
			t.Error("the context has ended before the handler")
		}
	})
	r := httptest.NewRequest("GET", "/", nil)
	e := environ(r.WithContext(context.WithValue(r.Context(), key{}, "value")))
	call(t, nethttp.Application(handler), e, nil)
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("after the handler the context says %v", ctx.Err())
	}
	if found != e {
		t.Error("the environ is not in the context")
	}
	if ctx.Value(key{}) != "value" {
		t.Error("the context of the request under net/http is lost")
	}
	if _, ok := nethttp.FromContext(context.Background()); ok {
		t.Error("an environ from nowhere")
	}
}

func TestApplicationClientGone(t *testing.T) {
	var errs []error
	var ctx context.Context
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx = r.Context()
		_, err := w.Write(make([]byte, 10_000))
		errs = append(errs, err, ctx.Err())
		_, err = io.WriteString(w, "x")
		errs = append(errs, err, http.NewResponseController(w).Flush())
	})
	out := call(t, nethttp.Application(handler), environ(httptest.NewRequest("GET", "/", nil)), app.ErrGone)
	for i, want := range []error{app.ErrGone, context.Canceled, app.ErrGone, app.ErrGone} {
		if !errors.Is(errs[i], want) {
			t.Errorf("error %d is %v, want %v", i, errs[i], want)
		}
	}
	if len(out.writes) != 1 {
		t.Errorf("%d writes to a client that has left", len(out.writes))
	}
}

func TestApplicationPanics(t *testing.T) {
	for _, test := range []struct {
		name    string
		flush   bool
		panic   any
		code    int
		aborted bool
		body    string
	}{
		{"before the head", false, "oops", 500, false, "Internal Server Error\n"},
		{"behind the head", true, "oops", 200, true, "partial"},
		{"ErrAbortHandler before the head", false, http.ErrAbortHandler, 0, true, ""},
		{"ErrAbortHandler behind the head", true, http.ErrAbortHandler, 200, true, "partial"},
		{"not comparable", false, []int{1}, 500, false, "Internal Server Error\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := apptest.New(t, nethttp.Application(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "partial")
				if test.flush {
					w.(http.Flusher).Flush()
				}
				panic(test.panic)
			})))
			res := client.Get("/")
			if res.Code != test.code || res.Aborted != test.aborted || res.String() != test.body {
				t.Errorf("got %d %q, aborted %v", res.Code, res, res.Aborted)
			}
			var p *nethttp.PanicError
			if quiet := test.panic == any(http.ErrAbortHandler); errors.As(res.Err, &p) == quiet {
				t.Errorf("reported: %v", res.Err)
			} else if !quiet && !bytes.Contains(p.Stack, []byte("application_test.go")) {
				t.Errorf("the stack does not show the handler:\n%s", p.Stack)
			}
		})
	}
}

func TestApplicationInvalidCode(t *testing.T) {
	for _, code := range []int{0, 99, 1000, -1} {
		client := apptest.New(t, nethttp.Application(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })))
		if res := client.Get("/"); res.Code != 500 || res.Err == nil {
			t.Errorf("WriteHeader(%d) gives %d, %v", code, res.Code, res.Err)
		}
	}
}

func TestApplicationWriterOutlivesNothing(t *testing.T) {
	var kept http.ResponseWriter
	client := apptest.New(t, nethttp.Application(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		kept = w
		_, _ = io.WriteString(w, "mine")
	})))
	first := client.Get("/")
	if _, err := io.WriteString(kept, "late"); err != app.ErrGone {
		t.Errorf("a write after the handler: %v", err)
	}
	if first.String() != "mine" {
		t.Errorf("got %q", first)
	}
}
