package python

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// template is a process that has imported the application and forks workers. They are children of weir: of the two forks that make one, the process between
// ends at once, and weir is who adopts what that leaves behind. So the death of a template concerns none of its workers.
type template struct {
	supervisor *Supervisor
	command    *exec.Cmd
	pid        int
	connection *os.File
	fd         int // its descriptor
	output     output
	born       int64         // when it could fork
	renews     bool          // a newer one was asked for while templates were started
	exited     chan struct{} // closed when nothing of it is left
	status     string        // how it ended; set before exited is closed

	forking  sync.Mutex // held from a CONFIG or a FORK to its answer
	receiver receiver   // of the one who has forking
}

// templates has the newest template.
type templates struct {
	mu      sync.Mutex
	newest  *template     // nil: none yet
	changed chan struct{} // closed when newest becomes another
	renew   chan struct{} // asks for a newer one; room for one
}

func (t *templates) set(newest *template) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.newest = newest
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *templates) get() (newest *template, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.newest, t.changed
}

// ask asks for a newer template.
func (t *templates) ask() {
	select {
	case t.renew <- struct{}{}:
	default:
	}
}

const (
	// forkTime is how long a template may take to fork before it is killed, farewellTime how long it may take to end.
	forkTime     = 10 * time.Second
	farewellTime = 5 * time.Second
)

var errTemplateEnded = errors.New("the template has ended")

// launchTemplate starts a template and waits until it can fork. It starts another when a newer one is asked for meanwhile.
func (s *Supervisor) launchTemplate() (t *template, err error) {
	renews := false
	for {
		if t, err = s.launchTemplateOnce(); !errors.Is(err, errOutdated) {
			break
		}
		renews = true
	}
	if err == nil {
		t.renews = renews
	}
	return t, err
}

func (s *Supervisor) launchTemplateOnce() (*template, error) {
	t, err := s.startTemplate()
	if err != nil {
		return nil, err
	}
	defer s.watchImport(t.command.Process)()
	answered := make(chan error, 1)
	go func() {
		defer t.forking.Unlock()
		_, err := t.answer(frameReady)
		answered <- err
	}()
	select {
	case err = <-answered:
	case <-s.templates.renew:
		err = errOutdated
	case <-s.stopping:
		err = errUnwanted
	}
	if err == nil {
		t.born = now()
		return t, nil
	}
	t.kill()
	<-t.exited
	if errors.Is(err, errTemplateEnded) {
		err = errors.New("the template has ended before it could fork: " + t.status)
	}
	return nil, err
}

// startTemplate starts a template. The caller has forking.
func (s *Supervisor) startTemplate() (*template, error) {
	t := &template{supervisor: s, exited: make(chan struct{})}
	var theirs *os.File
	var err error
	if t.connection, theirs, err = socketPair(); err != nil {
		return nil, err
	}
	defer theirs.Close()
	t.fd = int(t.connection.Fd())
	pipes, err := t.output.open()
	if err == nil {
		t.command, err = s.execute("weir-template", pipes, theirs)
	}
	closeAll(pipes)
	if err != nil {
		_ = t.connection.Close()
		t.output.close()
		return nil, err
	}
	t.pid = t.command.Process.Pid
	t.output.log(s.options.Output, t.pid)
	t.forking.Lock()
	s.group.Add(1)
	go t.wait()
	_, _ = sendPacket(t.fd, s.templateConfig) // an error: it has died, which is noticed elsewhere
	return t, nil
}

// wait waits for the end of the process, and sees to what it leaves behind.
func (t *template) wait() {
	defer t.supervisor.group.Done()
	t.status = ending(t.command.Process.Wait())
	go reapGroup(t.pid) // a worker that nobody was told of, too
	endOfConnection(t.fd)
	t.forking.Lock()
	defer t.forking.Unlock()
	_ = t.connection.Close()
	t.output.stop()
	t.output.close()
	close(t.exited)
}

// fork has a worker forked that gets these files, and returns its process.
func (t *template) fork(files ...*os.File) (*os.Process, error) {
	t.forking.Lock()
	defer t.forking.Unlock()
	select {
	case <-t.exited:
		return nil, errTemplateEnded
	default:
	}
	late := time.AfterFunc(forkTime, t.kill)
	defer late.Stop()
	if err := sendFiles(t.fd, appendFrame(nil, frameFork, 0, 0, nil), files); err != nil {
		return nil, errTemplateEnded
	}
	f, err := t.answer(frameForked)
	if err != nil {
		return nil, err
	}
	return os.FindProcess(int(f.number))
}

// answer receives a frame of that type, or that says why there is none.
func (t *template) answer(kind frameType) (f frame, err error) {
	packet, file, err := t.receiver.receive(t.fd, true)
	closeFile(file)
	if err != nil || packet == nil {
		return f, errTemplateEnded
	}
	switch f, _, err = nextFrame(packet); {
	case err != nil:
		return f, err
	case f.kind == frameFailed:
		return f, &StartError{Traceback: string(f.payload)}
	case f.kind != kind:
		return f, fmt.Errorf("python: the template has sent a frame of type %d", f.kind)
	}
	return f, nil
}

func (t *template) kill() { _ = t.command.Process.Kill() }

// dismiss has t end.
func (t *template) dismiss() {
	endOfConnection(t.fd)
	late := time.AfterFunc(farewellTime, t.kill)
	defer late.Stop()
	<-t.exited
}

// living returns the newest template. When that has ended, it waits for another.
func (s *Supervisor) living() (*template, error) {
	for {
		t, changed := s.templates.get()
		select {
		case <-t.exited:
		default:
			return t, nil
		}
		select {
		case <-changed:
		case <-s.stopping:
			return nil, errUnwanted
		}
	}
}

// startForked has the process of w forked. With errTemplateEnded there may be one that nobody knows of, which has the files: they must not be
// given to another.
//
// Linux would end the process with its parent, which ends at once: a pipe tells it of the end of weir.
func (s *Supervisor) startForked(w *worker, files []*os.File) error {
	t, err := s.living()
	if err != nil {
		return err
	}
	end, lifeline, err := os.Pipe()
	if err != nil {
		return err
	}
	defer end.Close()
	w.lifeline = lifeline
	if w.process, err = t.fork(append(files, end)...); errors.Is(err, errTemplateEnded) {
		<-t.exited
	}
	return err
}

// keepTemplate sees to it that there is a template, at first t, until Shutdown.
func (s *Supervisor) keepTemplate(t *template) {
	defer s.group.Done()
	for {
		select {
		case <-t.exited:
			s.log.Error("template has died; its workers go on", "pid", t.pid, "status", t.status)
			var delay time.Duration
			if now()-t.born < int64(bornTime) {
				delay = firstDelay
			}
			next, ok := persist(s, delay, s.launchTemplate)
			if !ok {
				return
			}
			t = next
			s.templates.set(t)
			if t.renews {
				s.replaceWorkers()
			}
		case <-s.templates.renew:
			next, err := s.launchTemplate()
			if err == nil {
				s.log.Info("template is replaced", "pid", t.pid, "by", next.pid)
				s.templates.set(next)
				s.group.Go(t.dismiss)
				t = next
				s.replaceWorkers()
			} else if !errors.Is(err, errUnwanted) {
				s.logStart(err, lastDelay)
				time.AfterFunc(lastDelay, s.templates.ask)
			}
		case <-s.stopping:
			t.dismiss()
			return
		}
	}
}
