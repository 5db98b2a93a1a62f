package h1_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/h1"
)

// heard is what a connection made of its input.
type heard struct {
	methods []string // of the requests that reached the application, in order
	output  string   // all that came back but interim responses, without dates
	open    bool
}

var variable = regexp.MustCompile(`Date: [^\r]*\r\n|HTTP/1\.1 100 Continue\r\n\r\n`)

// hear feeds a fresh connection, and closes the client's side. The application answers with the number of its
// request and with the content in hexadecimal, so that no response can hide in another.
func hear(t *testing.T, pieces [][]byte) (h heard) {
	c := dial(t, func(environ *app.Environ, start app.StartResponse) app.Body {
		h.methods = append(h.methods, environ.Method())
		content, _ := environ.Input().View()
		start("200 OK", plainHeaders)
		return app.String(fmt.Sprintf("%d:%x", len(h.methods), content))
	}, func(config *h1.Config) {
		config.ContentBuffer, config.MaxContent = 1<<20, 1<<20 // nothing runs on a goroutine
	})
	for _, p := range pieces {
		c.Feed(p)
		c.house.loop.RunPosted()
	}
	h.open = c.isOpen()
	c.EOF()
	c.house.loop.RunPosted()
	h.output = variable.ReplaceAllString(c.out.String(), "")
	return h
}

// judge tells what is wrong with the output: there is one response for each request that reached the application,
// in order, perhaps a refusal behind them, and nothing else; each is one that net/http's client reads.
func (h heard) judge() error {
	out := []byte(strings.ReplaceAll(h.output, "\r\nServer: weir\r\n", "\r\nServer: weir\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"))
	for i, method := range h.methods {
		r, rest, err := readResponse(out, method == "HEAD", true)
		if err != nil {
			return fmt.Errorf("response %d: %w", i+1, err)
		}
		if method != "HEAD" && !strings.HasPrefix(r.body, fmt.Sprint(i+1, ":")) {
			return fmt.Errorf("response %d is %v", i+1, r)
		}
		out = rest
	}
	if len(out) == 0 {
		return nil
	}
	for _, isHead := range []bool{false, true} {
		if r, rest, err := readResponse(out, isHead, true); err == nil && len(rest) == 0 && r.status >= 400 && r.last() {
			return nil
		}
	}
	return fmt.Errorf("behind %d responses there is %q", len(h.methods), out)
}

// FuzzConnection feeds octets to a connection, whole and split at random.
func FuzzConnection(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /x HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nokGET http://b/c?d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.1\r\n\r\n",
		"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
	} {
		f.Add([]byte(seed), uint64(1))
	}
	f.Fuzz(func(t *testing.T, input []byte, seed uint64) {
		whole := hear(t, [][]byte{input})
		if bytes.Contains(input, []byte("OPTIONS")) && strings.Contains(whole.output, "Allow: ") {
			return // answered by the server itself: the application has not counted it
		}
		if err := whole.judge(); err != nil {
			t.Fatalf("%q: %v", input, err)
		}
		r := rand.New(rand.NewPCG(seed, 0))
		var pieces [][]byte
		for rest := input; len(rest) > 0; {
			n := 1 + r.IntN(min(len(rest), 1+r.IntN(40)))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if split := hear(t, pieces); split.output != whole.output || split.open != whole.open {
			t.Fatalf("%q:\nwhole %+v\nsplit %+v", input, whole, split)
		}
	})
}
