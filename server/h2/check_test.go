package h2

import (
	"net/http"
	"strings"
	"testing"

	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/server/settings"
)

// newRequest is a request as golang.org/x/net/http2 makes it.
func newRequest(method, target, host string, header http.Header) *http.Request {
	return &http.Request{Method: method, RequestURI: target, Host: host, Header: header, Proto: "HTTP/2.0", ProtoMajor: 2}
}

func TestCheck(t *testing.T) {
	s := &Server{}
	s.current.Store(&Config{Protocol: settings.Protocol{Limits: httpparse.DefaultLimits()}})
	long := strings.Repeat("x", 20_000)
	for _, test := range []struct {
		name string
		r    *http.Request
		want int
	}{
		{"plain", newRequest("GET", "/", "a.example", nil), 0},
		{"with fields", newRequest("GET", "/a?b", "a.example:80", http.Header{"A": {"1", "2"}, "B-C": {""}}), 0},
		{"a method that is not known", newRequest("FROB", "/", "a", nil), 0},
		{"asterisk", newRequest("OPTIONS", "*", "a", nil), 0},
		{"asterisk of GET", newRequest("GET", "*", "a", nil), 400},
		{"CONNECT", newRequest("CONNECT", "a:443", "a:443", nil), 501},
		{"absolute", newRequest("GET", "http://a/", "a", nil), 400},
		{"no path", newRequest("GET", "", "a", nil), 400},
		{"blank in the path", newRequest("GET", "/a b", "a", nil), 400},
		{"line end in the path", newRequest("GET", "/ HTTP/1.1\r\nA: b", "a", nil), 400},
		{"fragment", newRequest("GET", "/#a", "a", nil), 400},
		{"no host", newRequest("GET", "/", "", nil), 0},
		{"userinfo in the host", newRequest("GET", "/", "b@a", nil), 400},
		{"line end in the host", newRequest("GET", "/", "a\r\nB: c", nil), 400},
		{"colon in a name", newRequest("GET", "/", "a", http.Header{"A:b": {"c"}}), 400},
		{"a target in the method", newRequest("GET /x", "/", "a", nil), 400},
		{"line end in a field", newRequest("GET", "/", "a", http.Header{"A": {"b\r\nC: d"}}), 400},
		{"the end of the head in a field", newRequest("GET", "/", "a", http.Header{"A": {"b\r\n\r\n"}}), 400},
		{"NUL in a field", newRequest("GET", "/", "a", http.Header{"A": {"b\x00"}}), 400},
		{"a long path", newRequest("GET", "/"+long, "a", nil), 414},
		{"a long field", newRequest("GET", "/", "a", http.Header{"A": {long}}), 431},
		{"a length", newRequest("POST", "/", "a", http.Header{"Content-Length": {"3"}}), 0},
		{"two lengths", newRequest("POST", "/", "a", http.Header{"Content-Length": {"3", "4"}}), 400},
		{"no length", newRequest("POST", "/", "a", http.Header{"Content-Length": {"three"}}), 400},
		{"Connection", newRequest("GET", "/", "a", http.Header{"Connection": {"close"}}), 400},
		{"Transfer-Encoding", newRequest("GET", "/", "a", http.Header{"Transfer-Encoding": {"chunked"}}), 400},
		{"Upgrade", newRequest("GET", "/", "a", http.Header{"Upgrade": {"websocket"}}), 400},
		{"TE", newRequest("GET", "/", "a", http.Header{"Te": {"trailers"}}), 0},
		{"TE of another value", newRequest("GET", "/", "a", http.Header{"Te": {"trailers, deflate"}}), 400},
	} {
		if code, why := s.check(test.r); code != test.want || (code != 0) != (why != "") {
			t.Errorf("%s: got %d %q, want %d", test.name, code, why, test.want)
		}
	}
}

// FuzzCheck: whatever is let through is one request of HTTP/1.1 with these parts, and no more.
func FuzzCheck(f *testing.F) {
	s := &Server{}
	s.current.Store(&Config{Protocol: settings.Protocol{Limits: httpparse.DefaultLimits()}})
	f.Add("GET", "/a?b", "a.example", "X-A", "value")
	f.Add("POST", "/", "[::1]:80", "Content-Length", "5")
	f.Fuzz(func(t *testing.T, method, target, host, name, value string) {
		r := newRequest(method, target, host, http.Header{http.CanonicalHeaderKey(name): {value}})
		if code, _ := s.check(r); code != 0 {
			return
		}
		for _, part := range []string{method, target, host, name, value} {
			if strings.ContainsAny(part, "\r\n\x00") {
				t.Errorf("%q is let through", part)
			}
		}
		if strings.Contains(target, " ") || strings.ContainsAny(name, ": ") || strings.Contains(method, " ") {
			t.Errorf("%q and %q are let through", target, name)
		}
	})
}
