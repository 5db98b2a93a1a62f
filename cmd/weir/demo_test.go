package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0")
	for _, c := range []struct {
		method, target, rest string
		status               int
		kind, length, body   string // "": not looked at
	}{
		{"GET", "/plaintext", "", 200, "text/plain", "13", "Hello, World!"},
		{"HEAD", "/plaintext", "", 200, "text/plain", "13", ""},
		{"GET", "/json", "", 200, "application/json", "27", `{"message":"Hello, World!"}`},
		{"HEAD", "/json", "", 200, "application/json", "27", ""},
		{"GET", "/plaintext?x=1", "", 200, "text/plain", "13", "Hello, World!"},
		{"POST", "/plaintext", "", 405, "", "", ""},
		{"DELETE", "/json", "", 405, "", "", ""},
		{"PUT", "/", "", 405, "", "", ""},
		{"POST", "/stream", "", 405, "", "", ""},
		{"POST", "/sleep", "", 405, "", "", ""},
		{"POST", "/bytes", "", 405, "", "", ""},
		{"HEAD", "/", "", 200, "text/html; charset=utf-8", "", ""},
		{"GET", "/missing", "", 404, "", "", ""},
		{"GET", "/plaintext/", "", 404, "", "", ""},
		{"GET", "//plaintext", "", 404, "", "", ""},
		{"GET", "/environs", "", 404, "", "", ""},
		{"GET", "/%70laintext", "", 200, "text/plain", "13", "Hello, World!"},
		{"GET", "http://demo/plaintext", "", 200, "text/plain", "13", "Hello, World!"},
		{"OPTIONS", "*", "", 200, "", "0", ""},

		{"POST", "/echo", "Content-Type: a/b\r\nContent-Length: 5\r\n\r\n\x00\xff\r\n.", 200, "a/b", "5", "\x00\xff\r\n."},
		{"PUT", "/echo", "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, "", "3", "abc"},
		{"GET", "/echo", "", 200, "", "0", ""},
		{"DELETE", "/echo", "Content-Length: 1\r\n\r\nx", 200, "", "1", "x"},
		{"HEAD", "/echo", "", 200, "", "", ""},

		{"GET", "/sleep?ms=1", "", 200, "text/plain", "11", "slept 1 ms\n"},
		{"GET", "/sleep?ms=0", "", 200, "text/plain", "11", "slept 0 ms\n"},
		{"GET", "/sleep?ms=-1", "", 400, "", "", ""},
		{"GET", "/sleep?ms=x", "", 400, "", "", ""},
		{"GET", "/sleep?ms=", "", 400, "", "", ""},
		{"GET", "/sleep?ms=99999999999999999999", "", 400, "", "", ""},
		{"GET", "/sleep?ms=%zz", "", 400, "", "", ""},

		{"GET", "/bytes?n=0", "", 200, "application/octet-stream", "0", ""},
		{"GET", "/bytes?n=16", "", 200, "application/octet-stream", "16", "0123456789abcdef"},
		{"HEAD", "/bytes?n=1073741824", "", 200, "application/octet-stream", "1073741824", ""},
		{"GET", "/bytes?n=1073741825", "", 400, "", "", ""},
		{"GET", "/bytes?n=-1", "", 400, "", "", ""},
		{"GET", "/bytes?n=1e3", "", 400, "", "", ""},

		{"GET", "/stream?chunks=3&ms=0", "", 200, "text/plain", "", "chunk 1 of 3\nchunk 2 of 3\nchunk 3 of 3\n"},
		{"GET", "/stream?chunks=0", "", 200, "", "", ""},
		{"HEAD", "/stream?chunks=3&ms=0", "", 200, "text/plain", "", ""},
		{"GET", "/stream?chunks=x", "", 400, "", "", ""},
		{"GET", "/stream?ms=-5", "", 400, "", "", ""},
		{"GET", "/stream?chunks=-1&ms=-5", "", 400, "", "", ""},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			r := p.ask(c.method, c.target, c.rest)
			if r.StatusCode != c.status || c.kind != "" && r.Header.Get("Content-Type") != c.kind {
				t.Errorf("got %s, %q; want %d, %q", r.Status, r.Header.Get("Content-Type"), c.status, c.kind)
			}
			if c.length != "" && r.Header.Get("Content-Length") != c.length {
				t.Errorf("Content-Length is %q, want %s", r.Header.Get("Content-Length"), c.length)
			}
			if (c.body != "" || c.method == "HEAD") && r.body != c.body {
				t.Errorf("body is %q, want %q", r.body, c.body)
			}
			if r.Header.Get("Server") != "weir" || r.Header.Get("Date") == "" {
				t.Errorf("headers are %v", r.Header)
			}
			if c.status == 405 && r.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow is %q", r.Header.Get("Allow"))
			}
		})
	}
}

// TestPage: the page links to the routes, and the links work.
func TestPage(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0")
	page := p.ask("GET", "/")
	if page.StatusCode != 200 || !strings.HasPrefix(strings.ToLower(page.body), "<!doctype html>") {
		t.Fatalf("%s %.100q", page.Status, page.body)
	}
	for _, route := range []string{"/plaintext", "/json", "/echo", "/environ", "/stream", "/sleep", "/bytes", "/poll/", "/events/", "/publish/", "/socket/", "/websocket"} {
		if !strings.Contains(page.body, route) {
			t.Errorf("the page does not name %s", route)
		}
	}
	for _, part := range strings.Split(page.body, `href="/`)[1:] {
		target, _, _ := strings.Cut("/"+part, `"`)
		if strings.Contains(target, "sleep") || strings.Contains(target, "stream") ||
			strings.Contains(target, "poll") || strings.Contains(target, "events") {
			continue // they take their time
		}
		if r := p.ask("HEAD", strings.ReplaceAll(target, "&amp;", "&")); r.StatusCode != 200 {
			t.Errorf("the link %s answers %s", target, r.Status)
		}
	}
}

