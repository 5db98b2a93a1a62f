package python_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirhttp/weir/python"
)

// developed is an application that changes while it is served.
type developed struct {
	*hosted
	dir     string
	started chan error
}

// develop serves, with so many workers, an application whose module has that text.
func develop(t *testing.T, workers int, text string) *developed {
	t.Helper()
	d := &developed{dir: t.TempDir(), started: make(chan error, 100)}
	write(t, d.dir, text)
	d.hosted = host(t, python.Options{
		App: "site_:app", Chdir: d.dir, Workers: workers, Develop: true, Started: func(err error) { d.started <- err },
		Env: []string{"PYTHONDONTWRITEBYTECODE=1", "FLAG=" + filepath.Join(d.dir, "flag")},
	})
	return d
}

func write(t testing.TB, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "site_.py"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// change changes the module, and has it served.
func (d *developed) change(text string) {
	d.t.Helper()
	d.Outdate()
	write(d.t, d.dir, text)
	d.Renew()
}

// says is an application that answers with a text.
func says(text string) string {
	return "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'" + text + "']\n"
}

var asBrowser = http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}}

// TestDevelopFailures: an application that does not start, at first or later, is answered with why it does not, and serves when it is mended.
func TestDevelopFailures(t *testing.T) {
	var d *developed
	for i, c := range []struct{ name, text, want string }{
		{"syntax", "def (\n", "SyntaxError"},
		{"exception", "raise ValueError('<b>&')\n", "ValueError: <b>&"},
		{"much to say", "raise ValueError('€' * (1 << 20))\n", "€€€"},
		{"missing module", "import no_such_module_anywhere\n", "No module named 'no_such_module_anywhere'"},
		{"no application", "pass\n", "no attribute 'app'"},
		{"not WSGI", "app = 3\n", "not a WSGI application"},
		{"exit", "import sys; sys.exit(3)\n", "SystemExit: 3"},
		{"sudden exit", "import os; os._exit(3)\n", "exit status 3"},
	} {
		if i == 0 {
			d = develop(t, 1, c.text)
		} else {
			d.change(c.text)
		}
		for _, ask := range []func() reply{
			func() reply { return d.get("/") },
			func() reply { return d.do("POST", "/", strings.NewReader(strings.Repeat("content ", 100<<10)), nil) },
		} {
			if r := ask(); r.code != 500 || !strings.Contains(r.body, c.want) || r.header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("%s: got %+v, want %q", c.name, r, c.want)
			}
		}
		r := d.do("GET", "/", nil, asBrowser)
		if r.code != 500 || r.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(r.body, "<h1>The application does not start") || strings.Contains(r.body, "<b>") {
			t.Errorf("%s: a browser got %+v", c.name, r)
		}
		if r := d.do("HEAD", "/", nil, asBrowser); r.code != 500 || r.body != "" {
			t.Errorf("%s: HEAD got %+v", c.name, r)
		}
		if err := <-d.started; err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Started was told %v, want %q", c.name, err, c.want)
		}
		d.change(says("mended"))
		d.want(d.do("GET", "/", nil, asBrowser), 200, "mended")
		if err := <-d.started; err != nil {
			t.Errorf("%s: Started was told %v", c.name, err)
		}
	}
	write(t, d.dir, says("again"))
	d.Replace() // as at SIGHUP
	d.want(d.get("/"), 200, "again")
	if err := <-d.started; err != nil || len(d.started) > 0 {
		t.Errorf("Started was told %v, and %d times more", err, len(d.started))
	}
}

