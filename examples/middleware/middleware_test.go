package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/weirhttp/weir/server"
)

// TestMiddleware: curl, over a socket, sees what each piece of middleware does, one around the other.
func TestMiddleware(t *testing.T) {
	s, err := server.New(server.Config{Bind: []string{"127.0.0.1:0"}, Loops: 1, Application: application()})
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
	url := "http://" + s.Addresses()[0]
	const everywhere = "X-Content-Type-Options: nosniff|X-Request-ID: "
	for _, c := range []struct {
		path   string
		args   []string
		want   string // lines of the head begin so, "|" between them
		absent string
		body   string
	}{
		{"/", []string{"--compressed"}, "HTTP/1.1 200 OK|Vary: Accept-Encoding|Content-Encoding: |Content-Security-Policy: default-src 'self'", "", "<p>Hello</p>\n"},
		{"/", nil, "HTTP/1.1 200 OK|Vary: Accept-Encoding|Content-Length: 6500", "Content-Encoding", "<p>Hello</p>\n"},
		{"/", []string{"--head", "--header", "X-Request-ID: mine"}, "HTTP/1.1 200 OK|X-Request-ID: mine", "", ""},
		{"/api/time", []string{"--header", "Origin: https://example.com"}, "HTTP/1.1 200 OK|Access-Control-Allow-Origin: https://example.com|Vary: Origin", "", "T"},
		{"/api/time", []string{"--header", "Origin: https://example.com", "--request", "OPTIONS", "--header", "Access-Control-Request-Method: PUT"},
			"HTTP/1.1 204 No Content|Access-Control-Allow-Methods: GET", "\r\nContent-Type", ""},
		{"/api/none", nil, "HTTP/1.1 404 Not Found", "Access-Control", "404"},
		{"/panic", nil, "HTTP/1.1 500 Internal Server Error", "", "Internal Server Error\n"},
		{"/wait", nil, "HTTP/1.1 503 Service Unavailable|Retry-After: 1", "", "The answer takes too long.\n"},
	} {
		head, body := curl(t, append(c.args, url+c.path)...)
		for _, want := range strings.Split(everywhere+"|"+c.want, "|") {
			if !strings.Contains("\r\n"+head, "\r\n"+want) {
				t.Errorf("%s %q: no %q in %s", c.path, c.args, want, head)
			}
		}
		if c.absent != "" && strings.Contains(head, c.absent) {
			t.Errorf("%s %q: %s in %s", c.path, c.args, c.absent, head)
		}
		if !strings.Contains(body, c.body) {
			t.Errorf("%s %q: %q", c.path, c.args, body)
		}
	}
	for range 30 {
		head, _ := curl(t, url+"/api/time")
		if strings.HasPrefix(head, "HTTP/1.1 429 Too Many Requests") && strings.Contains(head, "Retry-After: ") {
			return
		}
	}
	t.Error("the rate is not limited")
}

// curl returns the head and the body of what curl prints.
func curl(t *testing.T, args ...string) (head, body string) {
	t.Helper()
	out, err := exec.Command("curl", append([]string{"--silent", "--show-error", "--include", "--max-time", "30"}, args...)...).Output()
	if err != nil {
		t.Fatalf("curl %q: %v (curl is needed: Debian's package curl)", args, err)
	}
	head, body, _ = strings.Cut(string(out), "\r\n\r\n")
	return head, body
}
