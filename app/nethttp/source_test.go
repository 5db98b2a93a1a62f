package nethttp_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
)

func TestHandlerEnviron(t *testing.T) {
	var got *app.Environ
	application := app.Validator(func(e *app.Environ, start app.StartResponse) app.Body {
		e.Detach()
		got = e
		start("200 OK", typed)
		return app.String("x")
	})
	request := func(method, target string, change func(*http.Request)) *http.Request {
		r := httptest.NewRequest(method, target, nil)
		if change != nil {
			change(r)
		}
		return r
	}
	mounted := http.NewServeMux()
	mounted.Handle("/api/", http.StripPrefix("/api", nethttp.Handler(application)))
	mounted.Handle("/slash/", http.StripPrefix("/slash/", nethttp.Handler(application)))
	mounted.Handle("/exact", http.StripPrefix("/exact", nethttp.Handler(application)))
	mounted.Handle("/", nethttp.Handler(application))

	const absent = "<absent>"
	for _, test := range []struct {
		r    *http.Request
		want map[string]string
	}{
		{request("GET", "/a%20b%2Fc?x=%20", nil), map[string]string{
			"PATH_INFO": "/a b/c", "SCRIPT_NAME": "", "QUERY_STRING": "x=%20", "REQUEST_URI": "/a%20b%2Fc?x=%20",
			"SERVER_NAME": "example.com", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "example.com",
			"REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "1234", "CONTENT_LENGTH": absent, "CONTENT_TYPE": absent,
			"wsgi.url_scheme": "http", "HTTPS": absent, "SERVER_SOFTWARE": "weir",
		}},
		{request("GET", "https://example.org:8443/", nil), map[string]string{
			"PATH_INFO": "/", "SERVER_NAME": "example.org", "SERVER_PORT": "8443", "wsgi.url_scheme": "https", "HTTPS": "on",
		}},
		{request("GET", "https://example.org", func(r *http.Request) { r.Host = "" }), map[string]string{
			"PATH_INFO": "/", "SERVER_NAME": "localhost", "SERVER_PORT": "443", "HTTP_HOST": absent,
		}},
		{request("GET", "/", func(r *http.Request) {
			r.Header["X-A"] = []string{"1", "2"}
			r.Header["Cookie"] = []string{"a=1", "b=2"}
			r.Header["X_B"] = []string{"forged"}
			r.Header.Set("Content-Type", "a/b")
			r.RemoteAddr = "@"
		}), map[string]string{
			"HTTP_X_A": "1,2", "HTTP_COOKIE": "a=1; b=2", "HTTP_X_B": absent, "CONTENT_TYPE": "a/b", "REMOTE_ADDR": "", "REMOTE_PORT": absent,
		}},
		{request("POST", "/", func(r *http.Request) { r.Header.Set("Content-Length", "0") }), map[string]string{"CONTENT_LENGTH": "0"}},
		{request("POST", "/", func(r *http.Request) { r.ContentLength = 7 }), map[string]string{"CONTENT_LENGTH": "7"}},
		{request("POST", "/", func(r *http.Request) { r.ContentLength = -1 }), map[string]string{"CONTENT_LENGTH": absent}},
		{request("OPTIONS", "*", nil), map[string]string{"PATH_INFO": "/", "REQUEST_URI": "*"}},
		{request("GET", "/api/x%20y/", nil), map[string]string{"SCRIPT_NAME": "/api", "PATH_INFO": "/x y/", "REQUEST_URI": "/api/x%20y/"}},
		{request("GET", "/api/", nil), map[string]string{"SCRIPT_NAME": "/api", "PATH_INFO": "/"}},
		{request("GET", "/slash/x/y", nil), map[string]string{"SCRIPT_NAME": "/slash", "PATH_INFO": "/x/y"}},
		{request("GET", "/exact", nil), map[string]string{"SCRIPT_NAME": "/exact", "PATH_INFO": ""}},
		{request("GET", "/", func(r *http.Request) { r.RequestURI = ""; r.Method = "" }), map[string]string{"REQUEST_URI": "/", "REQUEST_METHOD": "GET"}},
		{request("GET", "/a", func(r *http.Request) { r.URL.Path = "/rewritten" }), map[string]string{"SCRIPT_NAME": "", "PATH_INFO": "/rewritten"}},
	} {
		got = nil
		target := test.r.Method + " " + test.r.RequestURI
		handler := http.Handler(mounted)
		if p := test.r.URL.Path; p == "" || p == "*" || p == "/rewritten" { // the mux redirects these
			handler = nethttp.Handler(application)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, test.r)
		if got == nil {
			t.Errorf("%s: answered with %d %s", target, w.Code, w.Body)
			continue
		}
		for key, want := range test.want {
			value, ok := got.Lookup(key)
			if !ok {
				value = absent
			}
			if value != want {
				t.Errorf("%s: %s = %q, want %q", target, key, value, want)
			}
		}
		if raw, _, _ := strings.Cut(test.r.RequestURI, "?"); strings.HasPrefix(raw, "/") && handler == http.Handler(mounted) && string(got.RawPath()) != raw {
			t.Errorf("%s: the raw path is %q", target, got.RawPath())
		}
		if v, _ := got.Value(nethttp.RequestKey); v == nil {
			t.Errorf("%s: no request in the environ", target)
		}
	}
}

