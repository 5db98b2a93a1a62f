package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestTestRoutes(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--test-routes")
	for _, c := range []struct {
		method, target, rest string
		status               int
		body                 string // "": not looked at
	}{
		{"GET", "/plaintext", "", 200, "Hello, World!"},
		{"POST", "/sink?rate=1000000", "Content-Length: 5\r\n\r\nabcde", 200, "5\n"},
		{"POST", "/sink", "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, "3\n"},
		{"GET", "/sink", "", 200, "0\n"},
		{"POST", "/sink?rate=0", "", 400, ""},
		{"POST", "/sink?rate=x", "", 400, ""},
		{"GET", "/panic?phase=call", "", 500, ""},
		{"GET", "/panic?phase=start", "", 500, ""},
		{"GET", "/panic?phase=close", "", 200, "begun\n"},
		{"GET", "/panic?phase=lunch", "", 400, ""},
		{"GET", "/panic", "", 400, ""},
		{"POST", "/internals", "", 405, ""},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			r := p.ask(c.method, c.target, c.rest)
			if r.StatusCode != c.status || c.body != "" && r.body != c.body {
				t.Errorf("got %s %q, want %d %q", r.Status, r.body, c.status, c.body)
			}
		})
	}
}

// TestRoutesHidden: without the flag there is nothing of the kind.
func TestRoutesHidden(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0")
	for _, target := range []string{"/sink", "/panic?phase=call", "/internals"} {
		if r := p.ask("GET", target); r.StatusCode != 404 {
			t.Errorf("%s answers %s", target, r.Status)
		}
	}
}

// TestPanicInBody: what was sent arrives, the end does not.
func TestPanicInBody(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--test-routes")
	c := p.dial()
	if _, err := io.WriteString(c, "GET /panic?phase=body HTTP/1.1\r\nHost: demo\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err == nil || string(body) != "begun\n" {
		t.Errorf("got %s %q, %v; want the first chunk and an error", r.Status, body, err)
	}
}

func TestInternals(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--test-routes")
	var got struct{ Descriptors, Goroutines, Heap int }
	if err := json.Unmarshal([]byte(p.ask("GET", "/internals").body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Goroutines < 1 || got.Heap < 1000 {
		t.Errorf("%+v", got)
	}
	if runtime.GOOS == "linux" && got.Descriptors < 4 {
		t.Errorf("%d descriptors", got.Descriptors)
	}
}

func TestDrainRate(t *testing.T) {
	began := time.Now()
	n, err := drain(strings.NewReader(strings.Repeat("x", 3000)), 20_000)
	if took := time.Since(began); n != 3000 || err != nil || took < 140*time.Millisecond {
		t.Errorf("%d octets, %v, in %v", n, err, took)
	}
	if _, err := drain(iotest.ErrReader(io.ErrUnexpectedEOF), 1000); err == nil {
		t.Error("no error")
	}
}
