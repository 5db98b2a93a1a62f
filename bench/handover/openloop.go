package handover

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirhttp/weir/bench/internal/verdict"
)

// openNice is the priority of the thread where it may not be a real-time one.
const openNice = -10

// A sample is one request. Times count from the loop's beginning.
type sample struct {
	due  time.Duration
	late time.Duration // between when it could have been sent and when it was: what the client itself adds
	took time.Duration // since it was due
}

// An openLoop asks for /plaintext at fixed times, whatever the server does, on several connections in turn. A request that is
// due while the one before it on its connection has no answer is sent when that is there, and its latency counts from when it
// was due. One thread makes blocking system calls; connections have no goroutines. The first error ends it.
type openLoop struct {
	addr  string
	every time.Duration // between requests
	end   atomic.Int64  // what is due after it is not sent, as a time since began
	began time.Time
	ready chan error
	done  chan struct{}

	// The thread's own, and the starter's after done.
	clients []openClient
	polled  []unix.PollFd // of the clients, in their order
	samples []sample
	err     error
}

type openClient struct {
	fd   int
	due  time.Duration // of the request under way, or else of the next one
	free time.Duration // when the answer before it came
	sent time.Duration
	busy bool
	room []byte
	n    int
}

// startOpenLoop connects, makes a request on each connection, and begins. It ends by itself after most.
func startOpenLoop(addr string, connections, rate int, most time.Duration) (*openLoop, error) {
	l := &openLoop{addr: addr, every: time.Second / time.Duration(rate), ready: make(chan error, 1), done: make(chan struct{})}
	l.end.Store(int64(most))
	l.clients = make([]openClient, connections)
	l.polled = make([]unix.PollFd, connections)
	l.samples = make([]sample, 0, int(most/l.every)+connections)
	go l.run()
	return l, <-l.ready
}

// now is the time in the loop. Any goroutine, once it has started.
func (l *openLoop) now() time.Duration { return time.Since(l.began) }

// stop waits for the answers to all that was due before, and returns what was measured.
func (l *openLoop) stop() ([]sample, error) {
	l.end.Store(min(l.end.Load(), int64(l.now())))
	<-l.done
	return l.samples, l.err
}

func (l *openLoop) run() {
	runtime.LockOSThread() // and never unlocked: the thread ends with its priority
	beFirst()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // it wakes up a little later else
	defer close(l.done)
	defer l.disconnect()
	err := l.connect()
	l.began = time.Now()
	for i := range l.clients {
		l.clients[i].due = time.Duration(i) * l.every
	}
	l.ready <- err
	if err == nil {
		l.err = l.serve()
	}
}

func (l *openLoop) serve() error {
	request := requestFor(plaintext)
	for {
		wait, err := l.send(request)
		if err != nil || wait < 0 {
			return err
		}
		if err := l.receive(wait); err != nil {
			return err
		}
	}
}

// send sends what is due and can be sent, and returns how long it is until something else is; -1 when all is done.
func (l *openLoop) send(request []byte) (time.Duration, error) {
	now, end := l.now(), time.Duration(l.end.Load())
	next := time.Duration(-1) // nothing is left to do
	for i := range l.clients {
		c := &l.clients[i]
		if !c.busy && c.due <= now && c.due < end {
			if n, err := unix.Write(c.fd, request); err != nil || n < len(request) {
				return 0, fmt.Errorf("write: %d octets, %w", n, err)
			}
			c.busy, c.sent = true, now
		}
		var at time.Duration
		switch {
		case c.busy:
			at = c.sent + answerWithin
			if at < now {
				return 0, fmt.Errorf("no answer within %v", answerWithin)
			}
		case c.due < end:
			at = c.due
		default:
			continue
		}
		if next < 0 || at < next {
			next = at
		}
	}
	if next < 0 {
		return -1, nil
	}
	return max(next-l.now(), 0), nil
}

// receive waits for answers, and takes them.
func (l *openLoop) receive(wait time.Duration) error {
	most := unix.NsecToTimespec(int64(wait))
	ready, err := unix.Ppoll(l.polled, &most, nil)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("ppoll: %w", err)
	}
	for i := 0; i < len(l.clients) && ready > 0; i++ {
		if l.polled[i].Revents == 0 {
			continue
		}
		l.polled[i].Revents = 0
		ready--
		if err := l.take(&l.clients[i]); err != nil {
			return err
		}
	}
	return nil
}

func (l *openLoop) take(c *openClient) error {
	n, err := unix.Read(c.fd, c.room[c.n:])
	switch {
	case errors.Is(err, unix.EINTR):
		return nil // it is told again
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case n == 0:
		return errors.New("closed by the server")
	case !c.busy:
		return fmt.Errorf("%d octets that nothing was asked for", n)
	}
	c.n += n
	size, err := judge(c.room[:c.n], greeting)
	switch {
	case err != nil:
		return err
	case size == 0:
		return nil
	case size < c.n:
		return fmt.Errorf("%d octets behind an answer", c.n-size)
	}
	now := l.now()
	l.samples = append(l.samples, sample{due: c.due, late: c.sent - max(c.due, c.free), took: now - c.due})
	c.busy, c.n, c.free = false, 0, now
	c.due += l.every * time.Duration(len(l.clients))
	return nil
}

// connect opens the connections one after the other, each with a request, so that loops get them in turn.
func (l *openLoop) connect() error {
	to, err := netip.ParseAddrPort(l.addr)
	if err != nil {
		return err
	}
	for i := range l.clients {
		l.clients[i].fd = -1
	}
	for i := range l.clients {
		c := &l.clients[i]
		c.room = make([]byte, 4<<10)
		if c.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return fmt.Errorf("socket: %w", err)
		}
		l.polled[i] = unix.PollFd{Fd: int32(c.fd), Events: unix.POLLIN}
		limit := unix.NsecToTimeval(int64(answerWithin))
		err := errors.Join(
			unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
			unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit),
			unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		)
		if err == nil {
			err = unix.Connect(c.fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
		}
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		if _, err := unix.Write(c.fd, requestFor(plaintext)); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		for c.busy = true; c.busy; {
			if err := l.take(c); err != nil {
				return err
			}
		}
	}
	l.samples = l.samples[:0] // and times begin only now
	for i := range l.clients {
		l.clients[i].free = 0
	}
	return nil
}

func (l *openLoop) disconnect() {
	for _, c := range l.clients {
		if c.fd >= 0 {
			_ = unix.Close(c.fd)
		}
	}
}

// tooks are the latencies of the samples that were due or under way between two times.
func tooks(samples []sample, from, to time.Duration) (all []time.Duration) {
	for _, s := range samples {
		if s.due < to && s.due+s.took > from {
			all = append(all, s.took)
		}
	}
	return all
}

// late is the p99 of what the client itself adds.
func late(samples []sample) time.Duration {
	waits := make([]time.Duration, len(samples))
	for i, s := range samples {
		waits[i] = s.late
	}
	return verdict.Quantile(waits, 0.99)
}

// beFirst has the thread run as soon as it can, where that is allowed: the figures are to be about the server, and not about
// when its client gets a core beside it. It needs few percent of one.
func beFirst() {
	first := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: 1}
	if unix.SchedSetAttr(0, &first, 0) != nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, openNice)
	}
}
