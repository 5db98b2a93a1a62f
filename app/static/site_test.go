package static_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/mount"
	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/app/static"
	"github.com/weirhttp/weir/server"
)

// patience is how long a test waits for what must happen. It is met long before, on slow machines too.
const patience = 30 * time.Second

// past is when the files of tests were changed.
var past = time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC)

const pastDate = "Mon, 06 May 2024 07:08:09 GMT"

// large is a file that is not kept in memory, and more than a kernel takes at once.
var large = func() []byte {
	p := make([]byte, 6<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(p)
	return p
}()

// write makes a file, with its directories.
func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
}

// files makes a directory for tests, beside a file that must not be reached.
func files(t testing.TB) (dir string) {
	t.Helper()
	base := t.TempDir()
	dir = filepath.Join(base, "files")
	for name, content := range map[string]string{
		"files/a.txt": "0123456789", "files/empty.css": "", "files/page/index.html": "<p>index", "files/bare/x": "x", "files/.secret": "hidden",
		"files/.git/config": "hidden", "files/.well-known/acme": "token", "files/app.js": strings.Repeat("let x;", 20), "files/app.js.gz": "as gzip", "files/app.js.br": "br",
		"files/sp ace.txt": "space", "files/app.3f2b1c9d.css": "hashed", "outside": "outside", "files2/x": "outside",
	} {
		write(t, filepath.Join(base, name), []byte(content))
	}
	write(t, filepath.Join(dir, "large.bin"), large)
	write(t, filepath.Join(dir, "large.bin.gz"), large[:1<<20])
	for link, target := range map[string]string{
		"link.txt": "a.txt", "pages": "page", "out": "../outside", "up": "..", "absolute": filepath.Join(base, "outside"), "dangling": "nothing",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// record is a log that tests look into.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// served is a server of one application, at a socket.
type served struct {
	t       testing.TB
	address string
	log     *record
}

// serve serves until the test ends, and sees that it ends well then.
func serve(t testing.TB, application app.Application) *served {
	t.Helper()
	s := &served{t: t, log: &record{}}
	// Inline: no loop is taken over, so what would wait for a disk on one would show.
	srv, err := server.New(server.Config{Application: application, Bind: []string{"127.0.0.1:0"}, Loops: 2, Inline: true,
		Logger: slog.New(slog.NewTextHandler(s.log, nil)), GracefulTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	s.address = srv.Addresses()[0]
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan error, 1)
	go func() { end <- srv.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-end; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

func nothingElse(_ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/x-next"}})
	return app.String("next")
}

// site serves a directory below /s.
func site(t testing.TB, dir string, options static.Options) *served {
	t.Helper()
	s, err := static.New(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	application, err := s.Mount("/s", nothingElse)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, application)
}

// reply is a response that was read.
type reply struct {
	*http.Response
	content []byte
}

// ask sends one request on a connection of its own. lines are its fields.
func (s *served) ask(method, target string, lines ...string) *reply {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	return s.askOn(conn, method, target, lines...)
}

func (s *served) askOn(conn net.Conn, method, target string, lines ...string) *reply {
	s.t.Helper()
	request := method + " " + target + " HTTP/1.1\r\nHost: a\r\n"
	for _, l := range lines {
		request += l + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		s.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, target, err, s.log)
	}
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v after %d octets\n%s", method, target, err, len(content), s.log)
	}
	return &reply{response, content}
}

// TestSite: twice, from the disk and from the cache.
func TestSite(t *testing.T) {
	dir := files(t)
	strict := site(t, dir, static.Options{CacheControl: "public, max-age=60", Immutable: regexp.MustCompile(`\.[0-9a-f]{8}\.`)})
	loose := site(t, dir, static.Options{FollowSymlinks: true, Dotfiles: true})
	text, none := "Content-Type: text/plain; charset=utf-8", ""
	for _, c := range []struct {
		s              *served
		method, target string
		ask            string // fields, divided by "|"
		status         int
		fields         string // that there are, divided by "|"; "-Name" is not there
		content        string // "*": not looked at
	}{
		{strict, "GET", "/s/a.txt", none, 200, text + "|Content-Length: 10|Accept-Ranges: bytes|Last-Modified: " + pastDate + "|Cache-Control: public, max-age=60|-Vary|-Content-Encoding", "0123456789"},
		{strict, "HEAD", "/s/a.txt", none, 200, text + "|Content-Length: 10|Last-Modified: " + pastDate, ""},
		{strict, "GET", "/s/empty.css", none, 200, "Content-Length: 0|Content-Type: text/css; charset=utf-8", ""},
		{strict, "HEAD", "/s/empty.css", none, 200, "Content-Length: 0", ""},
		{strict, "GET", "/s/sp%20ace.txt", none, 200, text, "space"},
		{strict, "GET", "/s/a.txt?v=2", none, 200, text, "0123456789"},
		{strict, "GET", "/s/app.3f2b1c9d.css", none, 200, "Cache-Control: public, max-age=31536000, immutable", "hashed"},
		{strict, "GET", "/s/large.bin", none, 200, "Content-Length: 6291456|Vary: Accept-Encoding|-Content-Encoding", string(large)},
		{strict, "HEAD", "/s/large.bin", none, 200, "Content-Length: 6291456", ""},

		// Methods.
		{strict, "POST", "/s/a.txt", "Content-Length: 0", 405, "Allow: GET, HEAD", "*"},
		{strict, "DELETE", "/s/none", none, 405, "Allow: GET, HEAD", "*"},
		{strict, "OPTIONS", "/s/a.txt", none, 405, "Allow: GET, HEAD", "*"},
		{strict, "POST", "/s/a.txt", "Content-Length: 0|Range: bytes=0-1", 405, "-Content-Range", "*"},

		// Directories.
		{strict, "GET", "/s/page/", none, 200, "Content-Type: text/html; charset=utf-8", "<p>index"},
		{strict, "GET", "/s/page", none, 301, "Location: /s/page/", "*"},
		{strict, "GET", "/s/page?a=b&c", none, 301, "Location: /s/page/?a=b&c", "*"},
		{strict, "GET", "/s", none, 301, "Location: /s/", "*"},
		{strict, "GET", "/s/", none, 404, none, "Not Found\n"},
		{strict, "GET", "/s/bare/", none, 404, "-Last-Modified", "*"},
		{strict, "GET", "/s/a.txt/", none, 404, none, "*"},
		{strict, "GET", "/s/a.txt/b", none, 404, none, "*"},
		{strict, "GET", "//s/page", none, 200, "-Location", "next"},

		// What is not below the prefix is the application's.
		{strict, "GET", "/", none, 200, "Content-Type: text/x-next", "next"},
		{strict, "GET", "/sa.txt", none, 200, none, "next"},
		{strict, "POST", "/x", "Content-Length: 0", 200, none, "next"},

		// No way out.
		{strict, "GET", "/s/none", none, 404, none, "*"},
		{strict, "GET", "/s/../outside", none, 404, none, "*"},
		{strict, "GET", "/s/page/../../outside", none, 404, none, "*"},
		{strict, "GET", "/s/page/../a.txt", none, 404, none, "*"},
		{strict, "GET", "/s/%2e%2e/outside", none, 404, none, "*"},
		{strict, "GET", "/s/..%2foutside", none, 404, none, "*"},
		{strict, "GET", "/s/%2e%2e%2foutside", none, 404, none, "*"},
		{strict, "GET", "/s/%252e%252e/outside", none, 404, none, "*"},
		{strict, "GET", "/s/..%5coutside", none, 404, none, "*"},
		{strict, "GET", "/s/..\\outside", none, 404, none, "*"},
		{strict, "GET", "/s//a.txt", none, 404, none, "*"},
		{strict, "GET", "/s/%2f/a.txt", none, 404, none, "*"},
		{strict, "GET", "/s/a.txt%00", none, 404, none, "*"},
		{strict, "GET", "/s/a.txt%00.html", none, 404, none, "*"},
		{strict, "GET", "/s2/x", none, 200, none, "next"},
		{strict, "GET", "/s/" + strings.Repeat("x", 300), none, 404, none, "*"},
		{strict, "GET", "/s" + strings.Repeat("/x", 3000), none, 404, none, "*"},
		{strict, "GET", "/s/fifo", none, 404, none, "*"},
		{strict, "GET", "/s/.secret", none, 404, none, "*"},
		{strict, "GET", "/s/%2esecret", none, 404, none, "*"},
		{strict, "GET", "/s/.git/config", none, 404, none, "*"},
		{strict, "GET", "/s/.git", none, 404, "-Location", "*"},
		{strict, "GET", "/s/.well-known/acme", none, 200, none, "token"},
		{loose, "GET", "/s/.secret", none, 200, none, "hidden"},

		// Links.
		{strict, "GET", "/s/link.txt", none, 404, none, "*"},
		{strict, "GET", "/s/pages/", none, 404, none, "*"},
		{strict, "GET", "/s/pages", none, 404, none, "*"},
		{strict, "GET", "/s/out", none, 404, none, "*"},
		{loose, "GET", "/s/link.txt", none, 200, none, "0123456789"},
		{loose, "GET", "/s/pages/", none, 200, none, "<p>index"},
		{loose, "GET", "/s/pages/index.html", none, 200, none, "<p>index"},
		{loose, "GET", "/s/out", none, 404, none, "*"},
		{loose, "GET", "/s/up/outside", none, 404, none, "*"},
		{loose, "GET", "/s/up", none, 404, "-Location", "*"},
		{loose, "GET", "/s/absolute", none, 404, none, "*"},
		{loose, "GET", "/s/dangling", none, 404, none, "*"},
		{loose, "GET", "/s/fifo", none, 404, none, "*"},

		// Compressed siblings.
		{strict, "GET", "/s/app.js", "Accept-Encoding: gzip", 200, "Content-Encoding: gzip|Vary: Accept-Encoding|Content-Type: text/javascript; charset=utf-8|Content-Length: 7", "as gzip"},
		{strict, "GET", "/s/app.js", "Accept-Encoding: gzip, deflate, br", 200, "Content-Encoding: br|Vary: Accept-Encoding", "br"},
		{strict, "GET", "/s/app.js", "Accept-Encoding: gzip, br;q=0", 200, "Content-Encoding: gzip", "as gzip"},
		{strict, "HEAD", "/s/app.js", "Accept-Encoding: gzip", 200, "Content-Encoding: gzip|Content-Length: 7", ""},
		{strict, "GET", "/s/app.js", none, 200, "-Content-Encoding|Vary: Accept-Encoding|Content-Length: 120", "*"},
		{strict, "GET", "/s/app.js", "Accept-Encoding: gzip|Range: bytes=3-6", 206, "Content-Encoding: gzip|Content-Range: bytes 3-6/7", "gzip"},
		{strict, "GET", "/s/app.js.gz", none, 200, "-Content-Encoding|Content-Type: application/gzip", "as gzip"},
		{strict, "GET", "/s/large.bin", "Accept-Encoding: gzip", 200, "Content-Encoding: gzip|Content-Length: 1048576", string(large[:1<<20])},

		// Ranges.
		{strict, "GET", "/s/a.txt", "Range: bytes=2-4", 206, text + "|Content-Range: bytes 2-4/10|Content-Length: 3|Last-Modified: " + pastDate, "234"},
		{strict, "GET", "/s/a.txt", "Range: bytes=-3", 206, "Content-Range: bytes 7-9/10", "789"},
		{strict, "GET", "/s/a.txt", "Range: bytes=8-100", 206, "Content-Range: bytes 8-9/10", "89"},
		{strict, "GET", "/s/a.txt", "Range: bytes=0-1,1-4", 206, "Content-Range: bytes 0-4/10", "01234"},
		{strict, "GET", "/s/a.txt", "Range: bytes=10-", 416, "Content-Range: bytes */10|-Accept-Ranges", ""},
		{strict, "GET", "/s/empty.css", "Range: bytes=0-", 416, "Content-Range: bytes */0", ""},
		{strict, "HEAD", "/s/a.txt", "Range: bytes=2-4", 200, "-Content-Range|Content-Length: 10", ""},
		{strict, "GET", "/s/a.txt", "Range: lines=1-2", 200, "-Content-Range", "0123456789"},
		{strict, "GET", "/s/a.txt", "Range: bytes=4-2", 200, "-Content-Range", "0123456789"},
		{strict, "GET", "/s/a.txt", "Range: bytes=0-5,0-5", 200, "-Content-Range", "0123456789"},
		{strict, "GET", "/s/a.txt", "Range: bytes=0-1|Range: bytes=3-4", 200, "-Content-Range", "0123456789"},
		{strict, "GET", "/s/large.bin", "Range: bytes=1000000-5999999", 206, "Content-Range: bytes 1000000-5999999/6291456", string(large[1000000:6000000])},
		{strict, "GET", "/s/large.bin", "Range: bytes=-1", 206, "Content-Range: bytes 6291455-6291455/6291456", string(large[6291455:])},

		// Conditions.
		{strict, "GET", "/s/a.txt", "If-Modified-Since: " + pastDate, 304, "Cache-Control: public, max-age=60|-Content-Type|-Last-Modified", ""},
		{strict, "HEAD", "/s/a.txt", "If-Modified-Since: " + pastDate, 304, none, ""},
		{strict, "GET", "/s/a.txt", "If-Modified-Since: Monday, 06-May-24 07:08:09 GMT", 304, none, ""},
		{strict, "GET", "/s/a.txt", "If-Modified-Since: Mon May  6 07:08:09 2024", 304, none, ""},
		{strict, "GET", "/s/a.txt", "If-Modified-Since: Mon, 06 May 2024 07:08:08 GMT", 200, none, "*"},
		{strict, "GET", "/s/a.txt", "If-Modified-Since: soon", 200, none, "*"},
		{strict, "GET", "/s/a.txt", `If-None-Match: "x"|If-Modified-Since: ` + pastDate, 200, none, "*"},
		{strict, "GET", "/s/a.txt", "If-None-Match: *", 304, none, ""},
		{strict, "GET", "/s/a.txt", "If-Unmodified-Since: Mon, 06 May 2024 07:08:08 GMT", 412, none, ""},
		{strict, "GET", "/s/a.txt", `If-Match: "x"`, 412, "-ETag", ""},
		{strict, "GET", "/s/a.txt", "If-Match: *|Range: bytes=0-0", 206, none, "0"},
		{strict, "GET", "/s/a.txt", `If-Range: "x"|Range: bytes=0-0`, 200, none, "0123456789"},
		{strict, "GET", "/s/a.txt", "If-Range: " + pastDate + "|Range: bytes=0-0", 206, none, "0"},
		{strict, "GET", "/s/a.txt", "If-Modified-Since: " + pastDate + "|Range: bytes=0-0", 304, none, ""},
		{strict, "GET", "/s/app.js", "If-Modified-Since: " + pastDate + "|Accept-Encoding: gzip", 304, "Vary: Accept-Encoding", ""},
		{strict, "GET", "/s/none", `If-None-Match: *`, 404, none, "*"},
		{strict, "GET", "/s/none", "If-Match: *", 404, none, "*"},
		{strict, "GET", "/s/page", "If-Match: \"x\"", 301, none, "*"},
		{strict, "POST", "/s/a.txt", "If-None-Match: *|Content-Length: 0", 405, none, "*"},
	} {
		for _, again := range []string{"", ", again"} {
			t.Run(c.method+" "+c.target[:min(len(c.target), 40)]+" "+c.ask+again, func(t *testing.T) {
				r := c.s.ask(c.method, c.target, split(c.ask)...)
				if r.StatusCode != c.status {
					t.Errorf("got %s, want %d", r.Status, c.status)
				}
				if c.content != "*" && string(r.content) != c.content {
					t.Errorf("content is %.40q (%d octets), want %.40q (%d)", r.content, len(r.content), c.content, len(c.content))
				}
				for _, f := range split(c.fields) {
					if name, ok := strings.CutPrefix(f, "-"); ok {
						if v := r.Header.Values(name); v != nil {
							t.Errorf("%s is %q", name, v)
						}
						continue
					}
					name, want, _ := strings.Cut(f, ": ")
					if got := strings.Join(r.Header.Values(name), "|"); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				if strings.Contains(string(r.content), "outside") {
					t.Errorf("content is %q", r.content)
				}
			})
		}
	}
	if log := strict.log.String() + loose.log.String(); log != "" {
		t.Errorf("log:\n%s", log)
	}
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "|")
}

// TestETags: each representation has a strong tag of its own, with which its conditions work.
func TestETags(t *testing.T) {
	dir := files(t)
	s := site(t, dir, static.Options{})
	seen := map[string]string{}
	for _, c := range [][]string{{"/s/a.txt"}, {"/s/app.js"}, {"/s/app.js", "Accept-Encoding: gzip"}, {"/s/app.js", "Accept-Encoding: br"}, {"/s/large.bin"}} {
		etag := s.ask("GET", c[0], c[1:]...).Header.Get("ETag")
		if !regexp.MustCompile(`^"[\x21\x23-\x7e]+"$`).MatchString(etag) {
			t.Errorf("%q: %q", c, etag)
		}
		if seen[etag] != "" {
			t.Errorf("%s is that of %q and of %q", etag, c, seen[etag])
		}
		seen[etag] = strings.Join(c, " ")
		for field, want := range map[string]int{"If-None-Match: ": 304, "If-Match: ": 200, "Range: bytes=0-0|If-Range: ": 206, "If-None-Match: W/": 304, "If-Match: W/": 412, "Range: bytes=0-0|If-Range: W/": 200} {
			r := s.ask("GET", c[0], append(c[1:len(c):len(c)], split(field+etag)...)...)
			if r.StatusCode != want || want != 412 && r.Header.Get("ETag") != etag {
				t.Errorf("%q, %s%s: %s, %s", c, field, etag, r.Status, r.Header.Get("ETag"))
			}
		}
	}
	// Content that changes without its length, and a time within the same second.
	before := s.ask("GET", "/s/a.txt").Header.Get("ETag")
	path := filepath.Join(dir, "a.txt")
	write(t, path, []byte("9876543210"))
	if err := os.Chtimes(path, past, past.Add(time.Microsecond)); err != nil {
		t.Fatal(err)
	}
	s.eventually("the new content", func() bool { return string(s.ask("GET", "/s/a.txt").content) == "9876543210" })
	if s.ask("GET", "/s/a.txt").Header.Get("ETag") == before {
		t.Error("the tag is the same")
	}
}

// TestMultipart: several ranges come as parts that a multipart reader of another hand understands, of the length that was said.
func TestMultipart(t *testing.T) {
	s := site(t, files(t), static.Options{})
	for _, c := range []struct {
		target, ranges string
		content        []byte
		want           [][2]int // from, behind
	}{
		{"/s/a.txt", "0-0,2-3,9-", []byte("0123456789"), [][2]int{{0, 1}, {2, 4}, {9, 10}}},
		{"/s/a.txt", "9-,0-1", []byte("0123456789"), [][2]int{{9, 10}, {0, 2}}},
		{"/s/a.txt", "100-,0-1,5-5", []byte("0123456789"), [][2]int{{0, 2}, {5, 6}}},
		{"/s/large.bin", "0-0,1000000-4999999,-7", large, [][2]int{{0, 1}, {1000000, 5000000}, {len(large) - 7, len(large)}}},
	} {
		for _, again := range []string{"", ", again"} {
			t.Run(c.target+" "+c.ranges+again, func(t *testing.T) {
				r := s.ask("GET", c.target, "Range: bytes="+c.ranges)
				kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
				if err != nil || kind != "multipart/byteranges" || r.StatusCode != 206 || r.Header.Get("Content-Range") != "" || r.ContentLength != int64(len(r.content)) {
					t.Fatalf("%s, %v, %v", r.Status, r.Header, err)
				}
				parts := multipart.NewReader(bytes.NewReader(r.content), params["boundary"])
				for _, want := range c.want {
					p, err := parts.NextPart()
					if err != nil {
						t.Fatal(err)
					}
					content, err := io.ReadAll(p)
					if err != nil || !bytes.Equal(content, c.content[want[0]:want[1]]) {
						t.Errorf("%d octets, %v", len(content), err)
					}
					if got := p.Header.Get("Content-Range"); got != fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, len(c.content)) {
						t.Errorf("Content-Range is %q", got)
					}
					if p.Header.Get("Content-Type") == "" {
						t.Error("no Content-Type")
					}
				}
				if _, err := parts.NextPart(); err != io.EOF {
					t.Errorf("behind the last part: %v", err)
				}
			})
		}
	}
}

func (s *served) eventually(what string, f func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain: %s\n%s", what, s.log)
		}
	}
}

// TestMountedRedirect: the path without the slash at its end is redirected to itself with one, below whatever prefix the Site is mounted.
func TestMountedRedirect(t *testing.T) {
	own, err := static.New(files(t), static.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	mounted, err := mount.New(mount.Point{Prefix: "/some where", Application: own.Application})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{"/some%20where/page?a=b": "/some%20where/page/?a=b", "/some%20where": "/some%20where/"} {
		for name, handler := range map[string]http.Handler{
			"mount":       nethttp.Handler(mounted),
			"StripPrefix": http.StripPrefix("/some where", nethttp.Handler(own.Application)),
		} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
			if got := w.Header().Get("Location"); w.Code != 301 || got != want {
				t.Errorf("%s: %s: %d to %q, want %q", name, target, w.Code, got, want)
			}
		}
	}
}
