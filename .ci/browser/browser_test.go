// Package browser has a headless Chromium click through what weir shows in a browser: examples/chat, examples/flask_chat, the demo and
// its page for operators, Django's admin, and the report of bench.
//
// SCREENSHOTS=DIR keeps pictures of the pages in DIR.
package browser

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	// patience is how long a test waits for one condition, whole for how long for all: both are met long before.
	patience = 15 * time.Second
	whole    = 120 * time.Second
)

// chromium is the context of the browser that all tests share. programs is the folder of what is tested.
var (
	chromium context.Context
	programs string
)

func TestMain(m *testing.M) {
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (status int, err error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return 0, errors.New("chromium is missing: install Debian's package chromium")
	}
	if programs, err = os.MkdirTemp("", "weir-browser"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(programs)
	build := exec.Command("go", "build", "-o", programs, "./cmd/weir", "./examples/chat")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%v: %w\n%s", build, err, out)
	}

	ctx, cancel := context.WithTimeout(context.Background(), whole)
	defer cancel()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU,
		chromedp.WindowSize(900, 700))
	if os.Geteuid() == 0 { // as in containers: Chromium refuses to sandbox for root
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	defer cancel()
	chromium, cancel = chromedp.NewContext(ctx)
	defer cancel()
	if err := chromedp.Do(chromium); err != nil {
		return 0, fmt.Errorf("%s does not start: %w", path, err)
	}
	defer func() {
		// Without cancel of the contexts above: it closes, and then waits for the process.
		if cancelled := chromedp.Cancel(chromium); err == nil && cancelled != nil {
			err = fmt.Errorf("closing %s: %w", path, cancelled)
		}
	}()
	return m.Run(), nil
}

// process is a server that is tested.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string // with "/" at its end
	stderr output
	once   sync.Once
}

// output is what a program has written so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start starts a program, and waits for the line that tells its address.
func start(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(filepath.Join(programs, program), args...)}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		p.wait()
		if t.Failed() && p.stderr.String() != "" {
			t.Logf("%v said:\n%s", p.cmd, p.stderr.String())
		}
	})
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	timer.Stop()
	p.url = regexp.MustCompile(`http://[0-9.:]+`).FindString(line) + "/"
	if err != nil || p.url == "/" {
		t.Fatalf("%v said %q (%v) and not its address", p.cmd, line, err)
	}
	return p
}

func (p *process) wait() {
	p.once.Do(func() {
		timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
		defer timer.Stop()
		_ = p.cmd.Wait()
	})
}

// stop sends SIGTERM, and expects the process to end well.
func (p *process) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	p.wait()
	if !p.cmd.ProcessState.Success() {
		p.t.Fatalf("%v ended with %v\n%s", p.cmd, p.cmd.ProcessState, p.stderr.String())
	}
}

// post sends content to a path of the server, and returns the answer.
func (p *process) post(path, content string) string {
	p.t.Helper()
	client := http.Client{Timeout: patience}
	r, err := client.Post(p.url+path, "text/plain", strings.NewReader(content))
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil || r.StatusCode != http.StatusOK {
		p.t.Fatalf("POST /%s: %s %v\n%s", path, r.Status, err, body.String())
	}
	return body.String()
}

// window is a window of the browser.
type window struct {
	t    *testing.T
	name string
	ctx  context.Context

	mu       sync.Mutex
	problems []string // exceptions and errors in the console; guarded by mu
}

// open opens a window, and has each of listeners see its events, on the goroutine that reads them.
func open(t *testing.T, name string, listeners ...func(event any)) *window {
	t.Helper()
	w := &window{t: t, name: name}
	options := []chromedp.ContextOption{chromedp.WithListener(w.listen)}
	for _, l := range listeners {
		options = append(options, chromedp.WithListener(l))
	}
	var cancel context.CancelFunc
	w.ctx, cancel = chromedp.NewContext(chromium, options...)
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string]("document.body.innerText"))
			t.Logf("%s sees:\n%s", name, text)
		}
		cancel()
	})
	if err := chromedp.Do(w.ctx); err != nil { // the window lives as long as this context: no deadline of its own
		t.Fatalf("%s: %v", name, err)
	}
	return w
}

func (w *window) listen(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			problem += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			for _, arg := range e.Args {
				problem += string(arg.Value) + " "
			}
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			problem = e.Entry.Text + " " + e.Entry.URL
		}
	}
	if problem != "" {
		w.mu.Lock()
		w.problems = append(w.problems, problem)
		w.mu.Unlock()
	}
}

// noProblems fails when the console of the window has errors, those aside that contain one of expected.
func (w *window) noProblems(expected ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
next:
	for _, p := range w.problems {
		for _, e := range expected {
			if strings.Contains(p, e) {
				continue next
			}
		}
		w.t.Errorf("%s has in its console: %s", w.name, p)
	}
}

// do carries actions out.
func (w *window) do(actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		w.t.Fatalf("%s: %v", w.name, err)
	}
}

// wait waits until a JavaScript expression is true.
func (w *window) wait(expression string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(0))); err != nil {
		w.t.Fatalf("%s waits for %s: %v", w.name, expression, err)
	}
}

// screenshot writes what the window shows to a file, for people to look at.
func (w *window) screenshot(file string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		w.t.Fatalf("%s: %v", w.name, err)
	}
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		dir = w.t.TempDir()
	}
	if err := os.WriteFile(filepath.Join(dir, file), picture, 0o644); err != nil {
		w.t.Fatal(err)
	}
}
