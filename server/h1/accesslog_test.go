package h1_test

import (
	"bytes"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/h1"
)

// logged is an access log in memory.
type logged struct {
	log *accesslog.Log
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *logged) use(config *h1.Config) {
	l.log = accesslog.New(l, accesslog.Options{Format: accesslog.Combined, Logger: slog.New(slog.DiscardHandler)})
	config.AccessLog = l.log
}

var datePart = regexp.MustCompile(`(?m)^- - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] `)

// lines ends the log, and returns its lines without what all of them begin with.
func (l *logged) lines() string {
	l.log.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	return datePart.ReplaceAllString(l.out.String(), "")
}

func logTestApplication(environ *app.Environ, start app.StartResponse) app.Body {
	switch string(environ.Path()) {
	case "/abort":
		panic(app.ErrAbort)
	case "/cut":
		start("200 OK", []app.Header{{Name: "Content-Length", Value: "10"}})
		return app.String("abc")
	case "/read":
		_, _ = io.Copy(io.Discard, environ.Input())
	case "/empty":
		start("204 No Content", nil)
		return nil
	case "/stream":
		start("200 OK", nil)
		return app.Reader(strings.NewReader(strings.Repeat("a", 100_000)))
	}
	start("200 OK", plainHeaders)
	return environ.Bytes(hello)
}

