package response

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const whole = "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 2\r\n\r\nok"
	for n := range whole {
		if _, size, err := Parse([]byte(whole[:n])); size != 0 || err != nil {
			t.Fatalf("%q: %d, %v", whole[:n], size, err)
		}
	}
	for _, c := range []struct {
		text    string
		status  int
		content string
		closing bool
		size    int
	}{
		{whole, 200, "ok", false, len(whole)},
		{whole + "HTTP", 200, "ok", false, len(whole)},
		{"HTTP/1.1 204 No Content\r\n\r\n", 204, "", false, 27},
		{"HTTP/1.0 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 503, "", true, 57},
	} {
		r, size, err := Parse([]byte(c.text))
		if err != nil || r.Status != c.status || string(r.Content) != c.content || r.Closing != c.closing || size != c.size {
			t.Errorf("%q: %+v, %d, %v", c.text, r, size, err)
		}
	}
	for _, text := range []string{"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "hello\r\n\r\n", "HTTP/1.1 200\r\nContent-Length: -1\r\n\r\n", strings.Repeat("x", 9000)} {
		if _, _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%.40q: no error", text)
		}
	}
}
