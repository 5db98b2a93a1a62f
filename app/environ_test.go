package app_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
)

const absent = "<absent>"

func lookup(e *app.Environ, key string) string {
	if s, ok := e.Lookup(key); ok {
		return s
	}
	return absent
}

func TestEnvironStrings(t *testing.T) {
	plain := newSource("GET", "/a%20b?x=%20y&z", "Host: example.com:8080", "Accept-Encoding: gzip")
	post := newSource("POST", "/", "Content-Type: text/plain", "Content-Length: 12", ": chunked")
	post.length = 12
	tls := newSource("GET", "/")
	tls.scheme = "https"
	unix := newSource("GET", "/")
	unix.remote = ""
	old := newSource("GET", "/")
	old.protocol = "HTTP/1.0"
	odd := newSource("GET", "/",
		"X-A: 1", "x-a: 2", "X-A: ", "Cookie: a=1", "cookie: b=2", "X_B: forged", "Cookie2: a", "Cookie2: b",
		"Co: 1", "Co: 2", "X-Empty: ", "Transfer_Encoding: chunked", ": chunked")

	tests := []struct {
		source    *fakeSource
		key, want string
	}{
		{plain, "REQUEST_METHOD", "GET"},
		{plain, "SCRIPT_NAME", ""},
		{plain, "PATH_INFO", "/a b"},
		{plain, "QUERY_STRING", "x=%20y&z"},
		{plain, "REQUEST_URI", "/a%20b?x=%20y&z"},
		{plain, "RAW_URI", "/a%20b?x=%20y&z"},
		{plain, "SERVER_NAME", "127.0.0.1"},
		{plain, "SERVER_PORT", "8080"},
		{plain, "SERVER_PROTOCOL", "HTTP/1.1"},
		{plain, "SERVER_SOFTWARE", "weir/test"},
		{plain, "GATEWAY_INTERFACE", "CGI/1.1"},
		{plain, "REMOTE_ADDR", "192.0.2.7"},
		{plain, "REMOTE_PORT", "40001"},
		{plain, "CONTENT_TYPE", absent},
		{plain, "CONTENT_LENGTH", absent},
		{plain, "HTTPS", absent},
		{plain, "HTTP_HOST", "example.com:8080"},
		{plain, "HTTP_ACCEPT_ENCODING", "gzip"},
		{plain, "HTTP_ACCEPT-ENCODING", absent},
		{plain, "HTTP_accept_encoding", absent},
		{plain, "HTTP_ACCEPT", absent},
		{plain, "HTTP_", absent},
		{plain, "ACCEPT_ENCODING", absent},
		{plain, "wsgi.url_scheme", "http"},
		{plain, "wsgi.input", absent},
		{plain, "", absent},

		{post, "REQUEST_METHOD", "POST"},
		{post, "QUERY_STRING", ""},
		{post, "CONTENT_TYPE", "text/plain"},
		{post, "CONTENT_LENGTH", "12"},
		{post, "HTTP_CONTENT_TYPE", absent},
		{post, "HTTP_CONTENT_LENGTH", absent},
		{post, "HTTP_TRANSFER_ENCODING", absent},
		{post, "HTTP_", absent},

		{tls, "HTTPS", "on"},
		{tls, "wsgi.url_scheme", "https"},
		{unix, "REMOTE_ADDR", ""},
		{unix, "REMOTE_PORT", absent},
		{old, "SERVER_PROTOCOL", "HTTP/1.0"},

		{odd, "HTTP_X_A", "1,2,"},
		{odd, "HTTP_COOKIE", "a=1; b=2"},
		{odd, "HTTP_COOKIE2", "a,b"},
		{odd, "HTTP_CO", "1,2"},
		{odd, "HTTP_X_B", absent},
		{odd, "HTTP_X_EMPTY", ""},
		{odd, "HTTP_TRANSFER_ENCODING", absent},
	}
	for _, test := range tests {
		e := newEnviron(test.source)
		if got := lookup(e, test.key); got != test.want {
			t.Errorf("%s of %s = %q, want %q", test.key, test.source.Target(), got, test.want)
		}
		if v, ok := e.Value(test.key); test.want != absent && (v != test.want || !ok) {
			t.Errorf("Value(%s) = %v, %v; want %q", test.key, v, ok, test.want)
		}
	}
}

