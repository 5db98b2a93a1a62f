package openloop

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirhttp/weir/bench/internal/response"
)

const (
	firstRoom = 4 << 10
	mostRoom  = 4 << 20 // the longest answer
	sendLimit = 5 * time.Second
)

// Run connects, and asks. It takes a thread of its own, which makes blocking system calls: there is no goroutine for a connection, so
// that the client costs as little of the machine as it can. IPv4 only.
func Run(o Options) (result *Result, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()                             // and never unlocked: the thread ends with what is set for it
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // it wakes up a little later else
		result, err = run(o)
	}()
	<-done
	return result, err
}

func run(o Options) (*Result, error) {
	s := &sockets{closing: o.Closing}
	defer s.close()
	if err := s.open(o.Addr, o.Connections); err != nil {
		return nil, err
	}
	before := threadTime()
	s.began = time.Now()
	result, err := newPacer(o, s).run()
	result.Busy = (threadTime() - before).Seconds() / max(time.Since(s.began).Seconds(), 1e-9)
	return result, err
}

// sockets is the line of a real client.
type sockets struct {
	began   time.Time
	to      unix.SockaddrInet4
	closing bool
	polled  []unix.PollFd // a descriptor of -1 is to be dialled
	conns   []socket
}

type socket struct {
	room []byte
	n    int // of room that is received and not consumed
}

func (s *sockets) open(addr string, count int) error {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	s.to = unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	for i := range count {
		s.polled = append(s.polled, unix.PollFd{Fd: -1, Events: unix.POLLIN})
		s.conns = append(s.conns, socket{room: make([]byte, firstRoom)})
		if s.closing {
			continue
		}
		if err := s.dial(i); err != nil {
			return err
		}
	}
	return nil
}

func (s *sockets) dial(i int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	s.polled[i].Fd = int32(fd)
	limit := unix.NsecToTimeval(int64(sendLimit))
	if err := errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		connect(fd, &s.to),
	); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

// connect waits for the connection, through the signals by which Go's runtime interrupts a thread.
func connect(fd int, to unix.Sockaddr) error {
	err := unix.Connect(fd, to)
	if !errors.Is(err, unix.EINTR) {
		return err
	}
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(sendLimit.Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		errno, err2 := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if errno != 0 {
			err = unix.Errno(errno)
		}
		return errors.Join(err, err2)
	}
}

// hangUp closes a connection on which nothing is left to send.
func (s *sockets) hangUp(i int) {
	if p := &s.polled[i]; p.Fd >= 0 {
		_ = unix.Close(int(p.Fd))
		p.Fd, p.Revents = -1, 0
	}
}

func (s *sockets) close() {
	for i := range s.polled {
		s.hangUp(i)
	}
}

func (s *sockets) now() time.Duration { return time.Since(s.began) }

func (s *sockets) send(i int, request []byte) error {
	if s.polled[i].Fd < 0 {
		if err := s.dial(i); err != nil {
			return err
		}
	}
	if n, err := unix.Write(int(s.polled[i].Fd), request); err != nil || n < len(request) {
		return fmt.Errorf("write: %d of %d octets, %w", n, len(request), err)
	}
	return nil
}

func (s *sockets) receive(wait time.Duration, answered func(int, int, []byte) error) error {
	most := unix.NsecToTimespec(int64(wait))
	ready, err := unix.Ppoll(s.polled, &most, nil)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("ppoll: %w", err)
	}
	for i := 0; i < len(s.polled) && ready > 0; i++ {
		if s.polled[i].Revents == 0 {
			continue
		}
		s.polled[i].Revents = 0
		ready--
		if err := s.read(i, answered); err != nil {
			return err
		}
	}
	return nil
}

func (s *sockets) read(i int, answered func(int, int, []byte) error) error {
	c := &s.conns[i]
	if c.n == len(c.room) {
		if len(c.room) >= mostRoom {
			return fmt.Errorf("an answer of more than %d octets", mostRoom)
		}
		c.room = append(c.room, make([]byte, 3*len(c.room))...)
	}
	n, err := unix.Read(int(s.polled[i].Fd), c.room[c.n:])
	switch {
	case errors.Is(err, unix.EINTR):
		return nil // it is told again
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case n == 0:
		return errors.New("the server closed a connection")
	}
	c.n += n
	r, size, err := response.Parse(c.room[:c.n])
	switch {
	case err != nil:
		return err
	case size == 0:
		return nil
	case size < c.n:
		return fmt.Errorf("%d octets behind an answer", c.n-size)
	}
	c.n = 0
	if s.closing {
		s.hangUp(i)
	}
	return answered(i, r.Status, r.Content)
}

// threadTime is what this thread has taken of the cores.
func threadTime() time.Duration {
	var taken unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &taken) != nil {
		return 0
	}
	return time.Duration(taken.Nano())
}
