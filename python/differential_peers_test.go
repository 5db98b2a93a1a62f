package python_test

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// debianPython has the packages of the other gateways.
const debianPython = "/usr/bin/python3"

// gateway is a server that hosts testdata/differential/app.py.
type gateway struct {
	name      string
	address   string
	continues bool // it sends 100 (Continue); to others clients do not wait for it
	endless   bool // its wsgi.input ends when the client ends its sending, which the client therefore does
}

// gateways starts weir, and those that it is compared with. All get listeners, so that they can be connected to at once.
func gateways(t *testing.T) (weir *gateway, peers []*gateway) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "weir")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/weir").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	weir = &gateway{name: "weir", continues: true}
	weir.start(t, binary, "run", "app:application", "--bind", "fd://3", "--python", debianPython, "--workers", "1", "--loops", "1")
	gunicorn := &gateway{name: "gunicorn", continues: true}
	gunicorn.start(t, debianPython, "-m", "gunicorn", "app:application", "--bind", "fd://3", "--worker-tmp-dir", t.TempDir())
	waitress := &gateway{name: "waitress", continues: true}
	waitress.start(t, debianPython, "serve.py", "waitress")
	wsgiref := &gateway{name: "wsgiref", endless: true}
	wsgiref.start(t, debianPython, "serve.py", "wsgiref")
	return weir, []*gateway{gunicorn, waitress, wsgiref}
}

// start runs a command with a listener as its descriptor 3, until the test ends.
func (g *gateway) start(t *testing.T, command ...string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.address = listener.Addr().String()
	file, err := listener.(*net.TCPListener).File()
	_ = listener.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	log := &record{}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = "testdata/differential"
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1")
	cmd.ExtraFiles = []*os.File{file}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // gunicorn's worker dies with it
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			t.Errorf("%s does not end", g.name)
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if t.Failed() {
			text := log.String()
			t.Logf("%s, the end of its log:\n%s", g.name, text[max(0, len(text)-2000):])
		}
	})
}

// ways asks the application for the names of what it can do, and for the versions of the other gateways.
func ways(t *testing.T) (answers, inputs []string, versions string) {
	t.Helper()
	const ask = `import json, app, importlib.metadata as m
print(json.dumps([list(app.ANSWER), list(app.INPUT), " ".join(n + " " + m.version(n) for n in ("gunicorn", "waitress"))]))`
	cmd := exec.Command(debianPython, "-B", "-c", ask)
	cmd.Dir = "testdata/differential"
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &[]any{&answers, &inputs, &versions}); err != nil {
		t.Fatal(err)
	}
	return answers, inputs, versions
}
