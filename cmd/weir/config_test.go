package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// writeConfig writes a configuration file.
func writeConfig(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "weir.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var spaces = regexp.MustCompile(`  +`)

// printed is what weir config prints, with one space where there are several. It prints what cannot be used as well.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := runToEnd(t, append([]string{"config"}, args...)...)
	if stdout == "" {
		t.Fatalf("exit %d: %s", status, stderr)
	}
	return spaces.ReplaceAllString(stdout, " ")
}

// TestConfig: the command line comes before GUNICORN_CMD_ARGS, that before the environment, and that before the file.
func TestConfig(t *testing.T) {
	path := writeConfig(t, `
app = "site.wsgi"
workers = 2
threads = 2
queue = 2
body_buffer = 2
timeout = 20
preload = true
stream-bodies = true
bind = ["127.0.0.1:1", "unix:a b"]
loops = 2
[env]
B = 2
A = "x y"
`)
	t.Setenv("GUNICORN_CMD_ARGS", "--workers 4 --threads 4")
	t.Setenv("WEIR_WORKERS", "3")
	t.Setenv("WEIR_THREADS", "3")
	t.Setenv("WEIR_QUEUE", "3")
	t.Setenv("WEIR_STREAM_BODIES", "false")
	t.Setenv("WEIR_STATIC", "/a=b '/c=d e'")
	t.Setenv("WEIR_SERVICE_HOST", "10.0.0.1")
	got := printed(t, "run", "-w", "5", "-c", path)
	for _, want := range []string{
		"app = 'site.wsgi' # " + path,
		"workers = 5 # command line",
		"threads = 4 # GUNICORN_CMD_ARGS",
		"queue = 3 # WEIR_QUEUE",
		"body-buffer = 2 # " + path,
		"timeout = '20s' # " + path,
		"preload = true # " + path,
		"stream-bodies = false # WEIR_STREAM_BODIES",
		"static = ['/a=b', '/c=d e'] # WEIR_STATIC",
		"bind = ['127.0.0.1:1', 'unix:a b'] # " + path,
		"env = ['A=x y', 'B=2'] # " + path,
		"queue-timeout = '10s' # default",
		"# python # not set",
		"# backlog # not set",
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	t.Setenv("GUNICORN_CMD_ARGS", "third:app --workers 4")
	if got := printed(t, "run", "-c", path); !strings.Contains(got, "app = 'third:app' # GUNICORN_CMD_ARGS\n") {
		t.Errorf("it prints\n%s", got)
	}
	t.Setenv("PORT", "99")
	if got := printed(t, "other:app", "-c", path); !strings.Contains(got, "app = 'other:app' # command line\n") || !strings.Contains(got, "bind = ['0.0.0.0:99'] # PORT\n") {
		t.Errorf("it prints\n%s", got)
	}
	if got := printed(t, "demo", "-c", path); !strings.Contains(got, "loops = 2 # "+path+"\n") || strings.Contains(got, "workers") {
		t.Errorf("for the demo it prints\n%s", got)
	}
}

// TestConfigAgain: what weir config prints is a configuration file that says the same.
func TestConfigAgain(t *testing.T) {
	t.Parallel()
	values := func(text string) string { return regexp.MustCompile(`(?m) +#.*$`).ReplaceAllString(text, "") }
	_, first, _ := runToEnd(t, "config", "site:app", "-w", "7", "-b", "unix:x y", "--env", "A=#", "--server-header", `"quoted" \\`, "--timeout", "1m30s")
	_, second, stderr := runToEnd(t, "config", "-c", writeConfig(t, first))
	if a, b := values(first), values(second); a != b || !strings.Contains(a, "workers = 7") {
		t.Errorf("first\n%s\nthen\n%s%s", a, b, stderr)
	}
}

// TestConfigServes: weir.toml is read where weir is started.
func TestConfigServes(t *testing.T) {
	t.Setenv("WEIR_CONFIG", writeConfig(t, "bind = 'localhost:0'\nserver-header = 'mine'\n"))
	p := start(t, nil, "demo", "-b", "127.0.0.1:0")
	if r := p.ask("GET", "/plaintext"); r.Header.Get("Server") != "mine" {
		t.Errorf("Server is %q", r.Header.Get("Server"))
	}
	if len(p.at) != 1 {
		t.Errorf("it serves at %q", p.at)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown key", "worker = 1", `there is no option "worker"; "workers" is near`},
		{"unknown key, nothing near", "zzzzzz = 1", `there is no option "zzzzzz"`},
		{"file in a file", "config = 'x'", `there is no option "config"`},
		{"no TOML", "workers =\nthreads = 2", "line 1"},
		{"no number", "workers = 'many'", "weir.toml: --workers: want a whole number"},
		{"not one of", "accept = 'x'", "weir.toml: --accept must be one of"},
		{"no boolean", "preload = 2", "preload must be true or false"},
		{"two values", "workers = [1, 2]", "workers has one value"},
		{"list of lists", "bind = [['x', 'y']]", "bind: a list has strings"},
		{"date", "bind = 2026-01-01", "bind: want a string"},
		{"out of bounds", "loops = -1", "weir.toml: --loops must be 1 or more"},
		{"workers out of bounds", "queue = 0", "weir.toml: --queue must be 1 or more"},
		{"of the logs", "access-log-sample = 0", "weir.toml: --access-log-sample must be 1 or more"},
		{"not the first that is named", "grip-prefix = 'x'", "weir.toml: --grip-key, --grip-prefix and"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, _, stderr := runToEnd(t, "run", "x:y", "--config", writeConfig(t, tt.text))
			if status != 2 || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit %d, %q", status, stderr)
			}
		})
	}
	for _, tt := range []struct {
		name, variable, value string
		args                  []string
		want                  string
	}{
		{"variable", "WEIR_LOOPS", "many", []string{"demo"}, "WEIR_LOOPS: --loops: want a whole number"},
		{"variable, out of bounds", "WEIR_LOOPS", "-1", []string{"demo"}, "WEIR_LOOPS: --loops must be 1 or more"},
		{"variable of gunicorn's", "FORWARDED_ALLOW_IPS", "proxy", []string{"demo"}, "weir: FORWARDED_ALLOW_IPS: --forwarded-allow-ips: "},
		{"variable of gunicorn's, empty", "FORWARDED_ALLOW_IPS", "", []string{"demo"}, `weir: FORWARDED_ALLOW_IPS: --forwarded-allow-ips: "": want`},
		{"variable, hidden", "WEIR_LOOPS", "-1", []string{"demo", "--loops=-2"}, "weir: --loops must be 1 or more"},
		{"variable, boolean", "WEIR_INLINE", "perhaps", []string{"demo"}, "WEIR_INLINE must be true or false"},
		{"variable, quotation", "WEIR_BIND", "'x", []string{"demo"}, "WEIR_BIND: a quotation has no end"},
		{"no file", "", "", []string{"demo", "-c", "none.toml"}, "none.toml: no such file"},
		{"Python", "", "", []string{"x:y", "-c", "gunicorn.conf.py"}, "Python is not run"},
		{"its settings", "", "", []string{"x:y", "-c", writeFile(t, filepath.Join(t.TempDir(), "a.py"), "workers = 4\nmax_requests = 5\n")}, "as options: --workers --max-requests"},
		{"application", "", "", []string{"run", "-c", writeConfig(t, "app = ':app'")}, "weir.toml: application \":app\": write module:callable"},
		{"no application", "", "", []string{"run"}, "which application?"},
		{"no configuration", "", "", []string{"config", "version"}, "config: version has no configuration"},
		{"none either", "", "", []string{"config", "publish"}, "config: publish has no configuration"},
		{"an option alone", "", "", []string{"config", "--wrokers", "3"}, "--workers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.variable != "" {
				t.Setenv(tt.variable, tt.value)
			}
			status, _, stderr := runToEnd(t, tt.args...)
			if status != 2 || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit %d, %q", status, stderr)
			}
		})
	}
}

