package server_test

import (
	"bufio"
	"errors"
	"os"
	"sync/atomic"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// pipe is a pipe that a loop reads from.
type pipe struct {
	r, w *os.File
	fd   int
}

func newPipe(t *testing.T) *pipe {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &pipe{r: r, w: w, fd: int(r.Fd())}
	t.Cleanup(func() { _, _ = p.r.Close(), p.w.Close() })
	return p
}

func (p *pipe) write(t *testing.T, text string) {
	t.Helper()
	if _, err := p.w.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// onPoller calls f on the loop of a request, from a descriptor that the loop waits for.
func onPoller(poller app.Poller, f func() error) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	fd, result := int(r.Fd()), make(chan error, 1)
	err = poller.AddReader(fd, func() {
		poller.RemoveReader(fd)
		result <- f()
	}, func() { result <- errors.New("the loop has ended") })
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte("x")); err != nil {
		return err
	}
	return <-result
}

// answerOnPoller answers by Poller.Answer, and uses what it has given to it for something else afterwards.
func answerOnPoller(r *app.Response) func(d app.Deferred) error {
	return func(d app.Deferred) error {
		mine := &app.Response{Status: r.Status, Headers: append([]app.Header(nil), r.Headers...), Content: append([]byte(nil), r.Content...)}
		poller := d.Executor().(app.Poller)
		return onPoller(poller, func() error {
			err := poller.Answer(d, mine)
			mine.Status = "500 Wrong"
			clear(mine.Headers)
			clear(mine.Content)
			return err
		})
	}
}

// TestPoller: a descriptor is announced as long as there is something to read, until it is removed or the loop ends.
func TestPoller(t *testing.T) {
	l := newLot()
	s := serve(t, server.Config{Loops: 1, Application: l.application()})
	c := s.dial()
	send(t, c, get("/defer"))
	d := l.take(t)
	poller := d.Executor().(app.Poller)
	p := newPipe(t)
	var calls, ends atomic.Int64
	first := make([]byte, 1)
	readable := func() {
		calls.Add(1)
		if _, err := p.r.Read(first); err != nil {
			t.Error(err)
		}
		if first[0] == '.' {
			poller.RemoveReader(p.fd)
		}
	}
	if err := poller.AddReader(p.fd, readable, func() { ends.Add(1) }); err != nil {
		t.Fatal(err)
	}
	p.write(t, "abc.de")
	until(t, "it is removed", func() bool { return calls.Load() == 4 })
	elsewhere(t, s)
	if n := calls.Load(); n != 4 {
		t.Errorf("%d calls", n)
	}
	if err := poller.AddReader(p.fd, readable, func() { ends.Add(1) }); err != nil {
		t.Fatal(err)
	}
	until(t, "the rest is read", func() bool { return calls.Load() == 6 })
	_ = d.Answer(response("answer"))
	expectAnswers(t, bufio.NewReader(c), "answer")
	s.hangUp()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if n := ends.Load(); n != 1 {
		t.Errorf("told %d times of the end", n)
	}
	if err := poller.AddReader(p.fd, readable, nil); err != app.ErrGone {
		t.Errorf("%v, want ErrGone", err)
	}
}

// TestPollerAnswer: requests of the same loop and of another one, and such that are answered twice.
func TestPollerAnswer(t *testing.T) {
	l := newLot()
	s := serve(t, server.Config{Loops: 2, Application: l.application()})
	var pollers []app.Poller
	var deferred []app.Deferred
	var ins []*bufio.Reader
	until(t, "requests on both loops", func() bool {
		c := s.dial()
		send(t, c, get("/defer"))
		ins = append(ins, bufio.NewReader(c))
		d := l.take(t)
		deferred = append(deferred, d)
		poller := d.Executor().(app.Poller)
		if len(pollers) == 0 || pollers[0] != poller {
			pollers = append(pollers, poller)
		}
		return len(pollers) == 2
	})
	for i, d := range deferred {
		err := onPoller(pollers[0], func() error {
			r := response("answer")
			err := pollers[0].Answer(d, r)
			clear(r.Content)
			if pollers[0].Answer(d, r) != app.ErrGone {
				t.Error("it is answered again")
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		expectAnswers(t, ins[i], "answer")
	}
}
