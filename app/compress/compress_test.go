package compress_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/compress"
	"github.com/weirhttp/weir/app/nethttp"
)

// decoder reads what src has in a coding.
func decoder(t *testing.T, coding string, src io.Reader) io.Reader {
	t.Helper()
	switch coding {
	case "":
		return src
	case "gzip":
		r, err := gzip.NewReader(src)
		if err != nil {
			t.Fatal(err)
		}
		return r
	case "zstd":
		r, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return r
	case "br":
		return brotli.NewReader(src)
	}
	t.Fatalf("coding %q", coding)
	return nil
}

func compressed(t *testing.T, application app.Application, options compress.Options) app.Application {
	t.Helper()
	application, err := compress.New(application, options)
	if err != nil {
		t.Fatal(err)
	}
	return application
}

// ask makes a request that accepts a coding. The content of the response is closed at the end of the test.
func ask(t *testing.T, server *apptest.Server, coding string) *http.Response {
	t.Helper()
	r, err := http.NewRequest("GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", coding)
	res, err := server.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func field(name, value string) app.Header { return app.Header{Name: name, Value: value} }

var text = strings.Repeat("All work and no play makes a dull text. ", 100)

// TestResponses: which responses are compressed, and what becomes of their fields.
func TestResponses(t *testing.T) {
	html := field("Content-Type", "text/html; charset=utf-8")
	length := field("Content-Length", fmt.Sprint(len(text)))
	const vary = "Accept-Encoding"
	for name, c := range map[string]struct {
		method, accept, matches, status string
		headers                         []app.Header
		content                         string
		coding, vary, etag              string
		length                          string // "" for any
	}{
		"html":               {headers: []app.Header{html}, coding: "gzip", vary: vary},
		"declared":           {headers: []app.Header{html, length}, coding: "gzip", vary: vary},
		"no type":            {headers: nil, content: "\x00"},
		"not asked":          {accept: "-", headers: []app.Header{html}, vary: vary},
		"not wanted":         {accept: "gzip;q=0", headers: []app.Header{html}, vary: vary},
		"vary":               {headers: []app.Header{html, field("Vary", "Cookie")}, coding: "gzip", vary: "Cookie, Accept-Encoding"},
		"vary has it":        {headers: []app.Header{html, field("vary", "accept-encoding")}, coding: "gzip", vary: "accept-encoding"},
		"vary wildcard":      {headers: []app.Header{html, field("Vary", "*")}, coding: "gzip", vary: "*"},
		"strong tag":         {headers: []app.Header{html, field("ETag", `"a"`)}, coding: "gzip", vary: vary, etag: `W/"a"`},
		"weak tag":           {headers: []app.Header{html, field("ETag", `W/"a"`)}, coding: "gzip", vary: vary, etag: `W/"a"`},
		"tag of what is not": {accept: "br;q=0", headers: []app.Header{html, field("ETag", `"a"`)}, vary: vary, etag: `"a"`},
		"coded":              {headers: []app.Header{html, field("Content-Encoding", "deflate"), field("ETag", `"a"`)}, coding: "deflate", etag: `"a"`},
		"no-transform":       {headers: []app.Header{html, field("Cache-Control", "private, No-Transform")}},
		"digest":             {headers: []app.Header{html, field("Content-Digest", "sha-256=:x:")}},
		"part":               {status: "206 Partial Content", headers: []app.Header{html, field("Content-Range", "bytes 0-3999/5000")}},
		"image":              {headers: []app.Header{field("Content-Type", "image/png")}},
		"svg":                {headers: []app.Header{field("Content-Type", "image/svg+xml")}, coding: "gzip", vary: vary},
		"json":               {headers: []app.Header{field("Content-Type", "application/problem+json")}, coding: "gzip", vary: vary},
		"excepted":           {headers: []app.Header{field("Content-Type", "text/csv")}},
		"spreadsheet":        {headers: []app.Header{field("Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")}},
		"short":              {headers: []app.Header{html}, content: "short", length: "5"},
		"short but must":     {accept: "gzip, identity;q=0", headers: []app.Header{html}, content: "short", coding: "gzip", vary: vary},
		"error page":         {status: "500 Internal Server Error", headers: []app.Header{html}, coding: "gzip", vary: vary},
		"head":               {method: "HEAD", headers: []app.Header{html, length, field("ETag", `"a"`)}, coding: "gzip", vary: vary, etag: `W/"a"`, length: "-"},
		"head of any length": {method: "HEAD", headers: []app.Header{html, field("ETag", `"a"`)}, vary: vary, etag: `"a"`},
		"not modified":       {status: "304 Not Modified", matches: `"b", W/"a"`, headers: []app.Header{field("ETag", `"a"`)}, content: "-", vary: vary, etag: `W/"a"`},
		"not modified, whole": {status: "304 Not Modified", matches: `"a", W/"b"`, headers: []app.Header{field("ETag", `"a"`)}, content: "-",
			etag: `"a"`},
		"no content": {status: "204 No Content", content: "-"},
		"ranges":     {headers: []app.Header{html, field("Accept-Ranges", "bytes")}, coding: "gzip", vary: vary},
	} {
		t.Run(name, func(t *testing.T) {
			content := c.content
			switch content {
			case "":
				content = text
			case "-", "\x00":
				content = ""
			}
			method, status, accept := c.method, c.status, c.accept
			if method == "" {
				method = "GET"
			}
			if status == "" {
				status = "200 OK"
			}
			if accept == "" {
				accept = "gzip"
			}
			direct := func(_ *app.Environ, start app.StartResponse) app.Body {
				start(status, c.headers)
				return app.String(content)
			}
			deferred := func(environ *app.Environ, _ app.StartResponse) app.Body {
				_ = environ.Defer().Answer(&app.Response{Status: status, Headers: c.headers, Content: []byte(content)})
				return nil
			}
			for way, application := range map[string]app.Application{"direct": direct, "deferred": deferred} {
				client := apptest.New(t, compressed(t, app.Validator(application), compress.Options{Codings: []string{"gzip"}, Skip: []string{"text/csv"}}))
				r, _ := http.NewRequest(method, "/", nil)
				if accept != "-" {
					r.Header.Set("Accept-Encoding", accept)
				}
				if c.matches != "" {
					r.Header.Set("If-None-Match", c.matches)
				}
				res := client.Do(r)
				if got := strings.Join(res.Header.Values("Vary"), "|"); got != c.vary {
					t.Errorf("%s: Vary: %q, want %q", way, got, c.vary)
				}
				if got := res.Header.Get("ETag"); got != c.etag {
					t.Errorf("%s: ETag: %q, want %q", way, got, c.etag)
				}
				coding := res.Header.Get("Content-Encoding")
				if coding != c.coding {
					t.Errorf("%s: Content-Encoding: %q, want %q", way, coding, c.coding)
				}
				if coding == "gzip" && res.Header.Get("Accept-Ranges") != "" {
					t.Errorf("%s: has Accept-Ranges", way)
				}
				declared := res.Header.Get("Content-Length")
				if c.length == "-" && declared != "" || c.length != "" && c.length != "-" && declared != c.length {
					t.Errorf("%s: Content-Length: %q", way, declared)
				}
				if method == "HEAD" {
					continue
				}
				if declared != "" && declared != fmt.Sprint(len(res.Body)) {
					t.Errorf("%s: Content-Length: %s, but %d octets", way, declared, len(res.Body))
				}
				if coding != "gzip" {
					coding = ""
				}
				got, err := io.ReadAll(decoder(t, coding, bytes.NewReader(res.Body)))
				if err != nil || string(got) != content {
					t.Errorf("%s: %d octets (%v), want %d", way, len(got), err, len(content))
				}
			}
		})
	}
}

// applications answer with headers and content in their ways.
func applications(t *testing.T, headers []app.Header, content []byte) map[string]app.Application {
	name, half := written(t, content), len(content)/2
	return map[string]app.Application{
		"bytes": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", headers)
			return app.Bytes(content)
		},
		"reader": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", headers)
			return app.Reader(bytes.NewReader(content))
		},
		"file": func(_ *app.Environ, start app.StartResponse) app.Body {
			file, err := os.Open(name)
			if err != nil {
				panic(err)
			}
			start("200 OK", headers)
			return app.FileWrapper(file, 0)
		},
		"write": func(_ *app.Environ, start app.StartResponse) app.Body {
			write := start("200 OK", headers)
			_, _ = write(content[:half])
			return app.Bytes(content[half:])
		},
		"answer": func(environ *app.Environ, _ app.StartResponse) app.Body {
			_ = environ.Defer().Answer(&app.Response{Status: "200 OK", Headers: headers, Content: content})
			return nil
		},
		"deferred": func(environ *app.Environ, _ app.StartResponse) app.Body {
			d := environ.Defer()
			_ = d.Start("200 OK", headers)
			_, _ = d.Write(content[:half])
			_, _ = d.Write(content[half:])
			_ = d.Close()
			return nil
		},
		"deferred file": func(environ *app.Environ, _ app.StartResponse) app.Body {
			file, err := os.Open(name)
			if err != nil {
				panic(err)
			}
			d := environ.Defer()
			_ = d.Start("200 OK", headers)
			_ = d.SendFile(file, 0, int64(len(content)))
			_ = d.Close()
			return nil
		},
	}
}

