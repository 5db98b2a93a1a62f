package main

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestMethods: RFC 9110 section 9.1 has 501 for methods that a server does not know, 405 with Allow for those
// that the resource does not take. TRACE (9.3.8) is either refused or answered with the request as it came.
func TestMethods(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0")
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"GET", "/plaintext", 200},
		{"HEAD", "/plaintext", 200},
		{"POST", "/plaintext", 405},
		{"TRACE", "/plaintext", 405},
		{"TRACE", "/echo", 200},
		{"BREW", "/plaintext", 501},
		{"get", "/plaintext", 501},
		{"BREW", "/echo", 200},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			r := p.ask(c.method, c.target)
			if r.StatusCode != c.status {
				t.Errorf("got %s, want %d", r.Status, c.status)
			}
			if r.StatusCode == 405 && r.Header.Get("Allow") == "" {
				t.Error("there is no Allow")
			}
		})
	}
}

// TestVersionsAreNamed: RFC 9110 section 15.6.6 wants a 505 to say which versions there are.
func TestVersionsAreNamed(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0")
	c := p.dial()
	if _, err := io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 505 || !strings.Contains(string(body), "HTTP/1.1") {
		t.Errorf("got %s, %q, %v; want 505 and a text that names HTTP/1.1", r.Status, body, err)
	}
}

// TestLateOctets: octets that come behind the last request of a connection do not cost the client its answer.
// Without a lingering close the system answers them with a reset, which discards what is on its way (RFC
// 9112 section 9.6). Old clients send an empty line behind the content of a POST.
func TestLateOctets(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0")
	for _, c := range []struct{ name, request, late string }{
		{"a refused request", "GET /bytes HTTP/1.1\r\n\r\n", "x"},
		{"close", "GET /bytes?n=1000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"1.0", "GET /bytes?n=1000000 HTTP/1.0\r\n\r\n", "\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := p.dial()
			if _, err := io.WriteString(conn, c.request); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond) // the answer is written as far as the system takes it
			_, _ = io.WriteString(conn, c.late)
			time.Sleep(20 * time.Millisecond)
			_, _ = io.WriteString(conn, c.late)
			r, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil || n != r.ContentLength {
				t.Errorf("%d octets of %d came, then %v", n, r.ContentLength, err)
			}
		})
	}
}
