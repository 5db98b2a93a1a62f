package server_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// TestHTTP2Forwarded: what proxies say counts as much as in HTTP/1.1, and what others say as little.
func TestHTTP2Forwarded(t *testing.T) {
	application := func(environ *app.Environ, start app.StartResponse) app.Body {
		all := make(map[string]string)
		for _, key := range []string{
			"REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "HTTP_FORWARDED",
			"HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_OTHER",
		} {
			if value, ok := environ.Lookup(key); ok {
				all[key] = value
			}
		}
		content, _ := json.Marshal(all)
		start("200 OK", nil)
		return app.Bytes(content)
	}
	for _, tt := range []struct {
		name    string
		allow   []string
		header  http.Header
		key     string // of the environ
		want    string
		removed string
	}{
		{"nothing", nil, http.Header{}, "SERVER_NAME", "127.0.0.1", ""},
		{"client", nil, http.Header{"X-Forwarded-For": {"5.6.7.8, 9.9.9.9"}}, "REMOTE_ADDR", "9.9.9.9", ""},
		{"client, two fields", nil, http.Header{"X-Forwarded-For": {"5.6.7.8", "127.0.0.1"}}, "REMOTE_ADDR", "5.6.7.8", ""},
		{"scheme", nil, http.Header{"X-Forwarded-Proto": {"https"}}, "wsgi.url_scheme", "https", ""},
		{"host", nil, http.Header{"X-Forwarded-Host": {"site.example:81"}, "X-Forwarded-For": {"[::2]:7"}}, "SERVER_NAME", "site.example", ""},
		{"port", nil, http.Header{"X-Forwarded-Port": {"82"}, "X-Forwarded-Other": {"x"}}, "SERVER_PORT", "82", ""},
		{"Forwarded", nil, http.Header{"Forwarded": {`for="1.2.3.4:5";proto=https;host=a.example`}}, "HTTP_HOST", "a.example", ""},
		{"both", nil, http.Header{"Forwarded": {"for=1.2.3.4"}, "X-Forwarded-For": {"4.3.2.1"}}, "REMOTE_ADDR", "4.3.2.1", "HTTP_FORWARDED"},
		{"malformed", nil, http.Header{"Forwarded": {"for=\"1.2.3.4"}, "X-Forwarded-Proto": {"gopher"}}, "wsgi.url_scheme", "http", ""},
		{"from anybody", []string{"none"}, http.Header{"X-Forwarded-For": {"1.2.3.4"}, "Forwarded": {"proto=https"}}, "REMOTE_ADDR", "127.0.0.1", "HTTP_X_FORWARDED_FOR"},
		{"from another network", []string{"10.0.0.0/8"}, http.Header{"X-Forwarded-Other": {"1"}, "X-Forwarded-Proto": {"https"}}, "wsgi.url_scheme", "http", "HTTP_X_FORWARDED_OTHER"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, client := serveHTTP2(t, server.Config{Application: application, ForwardedAllowIPs: tt.allow})
			var got [2]map[string]string
			for i, client := range []*http.Client{{Timeout: patience}, client} {
				request, err := http.NewRequest("GET", s.url("/"), nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header = tt.header.Clone()
				response, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				if err := json.NewDecoder(response.Body).Decode(&got[i]); err != nil {
					t.Error(err)
				}
				_ = response.Body.Close()
				client.CloseIdleConnections()
				if got[i]["REMOTE_ADDR"] == "127.0.0.1" {
					delete(got[i], "REMOTE_PORT") // the socket's
				}
			}
			if !maps.Equal(got[0], got[1]) {
				t.Errorf("HTTP/1.1 %q\nHTTP/2   %q", got[0], got[1])
			}
			if got[1][tt.key] != tt.want {
				t.Errorf("%s is %q, want %q", tt.key, got[1][tt.key], tt.want)
			}
			if value, there := got[1][tt.removed]; there {
				t.Errorf("%s is %q", tt.removed, value)
			}
		})
	}
}
