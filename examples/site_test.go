package examples

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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
	binary     string   // weir, built once
	buildFlags []string // with which
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

var (
	bind      = regexp.MustCompile(` (-b|--bind)[ =]\S+`)
	operators = regexp.MustCompile(` --admin[ =]\S+`)
)

// freeAddress is an address at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

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
		case "WEB_CONCURRENCY", "PORT", "GUNICORN_CMD_ARGS", "VIRTUAL_ENV", "DATABASE", "SESSIONS", "SECRET_KEY", "DJANGO_SETTINGS_MODULE", "GRIP_URL":
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
	if operators.MatchString(line) {
		address := freeAddress(t)
		line = operators.ReplaceAllString(line, " --admin "+address)
		environ = append(environ, "GRIP_URL=http://"+address+"?key=changeme")
	}
	if checked, ok := strings.CutPrefix(line, "run "); ok && c.file == "docs/python.md" && strings.Count(line, " --") == 1 { // --chdir
		if out, err := shell(binary + " check " + checked + " --python /usr/bin/python3").CombinedOutput(); err != nil {
			t.Errorf("weir check: %v\n%s", err, out)
		}
	}
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