// TestAccessLog: one line for each request, with what was answered, in the order of the answers.
func TestAccessLog(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "GET /a?b=%20c HTTP/1.1\r\nHost: a\r\nReferer: http://r/\r\nuser-agent: me/1.0\r\n\r\n",
			`"GET /a?b=%20c HTTP/1.1" 200 13 "http://r/" "me/1.0"`},
		{"pipelined", "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /empty HTTP/1.0\r\n\r\n",
			"\"GET /1 HTTP/1.1\" 200 13 \"-\" \"-\"\n\"HEAD /2 HTTP/1.1\" 200 - \"-\" \"-\"\n\"GET /empty HTTP/1.0\" 204 - \"-\" \"-\""},
		{"octets are those of the content", "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", `"GET /stream HTTP/1.1" 200 100000 "-" "-"`},
		{"absolute-form", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", `"GET http://a/ HTTP/1.1" 200 13 "-" "-"`},
		{"by the server itself", "OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n", `"OPTIONS * HTTP/1.1" 200 - "-" "-"`},
		{"the first of several", "GET / HTTP/1.1\r\nHost: a\r\nReferer: 1\r\nReferer: 2\r\n\r\n", `"GET / HTTP/1.1" 200 13 "1" "-"`},
		{"forged", "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x\" 200 1\\\xff\t\r\nReferer: a\tb\r\n\r\n",
			`"GET / HTTP/1.1" 200 13 "a\x09b" "x\x22 200 1\x5C\xFF"`},
		{"content that comes in parts", "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nUser-Agent: u\r\n\r\nab|cde",
			`"POST /read HTTP/1.1" 200 13 "-" "u"`},
		{"refused field", "GET /x HTTP/1.1\r\nHost : a\r\n\r\n", `"GET /x HTTP/1.1" 400 SIZE "-" "-"`},
		{"refused line", "\r\nGET  / HTTP/1.1\r\nHost: a\r\n\r\n", `"GET  / HTTP/1.1" 400 SIZE "-" "-"`},
		{"refused HEAD", "HEAD /x HTTP/1.1\r\nHost : a\r\n\r\n", `"HEAD /x HTTP/1.1" 400 - "-" "-"`},
		{"not HTTP", "\x16\x03\x01\x02\n", `"\x16\x03\x01\x02" 400 SIZE "-" "-"`},
		{"refused at the head", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nUser-Agent: u\r\n\r\n", `"CONNECT a:1 HTTP/1.1" 501 SIZE "-" "u"`},
		{"refused content", "POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\n", `"POST /read HTTP/1.1" 400 SIZE "-" "-"`},
		{"head without end", "GET / HT", `"-" 400 SIZE "-" "-"`},
		{"content without end", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", `"POST /a HTTP/1.1" 400 SIZE "-" "-"`},
		{"nothing asked", "", ""},
		{"no answer", "GET /abort HTTP/1.1\r\nHost: a\r\n\r\n", `"GET /abort HTTP/1.1" - - "-" "-"`},
		{"cut off", "GET /cut HTTP/1.1\r\nHost: a\r\n\r\n", `"GET /cut HTTP/1.1" 200 3 "-" "-"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log logged
			client := dial(t, logTestApplication, log.use)
			for part := range strings.SplitSeq(c.in, "|") {
				client.Feed([]byte(part))
			}
			client.EOF()
			got := log.lines()
			if _, body, ok := strings.Cut(client.out.String(), "\r\n\r\n"); ok && strings.Contains(c.want, "SIZE") {
				size := len(body)
				got = strings.Replace(got, " "+strconv.Itoa(size)+" ", " SIZE ", 1)
			}
			if want := strings.TrimPrefix(c.want+"\n", "\n"); got != want {
				t.Errorf("\ngot  %q\nwant %q", got, want)
			}
		})
	}
}

// TestAccessLogOfTheGone: a request whose client does not wait for the answer has a line too.
func TestAccessLogOfTheGone(t *testing.T) {
	var log logged
	h := newHouse(t, logTestApplication, log.use)
	c := h.dial()
	c.room = 1000
	c.Feed([]byte("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"))
	c.Reset()
	c = h.dial()
	c.Feed([]byte("POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"))
	c.timeout()
	c = h.dial()
	c.Feed([]byte("GET /half HTT"))
	c.Reset()
	got := regexp.MustCompile(`(\d{3}) \d+`).ReplaceAllString(log.lines(), "$1 N")
	want := "\"GET /stream HTTP/1.1\" 200 N \"-\" \"-\"\n\"POST /late HTTP/1.1\" 408 N \"-\" \"-\"\n"
	if got != want {
		t.Errorf("\ngot  %q\nwant %q", got, want)
	}
}

// TestAccessLogBlocking: a request that is answered by a goroutine is logged from its copy.
func TestAccessLogBlocking(t *testing.T) {
	var log logged
	h := newHouse(t, app.Blocking(logTestApplication), log.use)
	c := h.dial()
	c.Feed([]byte("GET /blocking HTTP/1.1\r\nHost: a\r\nReferer: r\r\n\r\n"))
	if !h.until(func() bool { return strings.HasSuffix(c.out.String(), "World!") }) {
		t.Fatal("no answer")
	}
	if got, want := log.lines(), "\"GET /blocking HTTP/1.1\" 200 13 \"r\" \"-\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestAccessLogAllocations: the log costs no allocation a request.
func TestAccessLogAllocations(t *testing.T) {
	request := []byte("GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: u\r\n\r\n")
	count := func(change func(*h1.Config)) float64 {
		c := dial(t, plaintext, change)
		c.Feed(request)
		return testing.AllocsPerRun(1000, func() {
			c.Feed(request)
			c.out.Reset()
		})
	}
	var log logged
	without, with := count(nil), count(log.use)
	log.log.Close()
	if with > without {
		t.Errorf("%v allocations a request, %v without the log", with, without)
	}
}

// BenchmarkPlaintextLogged is BenchmarkPlaintextPipelined16 with an access log.
func BenchmarkPlaintextLogged(b *testing.B) {
	for _, format := range []accesslog.Format{accesslog.Common, accesslog.Combined, accesslog.JSON} {
		b.Run(string(format), func(b *testing.B) {
			log := accesslog.New(io.Discard, accesslog.Options{Format: format, Logger: slog.New(slog.DiscardHandler)})
			defer log.Close()
			benchmarkPlaintext(b, 16, "", func(config *h1.Config) { config.AccessLog = log })
		})
	}
}