// TestLargeEcho: content that does not fit into memory at once streams through.
func TestLargeEcho(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0")
	content := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for _, chunked := range []bool{false, true} {
		body := io.Reader(strings.NewReader(content))
		if chunked {
			body = struct{ io.Reader }{body} // hides the length
		}
		client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Post("http://"+p.at[0]+"/echo", "text/x", body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || string(got) != content || response.Header.Get("Content-Type") != "text/x" {
			t.Errorf("chunked %v: %d octets, %v", chunked, len(got), err)
		}
		if !chunked && response.ContentLength != int64(len(content)) {
			t.Errorf("Content-Length is %d", response.ContentLength)
		}
	}
}

func TestEnviron(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0")
	environ := func(method, target string, rest ...string) map[string]string {
		t.Helper()
		r := p.ask(method, target, rest...)
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s %s: %s", method, target, r.Status)
		}
		var object map[string]string
		if err := json.Unmarshal([]byte(r.body), &object); err != nil {
			t.Fatal(err)
		}
		return object
	}
	port := p.at[0][strings.LastIndexByte(p.at[0], ':')+1:]
	e := environ("POST", "/environ/a%20b%2Fc%e4//%C3%A4?q=%20&r",
		"Content-Type: text/x\r\nContent-Length: 2\r\nX-Repeated: 1\r\nx-repeated: 2\r\nCookie: a=1\r\nCookie: b=2\r\nX_Evil: 1\r\n",
		"X-Latin: \xe4\r\nX-Empty:\r\nHost-Not: 1\r\n\r\nhi")
	for key, want := range map[string]string{
		"REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/environ/a b/cä//Ã¤", "QUERY_STRING": "q=%20&r",
		"CONTENT_TYPE": "text/x", "CONTENT_LENGTH": "2", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": port,
		"SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
		"REQUEST_URI": "/environ/a%20b%2Fc%e4//%C3%A4?q=%20&r", "RAW_URI": "/environ/a%20b%2Fc%e4//%C3%A4?q=%20&r",
		"HTTP_HOST": "demo", "HTTP_X_REPEATED": "1,2", "HTTP_COOKIE": "a=1; b=2", "HTTP_X_LATIN": "ä", "HTTP_X_EMPTY": "",
		"HTTP_HOST_NOT": "1", "HTTP_CONNECTION": "close",
		"wsgi.url_scheme": "http", "wsgi.version": "(1, 0)",
	} {
		if got, ok := e[key]; !ok || got != want {
			t.Errorf("%s is %q, %v; want %q", key, got, ok, want)
		}
	}
	for _, key := range []string{"REMOTE_PORT", "SERVER_SOFTWARE", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once", "wsgi.input_terminated"} {
		if e[key] == "" {
			t.Errorf("%s is missing", key)
		}
	}
	for _, key := range []string{"HTTP_X_EVIL", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTPS", "HTTP_TRANSFER_ENCODING"} {
		if value, ok := e[key]; ok {
			t.Errorf("%s is there: %q", key, value)
		}
	}
	e = environ("GET", "/environ")
	for _, key := range []string{"CONTENT_LENGTH", "CONTENT_TYPE"} {
		if _, ok := e[key]; ok {
			t.Errorf("%s is there without content", key)
		}
	}
	if query, ok := e["QUERY_STRING"]; !ok || query != "" {
		t.Errorf("QUERY_STRING is %q, %v", query, ok)
	}
	e = environ("PUT", "/environ", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	if _, ok := e["HTTP_TRANSFER_ENCODING"]; ok || e["CONTENT_LENGTH"] != "3" {
		t.Errorf("of chunks: CONTENT_LENGTH is %q, HTTP_TRANSFER_ENCODING there: %v", e["CONTENT_LENGTH"], ok)
	}
}

// TestStream: chunks are sent as they are made: chunked for HTTP/1.1, until the connection ends for 1.0.
func TestStream(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0")
	const chunks, ms = 4, 60
	for version, chunked := range map[string]bool{"1.1": true, "1.0": false} {
		c := p.dial()
		began := time.Now()
		if _, err := io.WriteString(c, "GET /stream?chunks=4&ms=60 HTTP/"+version+"\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(response.TransferEncoding) > 0; got != chunked || response.Close == chunked || response.ContentLength >= 0 {
			t.Errorf("HTTP/%s: transfer coding %q, Connection: close %v", version, response.TransferEncoding, response.Close)
		}
		lines := bufio.NewReader(response.Body)
		var arrived []time.Duration
		for {
			line, err := lines.ReadString('\n')
			if err == io.EOF {
				break
			}
			if err != nil || !strings.HasPrefix(line, "chunk ") {
				t.Fatalf("read %q, %v", line, err)
			}
			arrived = append(arrived, time.Since(began))
		}
		if len(arrived) != chunks {
			t.Fatalf("%d chunks arrived", len(arrived))
		}
		// A slow machine makes them late, never early; and if they came together, the first would be as late as the last.
		for i, at := range arrived {
			if least := time.Duration(i) * ms * time.Millisecond; at < least {
				t.Errorf("chunk %d arrived after %v, before it was made", i+1, at)
			}
		}
		if arrived[0] == arrived[chunks-1] {
			t.Error("the chunks arrived together")
		}
		_ = c.Close()
	}
}
