package python_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/python"
)

// TestCannotStart: the traceback, and what to do about it in its last line.
func TestCannotStart(t *testing.T) {
	for app, want := range map[string]string{
		"broken:app":      "no_such_module_anywhere",
		"missing:app":     "missing",
		"app:nothing":     "nothing",
		"app:TEXT":        "called",
		"app:factory(1":   "factory(1",
		"app:no_such()":   "no_such",
		"no such thing:a": "no such thing",
	} {
		for _, preload := range []bool{false, true} {
			t.Run(fmt.Sprint(app, ", preload ", preload), func(t *testing.T) {
				before := len(children(t))
				_, err := python.New(python.Options{App: app, Chdir: apps(t), Workers: 2, Preload: preload, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
				var start *python.StartError
				if !errors.As(err, &start) || !strings.Contains(start.Traceback, want) {
					t.Errorf("%v, want a StartError with %q", err, want)
				}
				if after := len(children(t)); after != before {
					t.Errorf("%d processes are left", after-before)
				}
			})
		}
	}
}

// TestImportGoesOn: an import that does not end is said to go on, and where it is, again and again.
func TestImportGoesOn(t *testing.T) {
	for _, preload := range []bool{false, true} {
		t.Run(fmt.Sprint("preload ", preload), func(t *testing.T) {
			log, end := &record{}, filepath.Join(t.TempDir(), "end")
			options := python.Options{App: "patient:app", Chdir: apps(t), Preload: preload, Env: []string{"END=" + end}, Logger: slog.New(slog.NewTextHandler(log, nil))}
			options.SetImportTime(100 * time.Millisecond)
			started := make(chan error)
			go func() {
				s, err := python.New(options)
				if err == nil {
					err = s.Close()
				}
				started <- err
			}()
			for deadline := time.Now().Add(patience); strings.Count(log.String(), "the import of the application goes on") < 3; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the log is\n%s", log)
				}
			}
			if err := os.WriteFile(end, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := <-started; err != nil {
				t.Error(err)
			}
			if !regexp.MustCompile(`patient.py.*, line \d+ in wait_for_the_end`).MatchString(log.String()) {
				t.Errorf("the log does not tell where it is:\n%s", log)
			}
		})
	}
}

// TestInterpreter: which Python is taken, and what is said of one that will not do.
func TestInterpreter(t *testing.T) {
	t.Setenv("VIRTUAL_ENV", "")
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old := script("old", "echo 3.7.9; echo /old")
	two := script("two", "echo 2.7.18; echo /two")
	none := script("none", "echo Usage; exit 2")
	library := script("library", "echo loading: >&2; echo libpython.so: cannot open >&2; exit 127")
	if err := errors.Join(os.MkdirAll(dir+"/gone/bin", 0o700), os.Symlink("/no/python3.9", dir+"/gone/bin/python")); err != nil {
		t.Fatal(err)
	}
	script("project/.venv/bin/python", "echo 3.12.1; echo /venv")
	script("other/bin/python", "echo 3.13.0; echo /other")
	if err := os.Chmod(script("plain/bin/python", ""), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ python, virtualenv, active, dir, want string }{
		{"", "", "", "", "3."},
		{"python3", "", "", "", "3."},
		{"", "", "", dir + "/project", "/venv"},
		{"", dir + "/other", "", dir + "/project", "/other"},
		{"", "", dir + "/other", dir + "/project", "/other"},
		{"python3", dir + "/other", dir + "/other", dir + "/project", "3."},
		{old, "", "", "", "3.7.9"},
		{two, "", "", "", "2.7.18"},
		{none, "", "", "", "does not run Python code (exit status 2)"},
		{library, "", "", "", "does not run Python code (exit status 127: loading:; libpython.so: cannot open)"},
		{"", dir + "/gone", "", "", dir + "/gone/bin/python is a broken link to /no/python3.9"},
		{"", "", dir + "/gone", "", "/no/python3.9"},
		{"", dir + "/plain", "", "", "not executable"},
		{"no-such-python", "", "", "", "no-such-python"},
		{"", dir + "/nowhere", "", "", "nowhere"},
	} {
		t.Setenv("VIRTUAL_ENV", c.active)
		i, err := python.FindInterpreter(c.python, c.virtualenv, c.dir)
		var got string
		var wrong *python.InterpreterError
		switch {
		case err == nil:
			got = i.Path + " " + i.Version
		case errors.As(err, &wrong) && !strings.Contains(err.Error(), "\n"):
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%+v: %v, %v", c, i, err)
		}
	}
}

// TestOptions: what makes no sense is refused before anything is started.
func TestOptions(t *testing.T) {
	for _, o := range []python.Options{
		{}, {App: "a:b", Workers: -1}, {App: "a:b", Class: "tornado"}, {App: "a:b", Env: []string{"X"}}, {App: "a:b", Chdir: "/no/such/dir"},
		{App: "a:b", Chdir: "/etc/passwd"},
	} {
		if s, err := python.New(o); err == nil {
			_ = s.Close()
			t.Errorf("%+v is taken", o)
		}
	}
}

// TestModulesOfOthers: the worker imports its own modules from Python alone: not from where weir was started, nor from where the application is.
func TestModulesOfOthers(t *testing.T) {
	elsewhere, dir := t.TempDir(), t.TempDir()
	for _, name := range []string{"linecache", "token", "socket", "enum", "traceback", "inspect", "importlib", "mmap", "tokenize"} {
		for _, where := range []string{elsewhere, dir} {
			if err := os.WriteFile(filepath.Join(where, name+".py"), []byte("raise SystemExit('the wrong "+name+"')\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	const program = "import sys\ndef app(environ, start):\n    start('200 OK', [])\n    return [sys.path[0].encode()]\n"
	if err := os.WriteFile(filepath.Join(dir, "ours.py"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, start := range []string{elsewhere, dir} {
		t.Chdir(start)
		h := host(t, python.Options{Chdir: dir, App: "ours:app"})
		h.want(h.get("/"), 200, dir)
	}
}
