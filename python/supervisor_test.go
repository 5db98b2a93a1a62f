package python_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/python"
)

func TestHello(t *testing.T) {
	h := host(t, python.Options{Workers: 2})
	h.want(h.get("/"), 200, "Hello, World!")
	h.want(h.get("/missing"), 404, "no such page\n")
	if r := h.do("HEAD", "/", nil, nil); r.code != 200 || r.body != "" {
		t.Errorf("HEAD: %+v", r)
	}
	if r := h.get("/"); r.header.Get("Content-Type") != "text/plain" || r.header.Get("Content-Length") != "13" {
		t.Errorf("%v", r.header)
	}
}

// TestEnviron: octets become characters, fields keys; what a client did not send is not there.
func TestEnviron(t *testing.T) {
	h := host(t, python.Options{Environ: map[string]string{"DEPLOYER": "me"}, Env: []string{"FROM_ENV=e"}})
	r := h.do("POST", "/environ?q=%C3%A9&r", strings.NewReader("four"), http.Header{
		"Content-Type": {"a/b"}, "X-Repeated": {"1", "2"}, "Cookie": {"a=1", "b=2"}, "X-Latin": {"caf\xe9"}, "X_Under": {"no"},
		"X-" + strings.Repeat("Long-", 60): {strings.Repeat("v", 300)},
	})
	for _, want := range []string{
		"REQUEST_METHOD=POST", "PATH_INFO=/environ", "SCRIPT_NAME=", "QUERY_STRING=q=%C3%A9&r", "CONTENT_TYPE=a/b", "CONTENT_LENGTH=4",
		"SERVER_PROTOCOL=HTTP/1.1", "SERVER_NAME=127.0.0.1", "REMOTE_ADDR=127.0.0.1", "HTTP_X_REPEATED=1,2", "HTTP_COOKIE=a=1; b=2",
		"HTTP_X_LATIN=caf\xe9", "GATEWAY_INTERFACE=CGI/1.1", "DEPLOYER=me", "wsgi.url_scheme=http", "wsgi.version=(1, 0)",
		"REQUEST_URI=/environ?q=%C3%A9&r", "HTTP_X_" + strings.Repeat("LONG_", 60) + "=" + strings.Repeat("v", 300),
	} {
		if !strings.Contains("\n"+r.body, "\n"+want+"\n") {
			t.Errorf("%q is missing", want)
		}
	}
	for _, refused := range []string{"HTTP_X_UNDER", "HTTP_CONTENT", "no\n"} {
		if strings.Contains(r.body, refused) {
			t.Errorf("there is %q", refused)
		}
	}
	if t.Failed() {
		t.Log(r.body)
	}
	r = h.get("/environ")
	for i := range 20 { // its keys become known to the worker meanwhile
		if again := h.get("/environ"); withoutAddresses(again.body) != withoutAddresses(r.body) {
			t.Fatalf("at the %dth time the environ is\n%s, want\n%s", i+2, again.body, r.body)
		}
	}
	for _, absent := range []string{"CONTENT_TYPE", "CONTENT_LENGTH", "HTTPS"} {
		if strings.Contains(r.body, absent) {
			t.Errorf("%s is there: %s", absent, r.body)
		}
	}
	h.want(h.get("/getenv?FROM_ENV"), 200, "e "+apps(t))
	if r := h.get("/en%76iron%2F%E9"); r.code != 404 {
		t.Errorf("%+v", r)
	}
}

// withoutAddresses is text without what changes from request to request in a repr.
func withoutAddresses(text string) string {
	return regexp.MustCompile(` at 0x[0-9a-f]+|REMOTE_PORT=\d+`).ReplaceAllString(text, "")
}

