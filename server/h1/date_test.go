package h1_test

import (
	"regexp"
	"testing"
	"time"
)

// TestDate: Date is an IMF-fixdate (RFC 9110 section 5.6.7), and the present time, in answers of the
// application and of the server.
func TestDate(t *testing.T) {
	field := regexp.MustCompile(`\r\nDate: ([^\r]*)\r\n`)
	form := regexp.MustCompile(`^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$`)
	h := newHouse(t, every, nil)
	for _, request := range []string{
		"GET /probe HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /status/304 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /status/404 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /probe HTTP/1.1\r\n\r\n",
	} {
		c := h.dial()
		c.Feed([]byte(request))
		m := field.FindSubmatch(c.out.Bytes())
		if m == nil || !form.Match(m[1]) {
			t.Errorf("%q is answered with %q", request, c.out.Bytes())
			continue
		}
		date, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", string(m[1]))
		if apart := time.Since(date); err != nil || apart < -time.Second || apart > time.Minute {
			t.Errorf("Date is %s, %v; want now", m[1], err)
		}
		c.Reset()
	}
}
