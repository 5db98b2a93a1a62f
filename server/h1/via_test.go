package h1_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/forwarded"
	"github.com/weirhttp/weir/server/h1"
)

// believing has a configuration believe the networks.
func believing(t testing.TB, networks ...string) func(*h1.Config) {
	trusted, err := forwarded.ParseNetworks(networks)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := forwarded.NewPolicy(trusted, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *h1.Config) { c.Forwarded = policy }
}

// whoAsks answers with the keys that proxies have a say in, and names of the fields.
func whoAsks(environ *app.Environ, start app.StartResponse) app.Body {
	var b strings.Builder
	for _, key := range []string{"REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "HTTPS", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT"} {
		if v, ok := environ.Lookup(key); ok {
			fmt.Fprintf(&b, "%s=%s ", key, v)
		}
	}
	for name := range environ.Fields() {
		fmt.Fprintf(&b, "%s ", name)
	}
	start("200 OK", nil)
	return app.String(b.String())
}

func TestVia(t *testing.T) {
	for _, c := range []struct{ name, trust, in, want string }{
		{"nothing is said", "127.0.0.1", "GET / HTTP/1.1\r\nHost: a\r\nX-Other: b\r\n",
			"REMOTE_ADDR= wsgi.url_scheme=http HTTP_HOST=a SERVER_NAME=127.0.0.1 SERVER_PORT=8000 Host X-Other"},
		{"the client", "127.0.0.1", "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n",
			"REMOTE_ADDR=192.0.2.1 wsgi.url_scheme=http HTTP_HOST=a SERVER_NAME=127.0.0.1 SERVER_PORT=8000 Host X-Forwarded-For"},
		{"the client's port", "127.0.0.1", "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: [2001:db8::1]:99\r\n",
			"REMOTE_ADDR=2001:db8::1 REMOTE_PORT=99 wsgi.url_scheme=http HTTP_HOST=a SERVER_NAME=127.0.0.1 SERVER_PORT=8000 Host X-Forwarded-For"},
		{"the scheme", "127.0.0.1", "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n",
			"REMOTE_ADDR= wsgi.url_scheme=https HTTPS=on HTTP_HOST=a SERVER_NAME=127.0.0.1 SERVER_PORT=443 Host X-Forwarded-Proto"},
		{"the scheme, with a port in Host", "127.0.0.1", "GET / HTTP/1.1\r\nX-Forwarded-Proto: https\r\nHost: a:8443\r\n",
			"REMOTE_ADDR= wsgi.url_scheme=https HTTPS=on HTTP_HOST=a:8443 SERVER_NAME=127.0.0.1 SERVER_PORT=8443 X-Forwarded-Proto Host"},
		{"the host", "127.0.0.1", "GET / HTTP/1.1\r\nHost: a:1\r\nX-Forwarded-Host: example.org\r\n",
			"REMOTE_ADDR= wsgi.url_scheme=http HTTP_HOST=example.org SERVER_NAME=example.org SERVER_PORT=80 Host X-Forwarded-Host"},
		{"the host with its port", "127.0.0.1", "GET / HTTP/1.1\r\nHost: a:1\r\nX-Forwarded-Host: [2001:db8::1]:8443\r\nX-Forwarded-Proto: https\r\n",
			"REMOTE_ADDR= wsgi.url_scheme=https HTTPS=on HTTP_HOST=[2001:db8::1]:8443 SERVER_NAME=[2001:db8::1] SERVER_PORT=8443 Host X-Forwarded-Host X-Forwarded-Proto"},
		{"the port", "127.0.0.1", "GET / HTTP/1.1\r\nHost: a:1\r\nX-Forwarded-Port: 8443\r\n",
			"REMOTE_ADDR= wsgi.url_scheme=http HTTP_HOST=a:1 SERVER_NAME=127.0.0.1 SERVER_PORT=8443 Host X-Forwarded-Port"},
		{"the host of a request without", "127.0.0.1", "GET / HTTP/1.0\r\nForwarded: for=192.0.2.1;host=\"example.org:81\"\r\n",
			"REMOTE_ADDR=192.0.2.1 wsgi.url_scheme=http HTTP_HOST=example.org:81 SERVER_NAME=example.org SERVER_PORT=81 Forwarded Host"},
		{"the host of an absolute-form", "127.0.0.1", "GET http://b/ HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: example.org\r\nX-Forwarded-Proto: https\r\n",
			"REMOTE_ADDR= wsgi.url_scheme=https HTTPS=on HTTP_HOST=example.org SERVER_NAME=example.org SERVER_PORT=443 Host X-Forwarded-Host X-Forwarded-Proto"},
		{"the host of an absolute-form without Host", "127.0.0.1", "GET http://b/ HTTP/1.0\r\nX-Forwarded-Host: example.org\r\n",
			"REMOTE_ADDR= wsgi.url_scheme=http HTTP_HOST=example.org SERVER_NAME=example.org SERVER_PORT=80 X-Forwarded-Host Host"},
		{"nobody is believed", "none", "GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\nX-A: b\r\nX-Forwarded-Proto: https\r\nHost: a\r\n" +
			"x-forwarded-host: b\r\nX-Forwarded-Port: 8443\r\nX-Forwarded-Prefix: c\r\nForwarded: for=192.0.2.1\r\nFrom: d\r\n",
			"REMOTE_ADDR= wsgi.url_scheme=http HTTP_HOST=a SERVER_NAME=127.0.0.1 SERVER_PORT=8000 X-A Host From"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, mode := range []struct {
				name        string
				application app.Application
			}{
				{"inline", whoAsks},
				{"detached", func(environ *app.Environ, start app.StartResponse) app.Body {
					environ.Detach()
					return whoAsks(environ, start)
				}},
				{"blocking", app.Blocking(whoAsks)},
			} {
				client := dial(t, mode.application, believing(t, c.trust))
				request := c.in + "Connection: keep-alive\r\n\r\n"
				for i, feed := range [][]string{{request}, strings.Split(request, ""), {request}} {
					client.out.Reset()
					for _, part := range feed {
						client.Feed([]byte(part))
					}
					if !client.house.until(func() bool { return strings.Contains(client.out.String(), "Connection ") }) {
						t.Fatalf("%s: no answer: %q", mode.name, client.out.String())
					}
					// The fields that the test adds, and a space behind each.
					got := strings.Replace(client.out.String(), " Connection", "", 1)
					if !strings.Contains(got, "\r\n\r\n"+c.want+" ") && !strings.Contains(got, "\r\n"+c.want+" ") {
						t.Errorf("%s, request %d:\ngot  %s\nwant %s", mode.name, i, got, c.want)
					}
				}
				// And the next request is its own.
				client.out.Reset()
				client.Feed([]byte("GET / HTTP/1.1\r\nHost: z\r\nUser-Agent: end\r\n\r\n"))
				if !client.house.until(func() bool { return strings.Contains(client.out.String(), "User-Agent") }) ||
					!strings.Contains(client.out.String(), "wsgi.url_scheme=http HTTP_HOST=z SERVER_NAME=127.0.0.1 SERVER_PORT=8000 Host User-Agent") {
					t.Errorf("%s: the next request: %s", mode.name, client.out.String())
				}
			}
		})
	}
}