// TestContent: content of any length arrives whole, whether its length was told or not.
func TestContent(t *testing.T) {
	for name, options := range map[string]python.Options{
		"spooled": {}, "in memory": {BodyBuffer: 16 << 20}, "streamed": {StreamBodies: true}, "threads": {Class: python.Threads, Threads: 3},
	} {
		t.Run(name, func(t *testing.T) {
			h := host(t, options)
			for _, n := range []int{0, 1, 1000, 65536, 65537, 200_000, 5_000_000} {
				data := make([]byte, n)
				_, _ = rand.Read(data)
				want := fmt.Sprintf("%d %x %d None", n, sha256.Sum256(data), n)
				if n > 0 {
					h.want(h.do("POST", "/echo", bytes.NewReader(data), nil), 200, want)
				}
				if r := h.do("POST", "/echo", struct{ io.Reader }{bytes.NewReader(data)}, nil); n > 0 {
					h.want(r, 200, want)
				} else if r.code != 200 || !strings.HasPrefix(r.body, "0 ") {
					t.Errorf("%+v", r)
				}
			}
			h.want(h.do("POST", "/", bytes.NewReader(make([]byte, 1<<20)), nil), 200, "Hello, World!") // nobody reads it
		})
	}
}

func TestStreams(t *testing.T) {
	h := host(t, python.Options{})
	if r := h.get("/stream?64"); r.code != 200 || len(r.body) != 64*65536 || r.err != nil {
		t.Errorf("%d, %d octets, %v", r.code, len(r.body), r.err)
	}
	path := filepath.Join(t.TempDir(), "file")
	data := make([]byte, 3<<20)
	_, _ = rand.Read(data)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int{0, 1 << 20} {
		r := h.get(fmt.Sprintf("/file?%s,%d", path, offset))
		if r.code != 200 || r.body != string(data[offset:]) || r.header.Get("Content-Length") != fmt.Sprint(len(data)-offset) {
			t.Errorf("from %d: %d, %d octets, %v", offset, r.code, len(r.body), r.header)
		}
	}
}

// TestFailures: an application's errors are the client's 500 and the operator's traceback.
func TestFailures(t *testing.T) {
	h := host(t, python.Options{})
	for _, path := range []string{"/raise", "/badheader"} {
		h.want(h.get(path), 500, "Internal Server Error\n")
	}
	h.eventually("the traceback is logged", func() bool { return strings.Contains(h.log.String(), "raised on purpose") })
	h.want(h.get("/print?this"), 200, "ok")
	for _, line := range []string{"printed this", "complained this", "reported this"} {
		h.eventually(line, func() bool { return strings.Contains(h.log.String(), line) })
	}
}

// TestTracebackOfWeir: lines of the worker in a traceback have a name that says whose they are, and their text.
func TestTracebackOfWeir(t *testing.T) {
	h := host(t, python.Options{})
	r := h.get("/badwrite")
	for _, want := range []string{`File "<weir worker>", line `, "in write\n    raise TypeError(\"write() takes bytes", "TypeError: write() takes bytes, not NoneType"} {
		if !strings.Contains(r.body, want) {
			t.Errorf("there is no %q in\n%s", want, r.body)
		}
	}
}

// TestHub: an application publishes to the hub.
func TestHub(t *testing.T) {
	topics := hub.New(hub.Options{})
	defer topics.Close()
	h := host(t, python.Options{Hub: topics, Workers: 2})
	for range 2 {
		if r := h.get("/publish?message"); r.code != 200 || !strings.HasSuffix(r.body, " 0") { // its id, and whom it has reached
			t.Errorf("%+v", r)
		}
	}
	if n := topics.Stats().Published; n != 2 {
		t.Errorf("%d were published", n)
	}
}

// TestStubWorker: a worker that can less than worker.py does serve; one that sends nonsense is killed.
func TestStubWorker(t *testing.T) {
	source, err := os.ReadFile("testdata/stub/worker.py")
	if err != nil {
		t.Fatal(err)
	}
	options := python.Options{}
	options.SetScript(source)
	h := host(t, options)
	for range 10 {
		h.want(h.get("/"), 200, "Hello, World!")
	}
	h.want(h.get("/unknown"), 404, "no such page\n") // what it sends besides is passed over
	h.want(h.get("/garbage"), 502, "Bad Gateway\n")
	h.want(h.get("/"), 200, "Hello, World!")
}