func TestHandlerInput(t *testing.T) {
	text := "one\n\nthree and more\n" + strings.Repeat("x", 10_000) + "\nlast"
	type read = func(app.Input) string
	line := func(limit int) read {
		return func(in app.Input) string {
			line, err := in.ReadLine(limit)
			return fmt.Sprintf("%.20q %d %v", line, len(line), err)
		}
	}
	octets := func(n int) read {
		return func(in app.Input) string {
			p := make([]byte, n)
			n, err := io.ReadFull(in, p)
			return fmt.Sprintf("%.20q %d %v", p[:n], n, err)
		}
	}
	all := func(in app.Input) string {
		var out bytes.Buffer
		n, err := in.WriteTo(&out)
		return fmt.Sprintf("%d %d %v", n, out.Len(), err)
	}
	view := func(in app.Input) string { v, ok := in.View(); return fmt.Sprint(len(v), ok) }
	for _, test := range []struct {
		text  string
		calls []read
		want  []string
	}{
		{text, []read{line(-1), line(-1), line(5), line(-1), line(-1), line(-1), line(-1), line(-1)},
			[]string{`"one\n" 4 <nil>`, `"\n" 1 <nil>`, `"three" 5 <nil>`, `" and more\n" 10 <nil>`, `"xxxxxxxxxxxxxxxxxxxx" 10001 <nil>`,
				`"last" 4 <nil>`, `"" 0 EOF`, `"" 0 EOF`}},
		{text, []read{octets(2), line(-1), octets(3), line(0), line(3), all, octets(1), view},
			[]string{`"on" 2 <nil>`, `"e\n" 2 <nil>`, `"\nth" 3 <nil>`, `"" 0 <nil>`, `"ree" 3 <nil>`, "10015 10015 <nil>", `"" 0 EOF`, "0 false"}},
		{text, []read{all}, []string{"10025 10025 <nil>"}},
		{"", []read{view, line(-1), octets(1)}, []string{"0 true", `"" 0 EOF`, `"" 0 EOF`}},
	} {
		handler := nethttp.Handler(func(e *app.Environ, start app.StartResponse) app.Body {
			for i, call := range test.calls {
				if got := call(e.Input()); got != test.want[i] {
					t.Errorf("call %d: %s, want %s", i, got, test.want[i])
				}
			}
			start("200 OK", nil)
			return nil
		})
		r := httptest.NewRequest("POST", "/", strings.NewReader(test.text))
		if test.text == "" {
			r.Body = http.NoBody
		}
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
}
