// Package deploy_test checks the files for containers in deploy/, as far as that goes without Docker and a cluster: with the parser of BuildKit, with the types of
// Kubernetes' API, and with the very binary that the image has, in a folder that is its root.
package deploy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
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

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// folder has the files.
const folder = "../../deploy"

// image is the folder that is the root of the image of the Dockerfile, with its binary.
var image string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	var err error
	if image, err = os.MkdirTemp("", "weir"); err == nil {
		defer os.RemoveAll(image)
		if err = os.Chmod(image, 0o755); err == nil {
			err = buildImage()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// buildImage runs the command of the Dockerfile that builds the binary.
func buildImage() error {
	d, err := read("Dockerfile")
	if err != nil {
		return err
	}
	for _, stage := range d.stages {
		for _, c := range stage.Commands {
			run, ok := c.(*instructions.RunCommand)
			if !ok || !strings.Contains(run.CmdLine[0], "go build") {
				continue
			}
			line := strings.Replace(run.CmdLine[0], "-o /weir ", "-o "+filepath.Join(image, "weir")+" ", 1)
			build := exec.Command("sh", "-c", line)
			build.Dir, build.Env = "../..", append(os.Environ(), "PACKAGE=./cmd/weir")
			if out, err := build.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w\n%s", line, err, out)
			}
			return nil
		}
	}
	return fmt.Errorf("no command of the Dockerfile builds anything")
}

// dockerfile is one that was parsed.
type dockerfile struct {
	stages []instructions.Stage
	last   lastStage
}

// lastStage is what the image has of the last stage.
type lastStage struct {
	instructions.Stage
	user, stop, entrypoint, command []string
	ports                           []string
	health                          []string
	environ                         []string
}

func read(name string) (*dockerfile, error) {
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return nil, err
	}
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(result.Warnings) > 0 {
		return nil, fmt.Errorf("%s: %+v", name, result.Warnings)
	}
	stages, _, err := instructions.Parse(result.AST, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	d := &dockerfile{stages: stages}
	l := &d.last
	l.Stage = stages[len(stages)-1]
	for _, c := range l.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			l.user = append(l.user, c.User)
		case *instructions.StopSignalCommand:
			l.stop = append(l.stop, c.Signal)
		case *instructions.EntrypointCommand:
			l.entrypoint = c.CmdLine
		case *instructions.CmdCommand:
			l.command = c.CmdLine
		case *instructions.ExposeCommand:
			l.ports = append(l.ports, c.Ports...)
		case *instructions.HealthCheckCommand:
			l.health = c.Health.Test
		case *instructions.EnvCommand:
			for _, pair := range c.Env {
				l.environ = append(l.environ, pair.Key+"="+pair.Value)
			}
		}
	}
	return d, nil
}

// server is a weir as a container has it.
type server struct {
	t         *testing.T
	cmd       *exec.Cmd
	at, admin string
	mu        sync.Mutex
	stderr    bytes.Buffer
}

// start starts weir, with the ports of the arguments chosen by the system. Where it can be, it is in a folder that has nothing but it, process 1, and a user that
// has no name.
func start(t *testing.T, contained bool, args ...string) *server {
	t.Helper()
	for i, arg := range args {
		args[i] = regexp.MustCompile(`^(\[::\]):\d+$`).ReplaceAllString(arg, "$1:0")
	}
	s := &server{t: t}
	command := func(attributes *syscall.SysProcAttr) (io.Reader, io.Reader) {
		s.cmd = exec.Command(filepath.Join(image, "weir"), args...)
		if s.cmd.SysProcAttr = attributes; attributes != nil {
			s.cmd.Path, s.cmd.Dir, s.cmd.Env = "/weir", "/", []string{}
		}
		out, err := s.cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		errs, err := s.cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		return out, errs
	}
	var attributes *syscall.SysProcAttr
	if contained && os.Getuid() == 0 {
		attributes = &syscall.SysProcAttr{Chroot: image, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}, Cloneflags: syscall.CLONE_NEWPID}
	}
	out, errs := command(attributes)
	err := s.cmd.Start()
	if err != nil && attributes != nil { // the tests run in a container themselves, which may not make others
		t.Log("not process 1: ", err)
		attributes.Cloneflags = 0
		out, errs = command(attributes)
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	timer := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		for lines := bufio.NewScanner(errs); lines.Scan(); {
			s.mu.Lock()
			s.stderr.WriteString(lines.Text() + "\n")
			s.mu.Unlock()
		}
	}()
	reader := bufio.NewReader(out)
	line, err := reader.ReadString('\n')
	if err != nil {
		<-logged
		t.Fatalf("weir %q: %v\n%s", args, err, s.log())
	}
	go io.Copy(io.Discard, reader)
	if m := regexp.MustCompile(` at http://\S*(:\d+) with .* pid (\d+)`).FindStringSubmatch(line); m != nil {
		s.at = "127.0.0.1" + m[1]
		if attributes != nil && attributes.Cloneflags != 0 && m[2] != "1" {
			t.Errorf("weir said %q", line)
		}
	}
	for deadline := time.Now().Add(patience); s.admin == "" && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if m := regexp.MustCompile(`operators may ask.*address\S*?(:\d+)`).FindStringSubmatch(s.log()); m != nil {
			s.admin = "127.0.0.1" + m[1]
		}
	}
	if s.at == "" || s.admin == "" {
		t.Fatalf("weir said %q\n%s", line, s.log())
	}
	return s
}

func (s *server) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.String()
}

// ask returns the status of a GET.
func (s *server) ask(url string) int {
	s.t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// stop sends a signal and waits for the end.
func (s *server) stop(signal syscall.Signal) {
	s.t.Helper()
	_ = s.cmd.Process.Signal(signal)
	timer := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("at the end: %v\n%s", err, s.log())
	}
}
