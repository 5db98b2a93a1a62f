// Package examples has the tests of the examples that are written in Python: they are started with the command lines of the
// documentation. Go's examples have their tests beside them.
package examples

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// framework is where an example differs from the others. All have the same paths; that they are the same application ends
// where a framework has habits of its own.
type framework struct {
	redirect    int // status of GET /old
	wrongMethod int // status of PUT /form, which knows POST alone
	head        int // status of HEAD /
	missing     int // status of GET of a static file that is not there
	unchanged   int // status of GET of one that the client has already
}

var frameworks = map[string]framework{
	"flask":  {redirect: 302, wrongMethod: 405, head: 200, missing: 404, unchanged: 304},
	"django": {redirect: 302, wrongMethod: 405, head: 200, missing: 404, unchanged: 304},
	// Its middleware for static files answers with "Connection: close" when there is none. PEP 3333 forbids that; weir's log says so.
	"webpy":    {redirect: 302, wrongMethod: 405, head: 200, missing: 500, unchanged: 304},
	"werkzeug": {redirect: 302, wrongMethod: 405, head: 200, missing: 404, unchanged: 304},
	// "See Other" to clients of HTTP/1.1, whatever the method was.
	"bottle":   {redirect: 303, wrongMethod: 405, head: 200, missing: 404, unchanged: 304},
	"cherrypy": {redirect: 303, wrongMethod: 405, head: 200, missing: 404, unchanged: 304},
	// A resource that has on_get has no on_head, and static files have neither an ETag nor Last-Modified.
	"falcon": {redirect: 302, wrongMethod: 405, head: 405, missing: 404, unchanged: 200},
	// The method is one condition of several for a view, and when one is not met, there is no such view.
	"pyramid": {redirect: 302, wrongMethod: 404, head: 200, missing: 404, unchanged: 304},
}

// command is a command line of the documentation that serves an example.
type command struct {
	file, line string
	before     []string // commands of the same example that stand above it: they prepare it
	example    string   // its folder
}

var (
	indented = regexp.MustCompile(`(?m)^    (bin/weir|python3) .*\bexamples/([a-z_]+).*$`)
	comment  = regexp.MustCompile(` +#.*`)
)

// commands are those of README.md and of the pages on Python.
func commands(t *testing.T) (found []command) {
	t.Helper()
	for _, file := range []string{"README.md", "docs/python.md", "docs/grip.md"} {
		text, err := os.ReadFile("../" + file)
		if err != nil {
			t.Fatal(err)
		}
		before := make(map[string][]string)
		for _, m := range indented.FindAllStringSubmatch(string(text), -1) {
			line := strings.TrimSpace(comment.ReplaceAllString(m[0], ""))
			if example := m[2]; m[1] == "bin/weir" {
				found = append(found, command{file, line, before[example], example})
			} else {
				before[example] = append(before[example], line)
			}
		}
	}
	return found
}

// TestRunExamples serves each example with each command line that the documentation has for it.
func TestRunExamples(t *testing.T) {
	documented := make(map[string]bool)
	for _, c := range commands(t) {
		documented[c.example] = true
		t.Run(c.example+" of "+filepath.Base(c.file), func(t *testing.T) {
			t.Parallel()
			s := serve(t, c)
			if f, ok := frameworks[c.example]; ok {
				s.drive(f)
			} else if r := s.get("/"); r.StatusCode != http.StatusOK {
				t.Errorf("GET /: %s", r.Status)
			}
			s.stop()
		})
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if files, _ := os.ReadDir(entry.Name()); isPython(files) && !documented[entry.Name()] {
			t.Errorf("the documentation does not say how to run examples/%s", entry.Name())
		}
	}
}

// isPython tells whether an example that consists of these files is one in Python.
func isPython(files []os.DirEntry) bool {
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".py") {
			return true
		}
	}
	return false
}

// drive does with a framework's example all that it is an example of.
func (s *site) drive(f framework) {
	s.answers([]question{
		{name: "page", target: "/", status: 200, has: "<h1>Hello from "},
		{name: "name", target: "/hello/Ada", status: 200, is: "Hello, Ada!"},
		{name: "name that is not ASCII", target: "/hello/J%C3%BCrgen%20%E2%82%AC", status: 200, is: "Hello, Jürgen €!"},
		{name: "form", target: "/form", kind: "application/x-www-form-urlencoded", content: "name=Zo%C3%AB&drink=tea+%2B+milk", status: 200, is: "Zoë takes tea + milk"},
		{name: "JSON", target: "/json", kind: "application/json", content: `{"numbers": [1, 2, 3.5]}`, status: 200, json: `{"sum": 6.5}`},
		{name: "redirect", target: "/old", status: f.redirect, location: "/"},
		{name: "error", target: "/error", status: 500},
		{name: "after an error", target: "/hello/Ada", status: 200, is: "Hello, Ada!"},
		{name: "no such page", target: "/nowhere", status: 404},
		{name: "no such file", target: "/static/nothing.css", status: f.missing},
		{name: "wrong method", method: "PUT", target: "/form", kind: "text/plain", content: "x", status: f.wrongMethod},
	})
	s.logs("Traceback (most recent call last)", "RuntimeError: made to fail")
	s.counts()
	s.streams()
	s.uploads()
	s.heads("/", f.head)
	s.revalidates("/static/style.css", f.unchanged)
	style, err := os.ReadFile(s.style)
	if err != nil {
		s.t.Fatal(err)
	}
	if body := s.heads("/static/style.css", 200); body != string(style) {
		s.t.Errorf("GET /static/style.css: %q", body)
	}
}

// TestRunASGI: what the frameworks have beside WSGI is refused, with one line that says what it is.
func TestRunASGI(t *testing.T) {
	dir := t.TempDir()
	const module = `
import falcon.asgi
from django.conf import settings
from django.core.asgi import get_asgi_application

settings.configure()
falcon = falcon.asgi.App()
django = get_asgi_application()
`
	if err := os.WriteFile(filepath.Join(dir, "site_asgi.py"), []byte(module), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, app := range []string{"falcon", "django"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, binary, "run", "site_asgi:"+app, "--chdir", dir, "--python", "/usr/bin/python3", "-b", "127.0.0.1:0", "-w", "1")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		_ = cmd.Run()
		want := "\nweir: site_asgi:" + app + " is not a WSGI application: it is asynchronous (ASGI)"
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%v: %v, %s", cmd, cmd.ProcessState, &stderr)
		}
	}
}
