package examples

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen. It is met long before, on slow machines too.
const patience = 60 * time.Second

var (
	binary     string              // weir, built once
	buildFlags []string            // with which
	large      int64    = 64 << 20 // octets of the largest file that is sent
)

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-examples")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "weir")
	build := exec.Command("go", slices.Concat([]string{"build", "-o", binary}, buildFlags, []string{"../cmd/weir"})...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// site is an example that is served.
type site struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	style   string // file of its style sheet
	log     record
	client  *http.Client // without cookies; follows no redirects
	once    sync.Once
}

// record is a log that is looked into while it is written.
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

var bind = regexp.MustCompile(` (-b|--bind)[ =]\S+`)

// serve carries a command line of the documentation out, in the folder that it is meant for, with a free port and Debian's Python,
// which has the frameworks.
func serve(t *testing.T, c command) *site {
	t.Helper()
	dir := t.TempDir()
	environ := []string{
		"WEB_CONCURRENCY=2", "PYTHONDONTWRITEBYTECODE=1", "DATABASE=" + filepath.Join(dir, "db.sqlite3"), "SESSIONS=" + filepath.Join(dir, "sessions"),
	}
	for _, variable := range os.Environ() {
		switch name, _, _ := strings.Cut(variable, "="); name {
		case "WEB_CONCURRENCY", "PORT", "GUNICORN_CMD_ARGS", "VIRTUAL_ENV", "DATABASE", "SESSIONS", "SECRET_KEY", "DJANGO_SETTINGS_MODULE":
		default:
			environ = append(environ, variable)
		}
	}
	shell := func(line string) *exec.Cmd {
		cmd := exec.Command("sh", "-c", "exec "+line)
		cmd.Dir, cmd.Env = "..", environ
		return cmd
	}
	for _, line := range c.before {
		cmd := shell("/usr/bin/" + line)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	line := bind.ReplaceAllString(strings.TrimPrefix(c.line, "bin/weir "), "")
	s := &site{t: t, cmd: shell(binary + " " + line + " -b 127.0.0.1:0 --python /usr/bin/python3")}
	s.client = &http.Client{Timeout: patience, Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	styles, _ := filepath.Glob(c.example + "/static/style.css")
	more, _ := filepath.Glob(c.example + "/*/static/style.css")
	if styles = append(styles, more...); len(styles) == 1 {
		s.style = styles[0]
	}
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		s.wait()
		if t.Failed() {
			t.Logf("%s of %s has logged:\n%s", c.line, c.file, &s.log)
		}
	})
	timer := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	said, err := bufio.NewReader(out).ReadString('\n')
	timer.Stop()
	at := regexp.MustCompile(` at http://(\S+) with `).FindStringSubmatch(said)
	if at == nil {
		t.Fatalf("it said %q (%v) and not where it serves", said, err)
	}
	s.address = at[1]
	return s
}

func (s *site) wait() {
	s.once.Do(func() {
		timer := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
		defer timer.Stop()
		_ = s.cmd.Wait()
	})
}

// stop sends SIGTERM, and expects the site to end well.
func (s *site) stop() {
	s.t.Helper()
	s.client.CloseIdleConnections()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if s.wait(); !s.cmd.ProcessState.Success() {
		s.t.Errorf("it ended with %v", s.cmd.ProcessState)
	}
}

// reply is a response, read whole.
type reply struct {
	*http.Response
	body string
}

func (s *site) get(target string) reply {
	s.t.Helper()
	return s.do(s.client, s.request("GET", target, nil))
}

func (s *site) request(method, target string, content io.Reader) *http.Request {
	s.t.Helper()
	request, err := http.NewRequest(method, "http://"+s.address+target, content)
	if err != nil {
		s.t.Fatal(err)
	}
	return request
}

func (s *site) do(client *http.Client, request *http.Request) reply {
	s.t.Helper()
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", request.Method, request.URL, err)
	}
	return reply{response, string(body)}
}

// question is a request, and what its answer is to be.
type question struct {
	name          string
	method        string // GET, or POST when there is content, if ""
	target        string
	kind, content string // Content-Type, and what is of it

	status   int
	is       string // the answer's content, white space around it aside
	has      string // a part of it
	json     string // it, as a JSON value
	location string // where the answer redirects to, resolved
}

// answers asks each question; one with content a second time, with the content in chunks.
func (s *site) answers(questions []question) {
	for _, q := range questions {
		s.ask(q, false)
		if q.content != "" {
			q.name += " in chunks"
			s.ask(q, true)
		}
	}
}