// handler is one of net/http that answers with content.
func handler(t *testing.T, content []byte) app.Application {
	name := written(t, content)
	return nethttp.Application(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, name)
	}))
}

// written is the name of a file with content.
func written(t *testing.T, content []byte) string {
	name := filepath.Join(t.TempDir(), "content.txt")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestCodings: what a client decodes is what the application has answered, whatever the coding, the level and the way.
func TestCodings(t *testing.T) {
	for size, content := range map[string][]byte{"short": []byte(text), "long": bytes.Repeat([]byte(text), 200)} {
		ways := applications(t, []app.Header{field("Content-Type", "text/plain")}, content)
		ways["handler"] = handler(t, content)
		for way, application := range ways {
			for coding, options := range map[string]compress.Options{
				"gzip": {GzipLevel: 1}, "zstd": {ZstdLevel: 2}, "br": {BrotliLevel: -1}, "": {},
			} {
				t.Run(size+"/"+way+"/"+coding, func(t *testing.T) {
					server := apptest.NewServer(t, compressed(t, app.Validator(application), options))
					res := ask(t, server, coding)
					if got := res.Header.Get("Content-Encoding"); got != coding {
						t.Fatalf("Content-Encoding: %q", got)
					}
					raw, err := io.ReadAll(res.Body)
					if err != nil || coding != "" && len(raw) > len(content)/3 {
						t.Errorf("%d octets of %d (%v)", len(raw), len(content), err)
					}
					got, err := io.ReadAll(decoder(t, coding, bytes.NewReader(raw)))
					if err != nil || !bytes.Equal(got, content) {
						t.Errorf("%d octets (%v), want %d", len(got), err, len(content))
					}
				})
			}
		}
	}
}

// TestStreams: a chunk is with the client before the application makes the next one; there are no more streams than the options allow;
// others are not compressed.
func TestStreams(t *testing.T) {
	for _, coding := range []string{"gzip", "zstd", "br"} {
		for _, way := range []string{"body", "write", "deferred"} {
			t.Run(coding+"/"+way, func(t *testing.T) {
				more := make(chan string)
				events := []app.Header{field("Content-Type", "text/event-stream")}
				server := apptest.NewServer(t, compressed(t, func(environ *app.Environ, start app.StartResponse) app.Body {
					if environ.Get("PATH_INFO") == "/second" {
						start("200 OK", events)
						return app.Seq(func(yield func([]byte) bool) { yield([]byte("data: second\n")) })
					}
					switch way {
					case "body":
						start("200 OK", events)
						return app.Seq(func(yield func([]byte) bool) {
							for event := range more {
								if !yield([]byte(event)) {
									return
								}
							}
						})
					case "write":
						write := start("200 OK", events)
						for event := range more {
							_, _ = write([]byte(event))
						}
						return nil
					}
					d := environ.Defer()
					go func() {
						_ = d.Start("200 OK", events)
						for event := range more {
							_, _ = d.Write([]byte(event))
						}
						_ = d.Close()
					}()
					return nil
				}, compress.Options{MaxStreams: 1}))
				r, _ := http.NewRequest("GET", server.URL, nil)
				r.Header.Set("Accept-Encoding", coding)
				answered := make(chan bool)
				go func() {
					select {
					case more <- "data: 0\n":
					case <-answered:
					}
				}()
				res, err := server.Client.Do(r)
				close(answered)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if got := res.Header.Get("Content-Encoding"); got != coding {
					t.Fatalf("Content-Encoding: %q", got)
				}
				lines := bufio.NewReader(decoder(t, coding, res.Body))
				for i := range 5 {
					if i > 0 {
						more <- fmt.Sprintf("data: %d\n", i)
					}
					if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
						t.Fatalf("event %d: %q (%v)", i, line, err)
					}
				}
				r.URL.Path = "/second"
				second, err := server.Client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				if got := second.Header.Get("Content-Encoding"); got != "" {
					t.Errorf("the second stream has the coding %q", got)
				}
				if all, err := io.ReadAll(second.Body); err != nil || string(all) != "data: second\n" {
					t.Errorf("the second stream is %q (%v)", all, err)
				}
				_ = second.Body.Close()
				close(more)
				if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
					t.Errorf("at the end %q (%v)", rest, err)
				}
			})
		}
	}
}

func TestOptions(t *testing.T) {
	for want, options := range map[string]compress.Options{
		"Options.Codings must be of":       {Codings: []string{"deflate"}},
		"Options.Codings names gzip twice": {Codings: []string{"gzip", "gzip"}},
		"Options.GzipLevel":                {GzipLevel: 10},
		"Options.ZstdLevel":                {ZstdLevel: 5},
		"Options.BrotliLevel":              {BrotliLevel: 12},
		"Options.MaxStreams":               {MaxStreams: -1},
		"Options.Skip":                     {Skip: []string{"text"}},
	} {
		if _, err := compress.New(nil, options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := compress.Request(nil, compress.Limits{MaxSize: -1}); err == nil {
		t.Error("a negative size is taken")
	}
}