// TestDevelopWaits: from Outdate on requests wait for the new application; calls that have begun end with the old one.
func TestDevelopWaits(t *testing.T) {
	old := `
import os, time
def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        open(os.environ["FLAG"], "w").close()
        while os.path.exists(os.environ["FLAG"]):
            time.sleep(0.002)
    start_response("200 OK", [])
    return [b"old"]
`
	d := develop(t, 2, old)
	flag := filepath.Join(d.dir, "flag")
	d.want(d.get("/"), 200, "old")
	slow := make(chan reply, 1)
	go func() {
		r, _ := d.try("GET", "/slow", nil, nil)
		slow <- r
	}()
	d.eventually("the slow call has begun", func() bool { _, err := os.Stat(flag); return err == nil })
	d.Outdate()
	const n = 20
	replies := make(chan reply, n)
	for range n {
		go func() {
			r, _ := d.try("GET", "/", nil, nil)
			replies <- r
		}()
	}
	d.eventually("all wait", func() bool { return d.Stats().Waiting == n })
	write(t, d.dir, says("new"))
	d.Outdate() // a second file is saved
	d.Renew()
	d.Renew()
	for range n {
		if r := <-replies; r.code != 200 || r.body != "new" {
			t.Errorf("got %d %q", r.code, r.body)
		}
	}
	if err := os.Remove(flag); err != nil {
		t.Fatal(err)
	}
	if r := <-slow; r.code != 200 || r.body != "old" {
		t.Errorf("the slow call got %d %q", r.code, r.body)
	}
	d.eventually("the old workers have left", func() bool { s := d.Stats(); return len(s.Workers) == 2 && s.Leaving == 0 })
}

// TestDevelopImportHangs: an import without end is given up when a file changes, and at the end.
func TestDevelopImportHangs(t *testing.T) {
	hangs := "import os, time\nopen(os.environ['FLAG'], 'w').close()\nwhile True: time.sleep(1)\n"
	d := develop(t, 2, hangs)
	flag := filepath.Join(d.dir, "flag")
	hanging := func() bool { _, err := os.Stat(flag); return err == nil }
	d.eventually("it is imported", hanging)
	d.change(says("mended"))
	d.want(d.get("/"), 200, "mended")
	if err := os.Remove(flag); err != nil {
		t.Fatal(err)
	}
	d.change(hangs)
	d.eventually("it is imported again", hanging)
}

// TestDevelopDeath: workers that die are replaced, with the reason for clients when that does not work.
func TestDevelopDeath(t *testing.T) {
	d := develop(t, 2, `
import os
if os.path.exists(os.environ["FLAG"]):
    raise ValueError("flagged")
def app(environ, start_response):
    if environ["PATH_INFO"] == "/die":
        os._exit(1)
    start_response("200 OK", [])
    return [b"alive"]
`)
	d.want(d.get("/"), 200, "alive")
	for range 3 {
		if r := d.get("/die"); r.code != 502 {
			t.Errorf("got %+v", r)
		}
		d.want(d.get("/"), 200, "alive")
	}
	d.eventually("both are there", func() bool { return len(d.Stats().Workers) == 2 })
	if err := os.WriteFile(filepath.Join(d.dir, "flag"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.get("/die")
	d.want(d.get("/"), 200, "alive") // the other one
	d.get("/die")
	if r := d.get("/"); r.code != 500 || !strings.Contains(r.body, "flagged") {
		t.Errorf("got %+v", r)
	}
}

// TestDevelopEnd: whatever a supervisor waits for, it ends; host sees to it that nothing is left.
func TestDevelopEnd(t *testing.T) {
	d := develop(t, 2, says("hello"))
	d.want(d.get("/"), 200, "hello")
	d.Outdate()
	waiting := make(chan reply, 1)
	go func() {
		r, _ := d.try("GET", "/", nil, nil)
		waiting <- r
	}()
	d.eventually("a request waits", func() bool { return d.Stats().Waiting == 1 })
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if r := <-waiting; r.code != 503 {
		t.Errorf("got %+v", r)
	}
	d.Renew()
	d.Outdate()
	if _, err := python.New(python.Options{App: "a:b", Develop: true, Preload: true}); err == nil {
		t.Error("Develop with Preload is taken")
	}
}
