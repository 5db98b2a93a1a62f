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
	"reflect"
	"strings"
	"time"
)

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

// large is how many octets the largest file has that is sent.
var large int64 = 64 << 20

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

// revalidates asks again for a file that it has, with what the site has said of its version.
func (s *site) revalidates(target string, status int) {
	s.t.Helper()
	had := s.get(target)
	request := s.request("GET", target, nil)
	for theirs, ours := range map[string]string{"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"} {
		if value := had.Header.Get(theirs); value != "" {
			request.Header.Set(ours, value)
		}
	}
	again := s.do(s.client, request)
	if again.StatusCode != status || status == http.StatusNotModified && again.body != "" {
		s.t.Errorf("GET %s with %v: %s %q", target, request.Header, again.Status, again.body)
	}
	if r := s.get(target); r.StatusCode != http.StatusOK || r.body != had.body { // on the same connection
		s.t.Errorf("GET %s after that: %s %q", target, r.Status, r.body)
	}
}
