package server_test

import (
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// scgiPost is a request of SCGI with content of so many octets, of which some are there.
func scgiPost(length, content string) string {
	block := "CONTENT_LENGTH\x00" + length + "\x00SCGI\x001\x00REQUEST_METHOD\x00POST\x00REQUEST_URI\x00/\x00"
	return strconv.Itoa(len(block)) + ":" + block + "," + content
}

// TestCutOffShows: an answer whose end is that of the connection does not look complete, whatever has cut it off.
func TestCutOffShows(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	begins := app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
		_, _ = start("200 OK", nil)([]byte("begun"))
		<-hang
		return nil
	})
	deferred := func(environ *app.Environ, start app.StartResponse) app.Body {
		d := environ.Defer()
		_ = d.Start("200 OK", nil)
		_, _ = d.Write([]byte("begun"))
		return nil
	}
	stop := func(s *running, c net.Conn) { s.cancel() }
	halfClose := func(s *running, c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() }
	nothing := func(s *running, c net.Conn) {}
	const get = "GET / HTTP/1.0\r\n\r\n"
	for name, test := range map[string]struct {
		config  server.Config
		request string
		cut     func(s *running, c net.Conn)
	}{
		"the end of the server":           {server.Config{Application: begins, GracefulTimeout: time.Millisecond}, get, stop},
		"the end of the server, deferred": {server.Config{Application: deferred, GracefulTimeout: time.Millisecond}, get, stop},
		"the end of the server, SCGI":     {server.Config{Application: begins, GracefulTimeout: time.Millisecond, Protocol: server.SCGI}, scgiPost("0", ""), stop},
		"the client half-closes":          {server.Config{Application: deferred}, get, halfClose},
		"the web server half-closes":      {server.Config{Application: deferred, Protocol: server.SCGI}, scgiPost("0", ""), halfClose},
		"content does not come":           {server.Config{Application: begins, Protocol: server.SCGI, ContentBuffer: 1, ContentTimeout: 50 * time.Millisecond}, scgiPost("70000", "x"), nothing},
		"content is cut off":              {server.Config{Application: begins, Protocol: server.SCGI, ContentBuffer: 1}, scgiPost("70000", "x"), halfClose},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, test.config)
			c, err := net.Dial("tcp", strings.TrimPrefix(s.Addresses()[0], "scgi:"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			if _, err := io.WriteString(c, test.request); err != nil {
				t.Fatal(err)
			}
			var answer []byte
			until(t, "the answer to begin", func() bool {
				b := make([]byte, 512)
				n, err := c.Read(b)
				if err != nil {
					t.Fatalf("behind %q: %v", answer, err)
				}
				answer = append(answer, b[:n]...)
				return len(answer) >= 5 && string(answer[len(answer)-5:]) == "begun"
			})
			test.cut(s, c)
			if rest, err := io.ReadAll(c); err == nil {
				t.Errorf("%q is an answer that was cut off, and looks complete", append(answer, rest...))
			}
		})
	}
}
