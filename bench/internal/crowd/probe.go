package crowd

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/response"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// Greeting is what servers answer at /plaintext.
const Greeting = "Hello, World!"

const (
	probeEvery   = 5 * time.Millisecond // between requests: 200 a second
	probeTimeout = 5 * time.Second      // for an answer; later is an error
	probeNice    = -10                  // where it is allowed
)

// A probe asks for /plaintext on one connection at fixed times, whatever the server does. A latency counts from when a
// request should have been sent. It makes blocking system calls on a thread of its own, ahead of others in the queue
// for a core where that is allowed: the figures are to be about the server, and not about the crowd beside it.
type probe struct {
	target syscall.SockaddrInet4
	hello  []byte
	quit   chan struct{}
	done   chan struct{}
	ready  chan error

	// The probe's own, and the starter's after done.
	fd      int
	buffer  []byte
	samples []sample
	failed  int
	first   error
}

// A sample is one request.
type sample struct {
	due  time.Time
	took time.Duration
}

// A span is the time of a wake.
type span struct{ from, to time.Time }

// startProbe makes one request, and begins.
func startProbe(plan Plan) (*probe, error) {
	target, err := parseTarget(plan.Addr)
	if err != nil {
		return nil, err
	}
	p := &probe{target: target, hello: helloRequest(plan.Targets.Hello), fd: -1, buffer: make([]byte, 4<<10),
		quit: make(chan struct{}), done: make(chan struct{}), ready: make(chan error, 1)}
	go p.run()
	return p, <-p.ready
}

// stop may be called twice. The samples may be read after it.
func (p *probe) stop() {
	select {
	case <-p.quit:
	default:
		close(p.quit)
	}
	<-p.done
}

func (p *probe) run() {
	runtime.LockOSThread() // and never unlocked: the thread ends with its priority
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, probeNice)
	defer close(p.done)
	defer p.disconnect()
	if err := p.exchange(); err != nil {
		p.ready <- fmt.Errorf("/plaintext: %w", err)
		return
	}
	p.ready <- nil
	for due := time.Now(); ; due = due.Add(probeEvery) {
		for wait := time.Until(due); wait > 0; wait = time.Until(due) {
			length := syscall.NsecToTimespec(int64(wait))
			_ = syscall.Nanosleep(&length, nil) // it may be interrupted
		}
		select {
		case <-p.quit:
			return
		default:
		}
		if err := p.exchange(); err != nil {
			p.disconnect()
			if p.failed++; p.first == nil {
				p.first = err
			}
		}
		p.samples = append(p.samples, sample{due, time.Since(due)})
	}
}

// exchange makes a request, on a new connection where there is none.
func (p *probe) exchange() (err error) {
	if p.fd < 0 {
		if p.fd, err = connect(p.target, [4]byte{127, 0, 0, 1}, false); err != nil {
			return err
		}
		limit := syscall.NsecToTimeval(int64(probeTimeout))
		err = errors.Join(syscall.SetNonblock(p.fd, false),
			syscall.SetsockoptTimeval(p.fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit))
		if err != nil {
			return err
		}
	}
	if err := writeAll(p.fd, p.hello); err != nil {
		return err
	}
	for n := 0; ; {
		m, err := syscall.Read(p.fd, p.buffer[n:])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("read: %w", err)
		case m == 0:
			return errors.New("closed by the server")
		}
		n += m
		r, size, err := response.Parse(p.buffer[:n])
		switch {
		case err != nil:
			return err
		case size == 0:
			continue
		case r.Status != 200 || size != n || !bytes.Equal(r.Content, []byte(Greeting)):
			return fmt.Errorf("answered with %d %.40q", r.Status, r.Content)
		}
		if r.Closing {
			p.disconnect()
		}
		return nil
	}
}

func (p *probe) disconnect() {
	if p.fd >= 0 {
		_ = syscall.Close(p.fd)
		p.fd = -1
	}
}

// result sorts the samples into those that a wake has met and the others.
func (p *probe) result(wakes []span) *ProbeResult {
	var quiet, waking []time.Duration
	for _, s := range p.samples {
		met := slices.ContainsFunc(wakes, func(w span) bool { return s.due.Before(w.to) && s.due.Add(s.took).After(w.from) })
		if met {
			waking = append(waking, s.took)
		} else {
			quiet = append(quiet, s.took)
		}
	}
	result := &ProbeResult{Quiet: verdict.Quantile(quiet, 0.99), Waking: verdict.Quantile(waking, 0.99), InWakes: len(waking),
		Requests: len(p.samples), Errors: p.failed}
	if p.first != nil {
		result.First = p.first.Error()
	}
	return result
}
