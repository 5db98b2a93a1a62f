package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRunCheck: what is said of applications that break PEP 3333, and of those that do not. Nothing is left, and nothing but reports is printed.
func TestRunCheck(t *testing.T) {
	t.Parallel()
	applications(t) // there is a Python
	dir, err := filepath.Abs("testdata/check")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		app  string
		args []string
		want []string // the status, and what is wrong; no status: there is no answer
	}{
		{"good", nil, []string{"200 OK"}},
		{"empty", nil, []string{"204 No Content"}},
		{"printing", []string{"--method", "HEAD", "--path", "/a%20b?c=d"}, []string{"200 OK"}},
		{"endless", nil, []string{"200 OK"}},
		{"no_type", nil, []string{"500 ", "wsgiref.validate: No Content-Type header"}},
		{"no_reason", nil, []string{"500 ", "weir: status must be three digits"}},
		{"tuple_headers", nil, []string{"500 ", "wsgiref.validate: Headers"}},
		{"short", nil, []string{"200 OK", "broken by the application: content is not shorter than Content-Length: 7 of 10 octets"}},
		{"long", nil, []string{"200 OK", "more content than its Content-Length"}},
		{"connection", nil, []string{"500 ", "weir: header is hop-by-hop"}},
		{"status_field", nil, []string{"500 ", "wsgiref.validate: The Status header cannot be used"}},
		{"failing", nil, []string{"500 ", "the status tells of a failure"}},
		{"raising", nil, []string{"500 ", "the application has raised ValueError: on purpose"}},
		{"raising_late", nil, []string{"200 OK", "the application has raised ValueError: on purpose"}},
		{"unclosed", nil, []string{"200 OK", "the application has raised ValueError: on purpose"}},
		{"silent", nil, []string{"500 ", "wsgiref.validate: The application returns"}},
		{"reading", []string{"--method=POST"}, []string{"500 ", "wsgiref.validate: assert_(len(args) == 1)"}},
		{"dying", nil, []string{"502 Bad Gateway", "worker has died"}},
		{"hanging", []string{"--timeout", "0.2"}, []string{"", "there is no answer after --timeout, 200ms"}},
	} {
		t.Run(c.app, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := runToEnd(t, append([]string{"check", "applications:" + c.app, "--chdir", dir, "-e", "PYTHONDONTWRITEBYTECODE=1"}, c.args...)...)
			wrong := c.want[1:]
			if (status == 0) != (len(wrong) == 0) || status > 1 {
				t.Errorf("exit %d", status)
			}
			wants := append([]string{"python       3.", "import       0.", "request      "}, wrong...)
			if c.want[0] != "" {
				wants = append(wants, "status       "+c.want[0])
			}
			for _, want := range wants {
				if !strings.Contains(stdout, want) {
					t.Errorf("the report has no %q", want)
				}
			}
			last := "weir: check: applications:" + c.app + " is not in order\n"
			if len(wrong) == 0 {
				last = "applications:" + c.app + " is in order\n"
			}
			if !strings.HasSuffix(stdout, last) && !strings.HasSuffix(stderr, last) {
				t.Errorf("it does not end with %q", last)
			}
			if strings.Contains(stdout+stderr, "goroutine") || strings.Contains(stdout, "Traceback") {
				t.Error("there is what nobody wants to read")
			}
			if t.Failed() {
				t.Logf("%s%s", stdout, stderr)
			}
		})
	}
}

// TestRunCheckImports: what cannot be imported is told as weir run does. The options, the configuration file among them, are those of run.
func TestRunCheckImports(t *testing.T) {
	dir := applications(t)
	config := filepath.Join(t.TempDir(), "weir.toml")
	if err := os.WriteFile(config, []byte("app = \"app:app\"\nworkers = 3\nchdir = '"+dir+"'\n[env]\nTEXT = 'from the file'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WEIR_PATH", "/getenv?TEXT")
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{0, "GET /getenv?TEXT", []string{"--config", config}},
		{0, "class threads", []string{"--config", config, "-k", "threads"}},
		{1, "no_such_module_anywhere", []string{"broken:app", "--chdir", dir}},
		{1, "ASGI", []string{"app:asynchronous", "--chdir", dir}},
		{1, "longer than --import-timeout", []string{"app:app", "--chdir", dir, "--import-timeout", "1ms"}},
		{1, "no-such-python", []string{"app:app", "--python", "no-such-python"}},
		{2, "which application?", nil},
		{2, "--path", []string{"app:app", "--path", "here"}},
		{2, "--method", []string{"app:app", "--method", "GET /"}},
		{2, "--timeout", []string{"app:app", "--timeout", "0"}},
		{2, "--env", []string{"app:app", "--env", "X"}},
		{2, "--worker-class", []string{"app:app", "-k", "tornado"}},
	} {
		status, stdout, stderr := runToEnd(t, append([]string{"check"}, c.args...)...)
		if status != c.status || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%q: exit %d, want %d and %q\n%s%s", c.args, status, c.status, c.want, stdout, stderr)
		}
	}
}
