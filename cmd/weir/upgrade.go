package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/weirhttp/weir/server"
)

// The upgrade without a gap: SIGUSR2 has weir start its successor, which is the binary that has its name by then, with the same command line. The
// successor inherits every listening socket, so that no connection which waits in a queue is lost, and says when it serves; only then does weir stop
// accepting, and drains. Until that moment whatever goes wrong is the successor's end, and nothing has happened.

// upgradeFlags are about SIGUSR2.
type upgradeFlags struct {
	UpgradeTimeout time.Duration `default:"60s" help:"How long a new weir that SIGUSR2 has started may take until it serves."`
}

func (f *upgradeFlags) check() error {
	if f.UpgradeTimeout <= 0 {
		return &usageError{"--upgrade-timeout must be more than 0"}
	}
	return nil
}

// inheritVariable is how the successor is told what it inherits.
const inheritVariable = "WEIR_INHERIT"

// inheritance is the content of the variable.
type inheritance struct {
	Ready     int                `json:"ready"` // descriptor of a pipe, for the word that the successor serves
	Listeners []server.Inherited `json:"listeners"`
	Admin     *server.Inherited  `json:"admin,omitempty"`
	// Passed are the sockets that systemd has passed to the first weir, by the numbers that they had there: their addresses among Listeners.
	Passed []passedSocket `json:"passed,omitempty"`
}

// passed are the sockets of systemd, which are listeners now.
func (in *inheritance) passed() passed {
	if in == nil {
		return nil
	}
	return in.Passed
}

// all are all listeners.
func (in *inheritance) all() []*server.Inherited {
	var list []*server.Inherited
	for i := range in.Listeners {
		list = append(list, &in.Listeners[i])
	}
	if in.Admin != nil {
		list = append(list, in.Admin)
	}
	return list
}

// inherited is what the process was started with; nil when nobody was before it. The variable is removed: workers have no say in this.
var inherited = sync.OnceValues(func() (*inheritance, error) {
	text := os.Getenv(inheritVariable)
	_ = os.Unsetenv(inheritVariable)
	if text == "" {
		return nil, nil
	}
	var in inheritance
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return nil, fmt.Errorf("%s is for weir itself to set: %w", inheritVariable, err)
	}
	syscall.CloseOnExec(in.Ready)
	predecessor = os.Getppid()
	for _, ln := range in.all() {
		for _, fd := range ln.Descriptors {
			syscall.CloseOnExec(fd)
		}
	}
	return &in, nil
})

// readyWord is what the successor says when it serves.
const readyWord = "ready"

// takeOver tells the predecessor, if there is one, that this process serves.
func (l *lifecycle) takeOver() error {
	in, err := inherited()
	if in == nil || err != nil {
		return err
	}
	ready := os.NewFile(uintptr(in.Ready), "ready")
	_, err = ready.WriteString(readyWord)
	if err = errors.Join(err, ready.Close()); err != nil {
		return fmt.Errorf("the weir that was to be replaced goes on without this one: %w", err)
	}
	l.server.Own()
	switch {
	case in.Admin == nil:
	case l.admin.Has(*in.Admin):
		l.admin.Own(*in.Admin)
	default:
		in.Admin.Drop()
	}
	if err := l.nameProcess(); err != nil { // nobody else serves any more: this is no reason to end
		slog.Error("the pid file still names the weir before this one", "error", err)
	}
	return nil
}