func (s *site) ask(q question, chunked bool) {
	s.t.Helper()
	var content io.Reader
	if q.content != "" {
		content = strings.NewReader(q.content)
		q.method = cmp.Or(q.method, "POST")
	}
	request := s.request(cmp.Or(q.method, "GET"), q.target, content)
	if q.kind != "" {
		request.Header.Set("Content-Type", q.kind)
	}
	if chunked {
		request.ContentLength = -1
	}
	r := s.do(s.client, request)
	switch {
	case r.StatusCode != q.status:
	case q.is != "" && strings.TrimSpace(r.body) != q.is:
	case !strings.Contains(r.body, q.has):
	case q.json != "" && !sameJSON(r.body, q.json):
	case q.location != "" && !s.redirects(r, q.location):
	default:
		return
	}
	s.t.Errorf("%s: got %s %v\n%s\nwant %+v", q.name, r.Status, r.Header, r.body, q)
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// redirects tells whether a response leads to a path of the same site: some frameworks make an absolute URL of it.
func (s *site) redirects(r reply, path string) bool {
	to, err := r.Location()
	return err == nil && to.String() == "http://"+s.address+path
}

// logs waits until all texts are in the log.
func (s *site) logs(texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		for deadline := time.Now().Add(patience); !strings.Contains(s.log.String(), text); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				s.t.Fatalf("%q is not in the log", text)
			}
		}
	}
}

// counts: a client that comes again is known by its cookie, whichever worker answers.
func (s *site) counts() {
	s.t.Helper()
	for range 2 {
		jar, err := cookiejar.New(nil)
		if err != nil {
			s.t.Fatal(err)
		}
		client := *s.client
		client.Jar = jar
		for _, want := range []string{"1", "2", "3"} {
			request := s.request("GET", "/count", nil)
			if r := s.do(&client, request); r.StatusCode != http.StatusOK || r.body != want {
				s.t.Errorf("GET /count with %v: %s %q, want %s; %v", request.Header, r.Status, r.body, want, r.Header)
			}
		}
	}
}

// streams: what the application has made is on its way before it makes more. Each line says when it was made. The client of a slow machine
// may come too late to see it; then it tries again.
func (s *site) streams() {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		response, err := s.client.Do(s.request("GET", "/stream", nil))
		if err != nil {
			s.t.Fatal(err)
		}
		lines := bufio.NewScanner(response.Body)
		var first time.Time // when the first line was there
		var last float64    // when the last was made
		n := 0
		for ; lines.Scan(); n++ {
			if n == 0 {
				first = time.Now()
			}
			var i int
			if _, err := fmt.Sscanf(lines.Text(), "%d %g", &i, &last); err != nil || i != n {
				s.t.Fatalf("GET /stream: line %d is %q", n, lines.Text())
			}
		}
		response.Body.Close()
		if lines.Err() != nil || n != 5 {
			s.t.Fatalf("GET /stream ends after %d lines: %v", n, lines.Err())
		}
		if float64(first.UnixNano())/1e9 < last {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal("GET /stream: the first line comes when the last was made")
		}
	}
}

// uploads sends files.
func (s *site) uploads() {
	s.t.Helper()
	for _, c := range []struct {
		size    int64
		chunked bool
	}{{0, false}, {1, true}, {1<<20 + 1, true}, {large, false}} {
		var head bytes.Buffer
		form := multipart.NewWriter(&head)
		if _, err := form.CreateFormFile("file", "noise.bin"); err != nil {
			s.t.Fatal(err)
		}
		tail := strings.NewReader("\r\n--" + form.Boundary() + "--\r\n")
		digest := sha256.New()
		file := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), c.size), digest)
		length := int64(head.Len()) + c.size + tail.Size()
		request := s.request("POST", "/upload", io.MultiReader(&head, file, tail))
		if request.ContentLength = length; c.chunked {
			request.ContentLength = -1
		}
		request.Header.Set("Content-Type", form.FormDataContentType())
		r := s.do(s.client, request)
		want := fmt.Sprintf(`{"name": "noise.bin", "size": %d, "sha256": "%s"}`, c.size, hex.EncodeToString(digest.Sum(nil)))
		if r.StatusCode != http.StatusOK || !sameJSON(r.body, want) {
			s.t.Errorf("POST /upload of %d octets: %s %s, want %s", c.size, r.Status, r.body, want)
		}
	}
}

// heads sends HEAD and GET in one go: the answer to HEAD has no content, but the fields that GET's has. It returns the content of the latter.
func (s *site) heads(target string, status int) string {
	s.t.Helper()
	c, err := net.DialTimeout("tcp", s.address, patience)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "HEAD %s HTTP/1.1\r\nHost: %s\r\n\r\nGET %[1]s HTTP/1.1\r\nHost: %[2]s\r\nConnection: close\r\n\r\n", target, s.address)
	in := bufio.NewReader(c)
	head, err := http.ReadResponse(in, &http.Request{Method: "HEAD"})
	if err != nil {
		s.t.Fatal(err)
	}
	get, err := http.ReadResponse(in, &http.Request{Method: "GET"})
	if err != nil {
		s.t.Fatalf("GET after HEAD: %v", err)
	}
	body, err := io.ReadAll(get.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if head.StatusCode != status || get.StatusCode != http.StatusOK {
		s.t.Errorf("HEAD %s: %s; GET: %s", target, head.Status, get.Status)
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Last-Modified"} {
		if status == http.StatusOK && head.Header.Get(name) != get.Header.Get(name) {
			s.t.Errorf("%s: %s is %q in the answer to HEAD, %q in that to GET", target, name, head.Header.Get(name), get.Header.Get(name))
		}
	}
	return string(body)
}
