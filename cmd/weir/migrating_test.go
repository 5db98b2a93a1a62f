package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// columnOf are the cells that the tables of a page have in the column of this name.
func columnOf(t *testing.T, page, name string) (cells []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	column := -1
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "|") {
			column = -1
			continue
		}
		row := strings.Split(line, "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		if column < 0 {
			column = slices.Index(row, name)
		} else if column < len(row) {
			cells = append(cells, row[column])
		}
	}
	return cells
}

var longOption = regexp.MustCompile(`--[a-z][a-z-]*`)

// TestMigrating: the options of weir that the tables name are those that weir run --help-all lists.
func TestMigrating(t *testing.T) {
	t.Parallel()
	_, help, _ := runToEnd(t, "run", "--help-all")
	listed := longOption.FindAllString(help, -1)
	named := 0
	for _, cell := range columnOf(t, "../../docs/migrating.md", "weir") {
		for _, option := range longOption.FindAllString(cell, -1) {
			named++
			if !slices.Contains(listed, option) {
				t.Errorf("there is no %s (%s)", option, cell)
			}
		}
		if !strings.Contains(cell, "`") && !slices.Contains([]string{"*always*", "*no*", "the same", "SIGUSR1", "SIGHUP", "---"}, cell) {
			t.Errorf("what does %q mean?", cell)
		}
	}
	if named < 100 {
		t.Errorf("only %d options were found", named)
	}
}

// TestGunicornOptions: all options of gunicorn 20.1 are known, if only to say what there is instead.
func TestGunicornOptions(t *testing.T) {
	t.Parallel()
	run, _ := servingCommand(newParser(new(cli), func(int) {}).Model, []string{"run"})
	flags := flagsOf(run)
	for option := range strings.FieldsSeq(`--access-logfile --access-logformat --backlog --bind --ca-certs --capture-output --cert-reqs --certfile --chdir --check-config --ciphers --config
		--daemon --disable-redirect-access-to-syslog --do-handshake-on-connect --dogstatsd-tags --enable-stdio-inheritance --env --error-logfile --forwarded-allow-ips --graceful-timeout
		--group --initgroups --keep-alive --keyfile --limit-request-field_size --limit-request-fields --limit-request-line --log-config --log-file --log-level --log-syslog
		--log-syslog-facility --log-syslog-prefix --log-syslog-to --logger-class --max-requests --max-requests-jitter --name --no-sendfile --paste --paste-global --paster --pid --preload
		--print-config --proxy-allow-from --proxy-protocol --pythonpath --reload --reload-engine --reload-extra-file --reuse-port --spew --ssl-version --statsd-host --statsd-prefix
		--strip-header-spaces --suppress-ragged-eofs --threads --timeout --tolerate-dangerous-framing --umask --user --worker-class --worker-connections --worker-tmp-dir --workers`) {
		if flags[option] == nil && unlikeGunicorn[option] == "" {
			t.Errorf("weir run does not know %s", option)
		}
	}
}

// TestGunicornClasses: who names a class of gunicorn's that is not here is told which to take.
func TestGunicornClasses(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"gunicorn.workers.ggevent.GeventWorker":       "give gevent",
		"gunicorn.workers.ggevent.GeventPyWSGIWorker": "give gevent",
		"eventlet":                              "give gevent",
		"gunicorn.workers.gthread.ThreadWorker": "give threads",
		"tornado":                               "give threads",
		"egg:gunicorn#sync":                     "give sync",
		"gunicorn.workers.sync.SyncWorker":      "give sync",
		"uvicorn.workers.UvicornWorker":         "weir serves WSGI applications",
		"async":                                 `must be sync, threads or gevent, not "async"`,
	} {
		if _, err := workerClass(name, 1); err == nil || !strings.HasPrefix(err.Error(), "--worker-class ") || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGunicornSpellings: what people write behind gunicorn works behind weir, and means the same.
func TestGunicornSpellings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"-b 127.0.0.1:1", "bind = ['127.0.0.1:1']"},
		{"--bind=unix:/a", "bind = ['unix:/a']"},
		{"-b :1 -b :2", "bind = [':1', ':2']"},
		{"-w 3", "workers = 3"},
		{"-w3", "workers = 3"},
		{"--workers 3", "workers = 3"},
		{"-k gthread", "worker-class = 'gthread'"},
		{"--worker-class gevent", "worker-class = 'gevent'"},
		{"--worker-connections 7", "worker-connections = 7"},
		{"--threads 4", "threads = 4"},
		{"-t 9", "timeout = '9s'"},
		{"--timeout 0.5", "timeout = '500ms'"},
		{"--graceful-timeout 8", "graceful-timeout = '8s'"},
		{"--keep-alive 5", "keep-alive = '5s'"},
		{"--max-requests 10", "max-requests = 10"},
		{"--max-requests-jitter 2", "max-requests-jitter = 2"},
		{"--preload", "preload = true"},
		{"--chdir /x", "chdir = '/x'"},
		{"--pythonpath /x,/y", "pythonpath = '/x,/y'"},
		{"-e A=b", "env = ['A=b']"},
		{"--env A=b", "env = ['A=b']"},
		{"-p /x", "pid = '/x'"},
		{"--pid /x", "pid = '/x'"},
		{"-u www", "user = 'www'"},
		{"--user www", "user = 'www'"},
		{"-g www", "group = 'www'"},
		{"--group www", "group = 'www'"},
		{"-m 027", "umask = '027'"},
		{"--umask 027", "umask = '027'"},
		{"--reload", "reload = true"},
		{"--access-logfile -", "access-log = '-'"},
		{"--access-logformat %(h)s", "access-log-format = '%(h)s'"},
		{"--error-logfile /x", "error-logfile = '/x'"},
		{"--log-file /x", "error-logfile = '/x'"},
		{"--log-level critical", "log-level = 'critical'"},
		{"--log-level warning", "log-level = 'warning'"},
		{"--log-level INFO", "log-level = 'info'"},
		{"--capture-output -R -n x --worker-tmp-dir /dev/shm -w 3", "workers = 3"},
		{"--limit-request-field_size 100", "limit-request-field = 100"},
		{"--backlog 5", "backlog = 5"},
		{"--forwarded-allow-ips *", "forwarded-allow-ips = '*'"},
		{"--proxy-allow-from 10.0.0.1", "proxy-allow-ips = '10.0.0.1'"},
		{"--limit-request-line 4094", "limit-request-line = 4094"},
		{"--limit-request-fields 50", "limit-request-fields = 50"},
		{"--certfile /c --keyfile /k", "certfile = ['/c']"},
		{"-c CONFIG", "threads = 7"},
	} {
		config := writeConfig(t, "threads = 7\n")
		args := append([]string{"site:app"}, strings.Fields(strings.ReplaceAll(c.args, "CONFIG", config))...)
		if got := printed(t, args...); !strings.Contains(got, "\n"+c.want+" # ") {
			t.Errorf("weir %s: no %q in\n%s", strings.Join(args, " "), c.want, got)
		}
	}
}
