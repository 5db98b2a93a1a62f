package python_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/weirhttp/weir/python"
)

// TestEarlyHints: wsgi.early_hints sends interim responses, until the head has left.
func TestEarlyHints(t *testing.T) {
	h := host(t, python.Options{App: "files:app"})
	for kind, start := range serverKinds {
		t.Run(kind, func(t *testing.T) {
			url := start(t, h)
			for _, target := range []string{"/hints", "/streamed-hints"} {
				var links []string
				request, err := http.NewRequest("GET", url+target, nil)
				if err != nil {
					t.Fatal(err)
				}
				request = request.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					Got1xxResponse: func(code int, fields textproto.MIMEHeader) error {
						links = append(links, fmt.Sprint(code, " ", fields.Get("Link")))
						return nil
					},
				}))
				response, err := h.client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				content, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err != nil || string(content) != "hinted" || response.StatusCode != 200 || response.Header.Get("Link") != "" {
					t.Errorf("%s: %d %q, %v, %v", target, response.StatusCode, content, err, response.Header)
				}
				if got := strings.Join(links, ", "); got != "103 </a.css>; rel=preload, 103 </b.js>; rel=preload" {
					t.Errorf("%s: %s", target, got)
				}
			}
			address := strings.TrimPrefix(url, "http://")
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = io.WriteString(c, "GET /hints HTTP/1.0\r\n\r\n")
			line, err := bufio.NewReader(c).ReadBytes('\n')
			if err != nil || !bytes.Contains(line, []byte(" 200 OK")) {
				t.Errorf("HTTP/1.0 gets %q, %v", line, err)
			}
		})
	}
	h.want(h.get("/bad-hints"), 500, "Internal Server Error\n")
}