// TestConfigRefused: with what weir run would end, weir config and weir check do not pass over, nor does weir check when the application is in order.
func TestConfigRefused(t *testing.T) {
	t.Parallel()
	dir := applications(t)
	for _, tt := range []struct {
		text, want string
		status     int
	}{
		{"chdir = '/no/such/dir'", "weir.toml: --chdir /no/such/dir: no such file or directory", 1},
		{"bind = 8000", "weir.toml: --bind: cannot listen on 8000: want HOST:PORT", 2},
		{"admin = '127.0.0.1:8000'", "weir.toml: --admin 127.0.0.1:8000: --bind has this address", 2},
		{"loops = -1", "weir.toml: --loops must be 1 or more", 2},
		{"limit-request-body = -3", "weir.toml: --limit-request-body must be 0 or more", 2},
		{"worker-class = 3", `weir.toml: --worker-class must be sync, threads or gevent, not "3"`, 2},
		{"max-requests = -1", "weir.toml: --max-requests must be 0 or more", 2},
		{"umask = 'x'", "weir.toml: --umask must be permission bits", 2},
		{"umask = 0o027", `weir.toml: umask must be text, the bits in octal, such as "027"`, 2},
		{"socket-mode = 660", "weir.toml: socket-mode must be text", 2},
		{"access-log-sample = 0", "weir.toml: --access-log-sample must be", 2},
		{"hub = 'x'", "weir.toml: --hub must be", 2},
		{"user = 'nobody-has-this-name'", "weir.toml: --user nobody-has-this-name: there is no such user", 2},
		{"static = '/a=b'", "weir.toml: --static: ", 1},
		{"certfile = 'nope'", "weir.toml: --certfile nope: ", 1},
		{"access-log = true", "weir.toml: access-log is no switch: it cannot be true", 2},
		{"access-log = '-'\naccess_log = 'x'", "weir.toml: access-log and access_log are the same option", 2},
		{"access-log = '-'\naccess-logfile = 'x'", "weir.toml: access-log and access-logfile are the same option", 2},
	} {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			path := writeConfig(t, tt.text)
			for _, command := range [][]string{{"run"}, {"config", "run"}, {"check"}} {
				args := append(command, "app:app", "-c", path)
				if !strings.HasPrefix(tt.text, "chdir") {
					args = append(args, "--chdir", dir)
				}
				status, _, stderr := runToEnd(t, args...)
				lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
				if last := lines[len(lines)-1]; status != tt.status || !strings.Contains(last, tt.want) {
					t.Errorf("%q: exit %d, %q", args, status, stderr)
				}
			}
		})
	}
}

// TestConfigSlip: a variable that looks like an option's is told of.
func TestConfigSlip(t *testing.T) {
	t.Setenv("WEIR_WORKES", "3")
	if _, _, stderr := runToEnd(t, "config"); !strings.Contains(stderr, `"variable":"WEIR_WORKES","near":"WEIR_WORKERS"`) {
		t.Errorf("stderr is %q", stderr)
	}
}
