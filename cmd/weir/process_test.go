package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen. It is met long before, on slow machines too.
const patience = 30 * time.Second

// binary is weir, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

// together is how many of the tests run at a time that may, where -parallel does not say. They wait for processes more than they compute.
//
// Those stay alone that measure memory or set variables. A test must not write a program that weir is to start: others that start theirs at that moment
// have it open, and the system does not start what is open for writing.
const together = 4

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "weir")
	build := exec.Command("go", "build", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(together))
	}
	return m.Run()
}

// process is a weir that serves.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	line   string   // that it said when it was ready
	at     []string // addresses, of that line
	stderr lockedBuffer
	stdout lockedBuffer  // behind that line
	ended  chan struct{} // closed at the end of stdout
	once   sync.Once
	status int
}

// start starts weir and waits for its line. files are its descriptors from 3 on.
func start(t *testing.T, files []*os.File, args ...string) *process {
	t.Helper()
	return startBy(t, files, append([]string{binary}, args...)...)
}

// startBy starts weir by a command line that has others run it.
func startBy(t *testing.T, files []*os.File, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(args[0], args[1:]...)}
	p.cmd.ExtraFiles = files
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
	})
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	r := bufio.NewReader(out)
	p.line, err = r.ReadString('\n')
	timer.Stop()
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		_, _ = io.Copy(&p.stdout, r)
	}()
	if err != nil {
		p.wait()
		t.Fatalf("weir %q said nothing: %v\n%s", args, err, p.stderr.String())
	}
	at := regexp.MustCompile(` at (.*) with `).FindStringSubmatch(p.line)
	if at == nil {
		t.Fatalf("weir %q said %q", args, p.line)
	}
	for _, url := range strings.Split(at[1], " and ") {
		p.at = append(p.at, strings.TrimPrefix(strings.TrimPrefix(url, "http://"), "https://"))
	}
	return p
}

// wait waits for the end, and returns the exit status.
func (p *process) wait() int {
	p.once.Do(func() {
		timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
		defer timer.Stop()
		<-p.ended
		_ = p.cmd.Wait()
		p.status = p.cmd.ProcessState.ExitCode()
	})
	return p.status
}

// said is what weir has said last, when it has ended.
func (p *process) said() string {
	lines := strings.Split(strings.TrimSuffix(p.stdout.String(), "\n"), "\n")
	return lines[len(lines)-1]
}

// stop sends SIGTERM and returns the exit status.
func (p *process) stop() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	return p.wait()
}

func (p *process) dial() net.Conn {
	p.t.Helper()
	return dialTo(p.t, p.at[0])
}

func dialTo(t *testing.T, address string) net.Conn {
	t.Helper()
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// ownHost is an address of this machine that nobody else uses, so that a port of it stays free which was let go.
func ownHost() string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 1+hosts.Add(1)%250, pid>>8&0xff, pid&0xff)
}

var hosts atomic.Uint32

// reply is a response, read whole.
type reply struct {
	*http.Response
	body string
}

// ask sends a request with Connection: close and returns the response. rest is what follows the request line.
func (p *process) ask(method, target string, rest ...string) reply {
	p.t.Helper()
	return askAt(p.t, p.at[0], method, target, rest...)
}

func askAt(t *testing.T, address, method, target string, rest ...string) reply {
	t.Helper()
	c := dialTo(t, address)
	defer c.Close()
	request := method + " " + target + " HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n" + strings.Join(rest, "")
	if !strings.Contains(request, "\r\n\r\n") {
		request += "\r\n"
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response, string(body)}
}

// runToEnd runs weir to its end.
func runToEnd(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}