func TestEnvironObjects(t *testing.T) {
	e := get("/")
	for key, want := range map[string]any{
		"wsgi.version":          app.Version{Major: 1, Minor: 0},
		"wsgi.multithread":      true,
		"wsgi.multiprocess":     false,
		"wsgi.run_once":         false,
		"wsgi.input_terminated": true,
		"wsgi.input":            e.Input(),
		"wsgi.errors":           e.Errors(),
	} {
		if v, ok := e.Value(key); v != want || !ok {
			t.Errorf("Value(%s) = %v, %v; want %v", key, v, ok, want)
		}
	}
	v, _ := e.Value("wsgi.file_wrapper")
	wrapper, ok := v.(func(io.Reader, int) app.Body)
	if !ok {
		t.Fatalf("wsgi.file_wrapper is a %T", v)
	}
	if got, err := drain(wrapper(strings.NewReader("file"), 2)); got != "file" || err != io.EOF {
		t.Errorf("file_wrapper gives %q, %v", got, err)
	}
	if s := (app.Version{Major: 1}).String(); s != "(1, 0)" {
		t.Errorf("Version prints as %s", s)
	}
}

func TestEnvironPath(t *testing.T) {
	for target, want := range map[string]string{
		"/":                "/",
		"/plain/path":      "/plain/path",
		"//a//b/":          "//a//b/",
		"/a/../b/./c":      "/a/../b/./c",
		"/a%2Fb":           "/a/b",
		"/a%2fb":           "/a/b",
		"/%00":             "/\x00",
		"/%C3%A9%ff":       "/é\xff",
		"/%25%32%35":       "/%25",
		"/a+b":             "/a+b",
		"/%":               "/%",
		"/%4":              "/%4",
		"/%4g%zz%%41":      "/%4g%zz%A",
		"/a%20b?c%20d=%41": "/a b",
	} {
		e := get(target)
		if got := string(e.Path()); got != want {
			t.Errorf("path of %s = %q, want %q", target, got, want)
		}
		if got := e.Get("PATH_INFO"); got != want {
			t.Errorf("PATH_INFO of %s = %q, want %q", target, got, want)
		}
	}
}