// program is the path of the binary, by the name that it was started by: a link may have another target by the time of an upgrade.
var program = func() string {
	path, err := exec.LookPath(os.Args[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		path, _ = os.Executable()
	}
	return path
}()

// successor is a weir that was started to take over.
type successor struct {
	pid   int
	path  string
	ready *os.File
	ended chan struct{} // closed when the process has ended
	state string        // how; set before
}

// startSuccessor starts one. The descriptors are listed in the order of their numbers there.
func (l *lifecycle) startSuccessor() (*successor, error) {
	ready, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	// Bare descriptors: an os.File would make the sockets blocking.
	files := []uintptr{0, 1, 2, theirs.Fd()}
	in := inheritance{Ready: len(files) - 1, Listeners: l.server.Descriptors()}
	if in.Passed, err = passedSockets(); err != nil {
		return nil, err
	}
	if l.admin != nil {
		ln := l.admin.Descriptors()
		in.Admin = &ln
	}
	for _, ln := range in.all() {
		var there []int
		for _, fd := range ln.Descriptors {
			there = append(there, len(files))
			files = append(files, uintptr(fd))
		}
		ln.Descriptors = there
	}
	text, err := json.Marshal(in)
	if err != nil {
		panic(err) // of a struct of ours
	}
	pid, err := syscall.ForkExec(program, os.Args, &syscall.ProcAttr{Env: append(append(os.Environ(), manager().environ()...), inheritVariable+"="+string(text)), Files: files})
	if err != nil {
		_ = ready.Close()
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	n := &successor{pid: pid, path: program, ready: ready, ended: make(chan struct{})}
	go n.wait()
	return n, nil
}

// wait waits for the end of the process.
func (n *successor) wait() {
	process, err := os.FindProcess(n.pid)
	if err == nil {
		var state *os.ProcessState
		if state, err = process.Wait(); err == nil {
			n.state = state.String()
		}
	}
	if err != nil {
		n.state = err.Error()
	}
	close(n.ended)
}

// giveUp has a successor end that does not serve yet, as far as is known.
func (n *successor) giveUp() { _ = syscall.Kill(n.pid, syscall.SIGTERM) }

// farewellTime is how long a successor that was given up may take to end.
const farewellTime = 10 * time.Second

// serves waits until the successor serves, for at most limit. One that does not is ended.
func (n *successor) serves(limit time.Duration) error {
	_ = n.ready.SetReadDeadline(time.Now().Add(limit))
	text, err := io.ReadAll(n.ready)
	_ = n.ready.Close() // from here on it cannot take over any more
	if string(text) == readyWord {
		return nil
	}
	why := fmt.Sprintf("it was not ready in %v", limit)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		select {
		case <-n.ended:
			return errors.New("it has ended: " + n.state)
		case <-time.After(farewellTime):
			why = "it has said nothing"
		}
	}
	n.giveUp()
	select {
	case <-n.ended:
	case <-time.After(farewellTime):
		_ = syscall.Kill(n.pid, syscall.SIGKILL)
		<-n.ended
	}
	return errors.New(why)
}

// upgrade starts the successor. What becomes of it comes by l.succeeded.
func (l *lifecycle) upgrade() {
	switch {
	case l.successor != nil:
		slog.Warn("SIGUSR2: a new weir is starting already", "pid", l.successor.pid)
		return
	case os.Getpid() == 1:
		slog.Error("SIGUSR2: weir is process 1, with whose end the container ends: start another container")
		return
	}
	n, err := l.startSuccessor()
	if err != nil {
		slog.Error("SIGUSR2: a new weir cannot be started, this one goes on", "error", err)
		return
	}
	slog.Info("SIGUSR2: a new weir is starting", "pid", n.pid, "binary", n.path, "command line", strings.Join(os.Args[1:], " "))
	l.successor = n
	go func() { l.succeeded <- n.serves(time.Duration(l.upgradeTimeout.Load())) }()
}

// handOver ends weir when its successor serves, and not otherwise.
func (l *lifecycle) handOver(err error) {
	n := l.successor
	l.successor = nil
	switch {
	case l.why != "": // it was given up
	case err != nil:
		slog.Error("the new weir does not serve, this one goes on", "pid", n.pid, "because", err)
	default:
		l.server.Leave()
		if l.admin != nil {
			l.admin.Leave()
		}
		l.next = n.pid
		manager().handOver(n.pid)
		l.end(fmt.Sprintf("SIGUSR2 (%d serves in its place)", n.pid), l.gracefully())
	}
}
