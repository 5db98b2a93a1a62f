package nethttp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/nethttp"
)

// mux has handlers that do what handlers do.
func mux() http.Handler {
	big := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	m := http.NewServeMux()
	handle := func(pattern string, f http.HandlerFunc) { m.HandleFunc(pattern, f) }
	handle("/hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Hello, World!") })
	handle("/nothing", func(http.ResponseWriter, *http.Request) {})
	handle("/big", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) })
	handle("/pieces", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3000 {
			_, _ = fmt.Fprintf(w, "line %d\n", i)
		}
	})
	handle("/strings", func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			_, _ = io.WriteString(w, strings.Repeat("s", 999))
		}
	})
	handle("/copy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = io.Copy(w, bytes.NewReader(big))
	})
	handle("/declared", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "12345")
	})
	handle("/too-long", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "12345")
		_, err := io.WriteString(w, "6")
		if !errors.Is(err, http.ErrContentLength) {
			panic(err)
		}
	})
	handle("/flushed", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "one")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "two")
		if err := http.NewResponseController(w).Flush(); err != nil {
			panic(err)
		}
	})
	handle("/head-flushed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Late", "1")
	})
	handle("/headers", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["X-Repeated"] = []string{"1", "2"}
		h.Set("X-Padded", "  a\tb  ")
		h.Set("X-Lines", "a\r\nSet-Cookie: b")
		h["X Bad"] = []string{"dropped"}
		h.Add("Set-Cookie", "a=1")
		h.Add("Set-Cookie", "b=2")
		w.WriteHeader(http.StatusTeapot)
		h.Set("X-Late", "1")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "<!DOCTYPE html>")
	})
	handle("/close", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "x, Close")
		_, _ = io.WriteString(w, "bye")
	})
	handle("/untyped", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "text/x")
		_, _ = io.WriteString(w, "\x1f\x8b")
	})
	handle("/unknown-status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(299) })
	for _, code := range []int{204, 304} {
		handle(fmt.Sprint("/", code), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"x"`)
			w.Header().Set("Content-Length", "3")
			w.WriteHeader(code)
			if _, err := io.WriteString(w, "abc"); !errors.Is(err, http.ErrBodyNotAllowed) {
				panic(err)
			}
		})
	}
	handle("/echo", func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%d %v %s %q %v", r.ContentLength, r.TransferEncoding, r.Header.Get("Content-Type"), content, err)
	})
	handle("/form", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%q %v", r.FormValue("a"), r.PostForm)
	})
	handle("/request/", func(w http.ResponseWriter, r *http.Request) {
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			_, _ = fmt.Fprintf(w, "%s: %q\n", name, r.Header[name])
		}
		u := *r.URL
		_, _ = fmt.Fprintf(w, "%s %s %s %d.%d\nhost %s\nurl %#v\n%v %v", r.Method, r.RequestURI, r.Proto, r.ProtoMajor, r.ProtoMinor,
			r.Host, u, r.TLS == nil, r.Context().Err())
	})
	handle("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/hello", http.StatusFound) })
	m.Handle("GET /files/", http.StripPrefix("/files/", http.FileServerFS(files(string(big)))))
	return m
}

func files(big string) fs.FS {
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	return fstest.MapFS{
		"big.bin":     {Data: []byte(big), ModTime: at},
		"a b.txt":     {Data: []byte("text"), ModTime: at},
		"d/index.css": {Data: []byte("css"), ModTime: at},
	}
}

// TestRoundTrip asks the same of a handler that net/http runs and of one that is an Application under net/http
// under the validator: the answers must not differ.
func TestRoundTrip(t *testing.T) {
	direct := apptest.Listen()
	server := &http.Server{Handler: mux(), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(direct) }()
	defer server.Close()
	transport := &http.Transport{DialContext: direct.DialContext, DisableCompression: true}
	defer transport.CloseIdleConnections()
	adapted := apptest.NewServer(t, nethttp.Application(mux()))
	adapted.Client.Transport.(*http.Transport).DisableCompression = true

	type fields = map[string]string
	for _, test := range []struct {
		method, target string
		header         fields
		body           io.Reader
	}{
		{method: "GET", target: "/hello"},
		{method: "HEAD", target: "/hello"},
		{method: "DELETE", target: "/hello"},
		{method: "GET", target: "/nothing"},
		{method: "HEAD", target: "/nothing"},
		{method: "GET", target: "/big"},
		{method: "HEAD", target: "/big"},
		{method: "GET", target: "/pieces"},
		{method: "GET", target: "/strings"},
		{method: "GET", target: "/copy"},
		{method: "GET", target: "/declared"},
		{method: "HEAD", target: "/declared"},
		{method: "GET", target: "/too-long"},
		{method: "GET", target: "/flushed"},
		{method: "HEAD", target: "/flushed"},
		{method: "GET", target: "/head-flushed"},
		{method: "GET", target: "/headers"},
		{method: "GET", target: "/close"},
		{method: "GET", target: "/untyped"},
		{method: "GET", target: "/unknown-status"},
		{method: "GET", target: "/204"},
		{method: "GET", target: "/304"},
		{method: "HEAD", target: "/304"},
		{method: "POST", target: "/echo", body: strings.NewReader("content"), header: fields{"Content-Type": "a/b"}},
		{method: "POST", target: "/echo", body: io.MultiReader(strings.NewReader("of unknown "), strings.NewReader("length"))},
		{method: "POST", target: "/echo", body: bytes.NewReader(make([]byte, 300_000))},
		{method: "POST", target: "/echo"},
		{method: "GET", target: "/echo"},
		{method: "POST", target: "/nothing", body: strings.NewReader("not read")},
		{method: "POST", target: "/form?a=query", body: strings.NewReader("a=body&b=%20"), header: fields{"Content-Type": "application/x-www-form-urlencoded"}},
		{method: "GET", target: "/request/plain?a=b&c=%20", header: fields{"X-A": "1", "Cookie": "a=1; b=2"}},
		{method: "GET", target: "/request/a%2Fb%20c/é?"},
		{method: "GET", target: "/request/a!b'(c)*;d=e,f:g@h&i=j+k$l"},
		{method: "GET", target: "/request/%21%27%28%29"},
		{method: "GET", target: "/redirect"},
		{method: "POST", target: "/redirect"},
		{method: "GET", target: "/request//twice"},
		{method: "GET", target: "/missing"},
		{method: "GET", target: "/files/"},
		{method: "GET", target: "/files/big.bin"},
		{method: "HEAD", target: "/files/big.bin"},
		{method: "GET", target: "/files/big.bin", header: fields{"Range": "bytes=10-19"}},
		{method: "GET", target: "/files/big.bin", header: fields{"Range": "bytes=1-2,5-6", "If-Range": "x"}},
		{method: "GET", target: "/files/big.bin", header: fields{"If-Modified-Since": "Wed, 01 Jan 2025 00:00:00 GMT"}},
		{method: "GET", target: "/files/a%20b.txt"},
		{method: "GET", target: "/files/d"},
		{method: "POST", target: "/files/d"},
	} {
		t.Run(test.method+" "+test.target, func(t *testing.T) {
			var content []byte
			if test.body != nil {
				content, _ = io.ReadAll(test.body)
			}
			ask := func(transport http.RoundTripper) string {
				var body io.Reader
				switch test.body.(type) {
				case nil:
				case *strings.Reader, *bytes.Reader:
					body = bytes.NewReader(content)
				default:
					body = io.MultiReader(bytes.NewReader(content))
				}
				r, err := http.NewRequest(test.method, "http://example.com"+test.target, body)
				if err != nil {
					t.Fatal(err)
				}
				for name, value := range test.header {
					r.Header.Set(name, value)
				}
				return exchange(transport, r)
			}
			want, got := ask(transport), ask(adapted.Client.Transport)
			if got != want {
				t.Errorf("got\n%.1500s\nwant\n%.1500s", got, want)
			}
		})
	}
}

// exchange sends r and writes down all of the answer that a client can see.
func exchange(transport http.RoundTripper, r *http.Request) string {
	res, err := transport.RoundTrip(r)
	if err != nil {
		return "failed: " + err.Error()
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	var out strings.Builder
	_, _ = fmt.Fprintf(&out, "%s, length %d, coding %v\n", res.Status, res.ContentLength, res.TransferEncoding)
	if res.Header.Get("Date") == "" {
		out.WriteString("no Date\n")
	}
	res.Header.Del("Date")
	_, _ = fmt.Fprintf(&out, "close %v\n", res.Close)
	_ = res.Header.Write(&out)
	_, _ = fmt.Fprintf(&out, "%d octets, %v: %q", len(content), err, content)
	return out.String()
}