func TestEnvironAccessors(t *testing.T) {
	src := newSource("PUT", "/p?q", "Content-Type: a/b", "Content-Length: 3", "X-A: 1", "x-a: 2", "X_B: 3", ": chunked")
	src.length = 3
	e := newEnviron(src)
	if e.Method() != "PUT" || string(e.Query()) != "q" || e.ContentLength() != 3 {
		t.Errorf("got %s ?%s with %d octets", e.Method(), e.Query(), e.ContentLength())
	}
	for name, want := range map[string]string{
		"content-type": "a/b", "CONTENT-LENGTH": "3", "x-A": "1,2", "X_A": absent, "X-B": absent, "": absent, "X": absent,
	} {
		got := absent
		if v, ok := e.Header(name); ok {
			got = string(v)
		}
		if got != want {
			t.Errorf("Header(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestEnvironSetAndDelete(t *testing.T) {
	src := newSource("GET", "/app/x?a=b", "Content-Type: a/b", "X-A: 1", "X-Gone: 2")
	e := newEnviron(src)
	before := e.Path()

	e.Set("REQUEST_METHOD", "POST")
	e.Set("SCRIPT_NAME", "/app")
	e.Set("PATH_INFO", "/x")
	e.Set("QUERY_STRING", "c=d")
	e.Set("CONTENT_LENGTH", "7")
	e.Set("CONTENT_TYPE", "text/csv")
	e.Set("HTTP_X_A", "changed")
	e.Set("HTTP_X_NEW", "new")
	e.Set("mine.number", 42)
	e.Delete("HTTP_X_GONE")
	input := app.NewMemory([]byte("other"))
	e.Set("wsgi.input", input)
	var errors bytes.Buffer
	e.Set("wsgi.errors", &errors)

	for key, want := range map[string]string{
		"REQUEST_METHOD": "POST", "SCRIPT_NAME": "/app", "PATH_INFO": "/x", "QUERY_STRING": "c=d",
		"CONTENT_LENGTH": "7", "CONTENT_TYPE": "text/csv", "HTTP_X_A": "changed", "HTTP_X_NEW": "new",
		"HTTP_X_GONE": absent, "mine.number": absent,
	} {
		if got := lookup(e, key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	if e.Method() != "POST" || string(e.Path()) != "/x" || string(e.Query()) != "c=d" || e.ContentLength() != 7 {
		t.Errorf("accessors do not follow: %s %s ?%s, %d octets", e.Method(), e.Path(), e.Query(), e.ContentLength())
	}
	for name, want := range map[string]string{"X-A": "changed", "X-New": "new", "Content-Type": "text/csv"} {
		if v, ok := e.Header(name); string(v) != want || !ok {
			t.Errorf("Header(%s) = %q, %v; want %q", name, v, ok, want)
		}
	}
	if v, ok := e.Header("X-Gone"); ok {
		t.Errorf("a deleted field is there: %q", v)
	}
	if v, ok := e.Value("mine.number"); v != 42 || !ok {
		t.Errorf("own key: %v, %v", v, ok)
	}
	if e.Input() != app.Input(input) || e.Errors() != io.Writer(&errors) {
		t.Error("wsgi.input and wsgi.errors were not replaced")
	}
	if string(before) != "/app/x" {
		t.Errorf("Set changed a view that was handed out: %q", before)
	}

	for _, key := range []string{"PATH_INFO", "SCRIPT_NAME", "mine.number"} {
		e.Delete(key)
		if _, ok := e.Value(key); ok {
			t.Errorf("%s is there after Delete", key)
		}
		e.Set(key, "/again")
		if got := lookup(e, key); got != "/again" {
			t.Errorf("%s = %q when set after Delete", key, got)
		}
	}
	e.Set("CONTENT_LENGTH", "many")
	if n := e.ContentLength(); n != -1 {
		t.Errorf("ContentLength of no number = %d", n)
	}
	e.Set("PATH_INFO", "")
	if got := lookup(e, "PATH_INFO"); got != "" || len(e.Path()) != 0 {
		t.Errorf("an empty PATH_INFO is %q, %q", got, e.Path())
	}

	e.Reset(newSource("GET", "/next"), app.NewMemory(nil), gateway())
	if _, ok := e.Value("mine.number"); ok || e.Get("SCRIPT_NAME") != "" || e.Get("PATH_INFO") != "/next" {
		t.Error("the next request sees what the last one has set")
	}
}

func TestEnvironSetKeepsDecodedViews(t *testing.T) {
	e := get("/a%20b/c")
	before := e.Path()
	e.Set("PATH_INFO", "/XXXXXX")
	if string(before) != "/a b/c" {
		t.Errorf("the view became %q", before)
	}
}

func TestEnvironAll(t *testing.T) {
	src := newSource("POST", "/p%20q?x", "Host: h", "X-A: 1", "x-a: 2", "Cookie2: 1", "Cookie2: 2", "X_B: 3",
		"Content-Type: a/b", ": chunked", "X-Gone: 1")
	e := new(app.Environ)
	gw := gateway()
	gw.Extra = map[string]any{"deployer.key": 1, "SERVER_ADMIN": "root", "SERVER_NAME": "ignored"}
	e.Reset(src, app.NewMemory(nil), gw)
	e.Set("own.key", 2)
	e.Set("QUERY_STRING", "y")
	e.Delete("HTTP_X_GONE")

	got := map[string]any{}
	for key, v := range e.All() {
		if _, twice := got[key]; twice {
			t.Errorf("%s comes twice", key)
		}
		got[key] = v
		if direct, ok := e.Value(key); !ok || reflect.TypeOf(v).Kind() != reflect.Func && direct != v {
			t.Errorf("%s = %v, but Value says %v, %v", key, v, direct, ok)
		}
	}
	want := []string{
		"CONTENT_TYPE", "GATEWAY_INTERFACE", "HTTP_COOKIE2", "HTTP_HOST", "HTTP_X_A", "PATH_INFO", "QUERY_STRING", "RAW_URI",
		"REMOTE_ADDR", "REMOTE_PORT", "REQUEST_METHOD", "REQUEST_URI", "SCRIPT_NAME", "SERVER_ADMIN", "SERVER_NAME",
		"SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE", "deployer.key", "own.key", "wsgi.early_hints", "wsgi.errors",
		"wsgi.file_wrapper", "wsgi.input", "wsgi.input_terminated", "wsgi.multiprocess", "wsgi.multithread",
		"wsgi.run_once", "wsgi.url_scheme", "wsgi.version",
	}
	if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, want) {
		t.Errorf("keys\n%s\nwant\n%s", keys, want)
	}
	if got["SERVER_NAME"] != "127.0.0.1" || got["QUERY_STRING"] != "y" || got["HTTP_X_A"] != "1,2" {
		t.Errorf("values: %v", got)
	}

	for stop := range len(want) {
		n := 0
		for range e.All() {
			if n++; n > stop {
				break
			}
		}
	}
}

func TestEnvironDetach(t *testing.T) {
	for _, target := range []string{"/plain?q=1", "/per%20cent?q=1"} {
		for _, early := range []bool{false, true} {
			src := newSource("GET", target, "X-A: value", "Cookie: a", "Cookie: b")
			e := newEnviron(src)
			want := snapshot(e)
			if early {
				e = newEnviron(src) // nothing was looked at before Detach
			}
			buffer := src.buf
			if e.Detached() {
				t.Fatal("detached from the start")
			}
			e.Detach()
			e.Detach()
			if !e.Detached() || src.detached != 1 {
				t.Errorf("Detached = %v, the source was detached %d times", e.Detached(), src.detached)
			}
			for i := range buffer {
				buffer[i] = '!' // the next request is read into it
			}
			if got := snapshot(e); got != want {
				t.Errorf("%s: after the buffer was reused\n%s\nwant\n%s", target, got, want)
			}
		}
	}
}

func TestEnvironDetachKeepsSet(t *testing.T) {
	for _, path := range []string{"", "/set"} {
		e := get("/received")
		e.Set("PATH_INFO", path)
		e.Detach()
		if got := string(e.Path()); got != path {
			t.Errorf("PATH_INFO %q became %q", path, got)
		}
	}
}

func snapshot(e *app.Environ) string {
	value, _ := e.Header("X-A")
	return fmt.Sprintf("%s %s ?%s %s %s %s %s", e.Method(), e.Path(), e.Query(), value,
		e.Get("HTTP_X_A"), e.Get("HTTP_COOKIE"), e.Get("REQUEST_URI"))
}

func TestEnvironBytes(t *testing.T) {
	src := newSource("GET", "/")
	e := newEnviron(src)
	first, second := e.Bytes([]byte("first")), e.Bytes([]byte("second"))
	for body, want := range map[app.Body]string{first: "first", second: "second"} {
		if n := body.(app.Sized).Size(); n != int64(len(want)) {
			t.Errorf("size of %s is %d", want, n)
		}
		if got, err := drain(body); got != want || err != io.EOF {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	content := []byte("content")
	input := app.NewMemory(nil)
	if n := testing.AllocsPerRun(100, func() {
		e.Reset(src, input, gatewayOnce)
		if chunk, err := e.Bytes(content).Next(); len(chunk) != len(content) || err != io.EOF {
			t.Error("not the content of this request")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var gatewayOnce = gateway()
