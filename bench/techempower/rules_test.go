// Package techempower judges what stands in src by the published rules of TechEmpower's framework benchmarks.
package techempower

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/child"
)

// pipelined is how many requests that project sends in one piece.
const pipelined = 16

// apart is the time after which a second response must have another Date.
const apart = 3 * time.Second

var contentTypes = map[string]*regexp.Regexp{
	"plaintext": regexp.MustCompile(`^text/plain(; ?charset=(UTF|utf)-8)?$`),
	"json":      regexp.MustCompile(`^application/json(; ?charset=(UTF|utf)-8)?$`),
}

// judge tells what is against the rules in a response to a test.
func judge(test string, r *http.Response, content []byte) (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if r.StatusCode != http.StatusOK {
		say("status %d", r.StatusCode)
	}
	for _, name := range []string{"Server", "Date", "Content-Type"} {
		if r.Header.Get(name) == "" {
			say("no %s", name)
		}
	}
	if r.ContentLength < 0 && len(r.TransferEncoding) == 0 {
		say("neither Content-Length nor Transfer-Encoding")
	}
	if _, err := time.Parse(http.TimeFormat, r.Header.Get("Date")); err != nil {
		say("Date: %v", err)
	}
	if got := r.Header.Get("Content-Type"); !contentTypes[test].MatchString(got) {
		say("Content-Type %q", got)
	}
	switch test {
	case "plaintext":
		if string(content) != "Hello, World!" { // more than that is a warning there
			say("content %q", content)
		}
	case "json":
		var object map[string]string
		if err := json.Unmarshal(content, &object); err != nil || len(object) != 1 || object["message"] != "Hello, World!" {
			say("content %q", content)
		}
	}
	return problems
}

// configuration is benchmark_config.json, as far as these tests have it.
type configuration struct {
	Framework string `json:"framework"`
	Tests     []map[string]struct {
		JSON      string `json:"json_url"`
		Plaintext string `json:"plaintext_url"`
		Port      int    `json:"port"`
		Approach  string `json:"approach"`
		Language  string `json:"language"`
		Display   string `json:"display_name"`
	} `json:"tests"`
}

// routes are the targets of the tests in the configuration, which is checked on the way.
func routes(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("benchmark_config.json")
	if err != nil {
		t.Fatal(err)
	}
	var c configuration
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	dockerfile, err := os.ReadFile(c.Framework + ".dockerfile") // that of the test "default"
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Tests) != 1 || len(c.Tests[0]) != 1 {
		t.Fatalf("%d tests", len(c.Tests))
	}
	test, ok := c.Tests[0]["default"]
	if !ok || test.Approach != "Realistic" || test.Language != "Go" || test.Display == "" {
		t.Errorf("got %+v", test)
	}
	if !bytes.Contains(dockerfile, fmt.Appendf(nil, "\nEXPOSE %d\n", test.Port)) {
		t.Errorf("the image does not expose port %d", test.Port)
	}
	if len(test.Plaintext) < 10 {
		t.Errorf("the target %q is shorter than ten characters", test.Plaintext)
	}
	return map[string]string{"plaintext": test.Plaintext, "json": test.JSON}
}

// serve builds src and starts it.
func serve(t *testing.T) (addr string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "app")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = "src"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, addr, err := child.NewPorts(23000).Free()
	if err != nil {
		t.Fatal(err)
	}
	cmd, output := exec.Command(binary, addr), &child.Tail{}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to finish
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v: %s", err, output)
		}
	}
}

func TestRules(t *testing.T) {
	targets := routes(t)
	addr := serve(t)
	dates := map[string]string{}
	for test, target := range targets {
		dates[test] = ask(t, addr, test, target)
	}
	time.Sleep(apart)
	for test, target := range targets {
		if date := ask(t, addr, test, target); date == dates[test] {
			t.Errorf("%s: the Date is still %s", test, date)
		}
	}
}

// ask judges one response, and returns its Date.
func ask(t *testing.T, addr, test, target string) string {
	t.Helper()
	request, err := http.NewRequest("GET", "http://"+addr+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json,text/plain,text/html;q=0.9,*/*;q=0.7")
	client := http.Client{Timeout: 20 * time.Second}
	r, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	content, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range judge(test, r, content) {
		t.Errorf("%s: %s", test, problem)
	}
	return r.Header.Get("Date")
}

// TestPipelining: as many answers as requests that came in one piece, all of them right, twice on each connection.
func TestPipelining(t *testing.T) {
	targets := routes(t)
	addr := serve(t)
	one := "GET " + targets["plaintext"] + " HTTP/1.1\r\nHost: " + addr + "\r\nAccept: text/plain,*/*;q=0.7\r\nConnection: keep-alive\r\n\r\n"
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	for batch := range 2 {
		if _, err := io.WriteString(conn, strings.Repeat(one, pipelined)); err != nil {
			t.Fatal(err)
		}
		for i := range pipelined {
			r, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatalf("answer %d of batch %d: %v", i, batch, err)
			}
			content, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if problems := judge("plaintext", r, content); len(problems) > 0 || r.Close {
				t.Fatalf("answer %d of batch %d: %q, close %v", i, batch, problems, r.Close)
			}
		}
	}
	if answers.Buffered() > 0 {
		t.Error("there is more than was asked for")
	}
}

// TestJudge: what is against the rules is told.
func TestJudge(t *testing.T) {
	right := func(w http.ResponseWriter) {
		w.Header().Set("Server", "x")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	for _, c := range []struct {
		test, want string
		handler    func(w http.ResponseWriter)
	}{
		{"plaintext", "", func(w http.ResponseWriter) { io.WriteString(w, "Hello, World!") }},
		{"plaintext", "no Server", func(w http.ResponseWriter) { w.Header().Del("Server"); io.WriteString(w, "Hello, World!") }},
		{"plaintext", "Date", func(w http.ResponseWriter) { w.Header().Set("Date", "today"); io.WriteString(w, "Hello, World!") }},
		{"plaintext", "Content-Type", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, "Hello, World!")
		}},
		{"plaintext", "content", func(w http.ResponseWriter) { io.WriteString(w, "Hello, World!\n") }},
		{"plaintext", "status 500", func(w http.ResponseWriter) { w.WriteHeader(500); io.WriteString(w, "Hello, World!") }},
		{"json", "Content-Type", func(w http.ResponseWriter) { io.WriteString(w, `{"message":"Hello, World!"}`) }},
		{"json", "content", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"message":"Hello, World!","more":""}`)
		}},
		{"json", "", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"message":"Hello, World!"}`)
		}},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			right(w)
			c.handler(w)
		}))
		r, err := http.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r.Body)
		r.Body.Close()
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(judge(c.test, r, content), "; ")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.test, got, c.want)
		}
	}
}