// TestAccessLogVia: the log has the address that the application has, of deferred and of refused requests too.
func TestAccessLogVia(t *testing.T) {
	l := &logged{}
	var deferred app.Deferred
	c := dial(t, func(environ *app.Environ, start app.StartResponse) app.Body {
		if string(environ.Path()) == "/later" {
			deferred = environ.Defer()
			return nil
		}
		return logTestApplication(environ, start)
	}, func(config *h1.Config) {
		believing(t, "127.0.0.1")(config)
		l.use(config)
		config.MaxContent = 10
	})
	field := "Host: a\r\nX-Forwarded-For: 192.0.2.1\r\n"
	c.Feed([]byte("GET /now HTTP/1.1\r\n" + field + "\r\nGET /later HTTP/1.1\r\n" + field + "\r\n"))
	if deferred == nil {
		t.Fatal("not called")
	}
	deferred.Start("200 OK", nil)
	_ = deferred.Close()
	c.house.loop.RunPosted()
	c.Feed([]byte("POST /much HTTP/1.1\r\n" + field + "Content-Length: 11\r\n\r\n"))
	lines := l.lines()
	for i, want := range []string{"/now", "/later", "/much"} {
		got := strings.Split(lines, "\n")
		if i >= len(got) || !strings.HasPrefix(got[i], "192.0.2.1 - - [") || !strings.Contains(got[i], want) {
			t.Fatalf("want a line for %s of 192.0.2.1:\n%s", want, lines)
		}
	}
}

// BenchmarkVia is a request as a proxy sends it, whose application asks for nothing.
func BenchmarkVia(b *testing.B) {
	request := []byte("GET /plaintext HTTP/1.1\r\nHost: example.org\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n" +
		"X-Forwarded-Host: example.org\r\nX-Forwarded-Port: 443\r\n\r\n")
	c := dial(b, plaintext, believing(b, "127.0.0.0/8", "::1"))
	b.ReportAllocs()
	for b.Loop() {
		c.Feed(request)
		c.out.Reset()
	}
}
