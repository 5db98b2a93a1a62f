package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// save writes a file as editors do: under another name first.
func save(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

// replies asks until an answer has that text: it may take a moment until weir hears of a change.
func (p *process) replies(status int, want string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		r := p.ask("GET", "/")
		if r.StatusCode == status && strings.Contains(r.body, want) {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("got %d %q, want %d %q\n%s", r.StatusCode, r.body, status, want, p.stderr.String())
		}
	}
}

// TestRunReload: workers follow the files, from a start on that fails. What is wrong is answered and logged; weir goes on.
func TestRunReload(t *testing.T) {
	t.Parallel()
	applications(t)
	dir := t.TempDir()
	module, part, text := filepath.Join(dir, "site_.py"), filepath.Join(dir, "part.py"), filepath.Join(dir, "page.txt")
	says := func(expression string) string {
		return "import part, os\nTEXT = open(os.path.join(os.path.dirname(__file__), 'page.txt')).read()\n" +
			"def app(environ, start_response):\n    start_response('200 OK', [])\n    return [(" + expression + ").encode()]\n"
	}
	save(t, module, says("part.text + TEXT"))
	save(t, part, "text = 'part one'\n")
	save(t, text, ", page one")
	if err := os.WriteFile(module, []byte("import part\ndef (\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := writeFile(t, filepath.Join(dir, "weir.toml"), "workers = 2\n")
	p := start(t, nil, "run", "site_:app", "--chdir", dir, "-b", "127.0.0.1:0", "-c", config, "--preload", "--reload", "--reload-extra-file", text)
	p.replies(500, "SyntaxError")
	save(t, module, says("part.text + TEXT"))
	p.replies(200, "part one, page one")
	save(t, part, "text = 'part two'\n") // as long, and within the same second
	p.replies(200, "part two, page one")
	save(t, text, ", page two")
	p.replies(200, "part two, page two")
	if err := os.Remove(part); err != nil {
		t.Fatal(err)
	}
	p.replies(500, "No module named 'part'")
	save(t, part, "text = 'part three'\n")
	p.replies(200, "part three, page two")
	writeFile(t, config, "workers = 3\nserver-header = 'other'\n")
	p.signal(syscall.SIGHUP)
	p.logged(`"changed":"--server-header"`)
	p.logged(`"options":"--workers"`)
	p.replies(200, "part three, page two")
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d", status)
	}
	for _, want := range []string{"--preload is left out", "SyntaxError: ", "the application does not start", "a file has changed", "workers are ready"} {
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, p.stderr.String())
		}
	}
}

// TestRunReloadPath: what is imported from elsewhere is watched too, wherever it was said: --pythonpath, PYTHONPATH, and the environment of the application.
func TestRunReloadPath(t *testing.T) {
	applications(t)
	here, inherited, given := t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("PYTHONPATH", inherited)
	save(t, filepath.Join(here, "site_.py"), "import part\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    return [part.text]\n")
	for _, c := range []struct {
		dir  string
		args []string
	}{
		{inherited, nil},
		{given, []string{"-e", "PYTHONPATH=/nowhere", "-e", "PYTHONPATH=" + given}},
		{given, []string{"--pythonpath", given}},
	} {
		part := filepath.Join(c.dir, "part.py")
		save(t, part, "text = b'one'\n")
		p := start(t, nil, append([]string{"run", "site_:app", "--chdir", here, "-b", "127.0.0.1:0", "-w", "1", "--reload"}, c.args...)...)
		p.replies(200, "one")
		save(t, part, "text = b'two'\n")
		p.replies(200, "two")
		p.stop()
	}
}

// TestRunReloadCannotStart: what a change of a file does not mend ends weir.
func TestRunReloadCannotStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want string
		args []string
	}{
		{"no-such-python", []string{"--python", "no-such-python"}},
		{"--reload: /no/such/dir/file", []string{"--reload-extra-file", "/no/such/dir/file"}},
		{"/no/such/dir", []string{"--chdir", "/no/such/dir"}},
	} {
		args := append([]string{"run", "a:b", "--reload", "-b", "127.0.0.1:0"}, c.args...)
		if status, _, stderr := runToEnd(t, args...); status != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit %d, %q", args, status, stderr)
		}
	}
}
