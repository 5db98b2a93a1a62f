package python_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weirhttp/weir/python"
)

// TestShapes: the environ of a request is the same whether the worker gets it as a dict, as it does the first times, or as the values of a
// shape that it knows.
func TestShapes(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	h := host(t, python.Options{}, socket)
	fresh := regexp.MustCompile(`(?m)^(REMOTE_PORT=\d+|wsgi\.[a-z_]+=<.*|weir\.[a-z_]+=<.*)\n`)
	for _, c := range []struct{ name, request, has string }{
		{"bare", "GET /environ HTTP/1.1\r\nHost: a\r\n\r\n", "REQUEST_METHOD=GET"},
		{"query", "GET /environ?q=%41 HTTP/1.1\r\nHost: a\r\n\r\n", "QUERY_STRING=q=%41"},
		{"fields", "GET /environ HTTP/1.1\r\nHost: a\r\nX-Own: caf\xe9\r\nCookie: a=b\r\n\r\n", "HTTP_X_OWN=caf\xe9"},
		{"content", "POST /environ HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc", "CONTENT_LENGTH=3"},
		{"no content", "POST /environ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "CONTENT_LENGTH=0"},
		{"chunked", "POST /environ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "CONTENT_LENGTH=3"},
		{"HTTP/1.0", "GET /environ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "SERVER_PROTOCOL=HTTP/1.0"},
		{"long", "GET /environ HTTP/1.1\r\nHost: a\r\nX-Long: " + strings.Repeat("x", 300) + "\r\n\r\n", strings.Repeat("x", 300)},
		{"forwarded", "GET /environ HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n", "REMOTE_ADDR=192.0.2.1"},
		{"repeated", "GET /environ HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-A: 2\r\n\r\n", "HTTP_X_A=1,2"},
	} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(c.name+", "+network, func(t *testing.T) {
				address := map[string]string{"tcp": h.server.Addresses()[0], "unix": socket}[network]
				conn, err := net.Dial(network, address)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				in := bufio.NewReader(conn)
				var first string
				for i := range 8 {
					if _, err := io.WriteString(conn, c.request); err != nil {
						t.Fatal(err)
					}
					response, err := http.ReadResponse(in, nil)
					if err != nil {
						t.Fatal(err)
					}
					content, err := io.ReadAll(response.Body)
					if err != nil {
						t.Fatal(err)
					}
					text := fresh.ReplaceAllString(string(content), "")
					if i == 0 {
						first = text
					}
					if text != first || !strings.Contains(text, c.has) || strings.Contains(text, "REMOTE_ADDR=\n") != (network == "unix" && c.name != "forwarded") {
						t.Fatalf("environ %d:\n%s\nthe first:\n%s", i, text, first)
					}
				}
			})
		}
	}
}
