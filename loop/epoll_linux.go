package loop

import (
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// readiness is what epoll says of a descriptor.
type readiness = uint32

// What descriptors are watched for.
const (
	forInput  = unix.EPOLLIN
	forOutput = unix.EPOLLOUT
	// onChange announces what is new, and the end of the client's sending too, which is announced otherwise as input.
	onChange = unix.EPOLLET | unix.EPOLLRDHUP
	// forConnections is what a listener is watched for.
	forConnections = forInput
)

// eventsAtOnce is how many events one call of epoll_wait may tell of.
const eventsAtOnce = 256

// poller is epoll, level-triggered where onChange is not asked for. It is not gnet's because that one yields before every wait
// (see idle), and has no way to change what a descriptor is watched for into output alone. Any goroutine may call its methods,
// whichever is inside poll.
type poller struct {
	fd       int
	yielding // of whoever is inside poll
}

func openPoller(_ *slog.Logger) (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &poller{fd, yielding{credit: mostCredit}}, nil
}

func (p *poller) close() error { return unix.Close(p.fd) }

func (p *poller) add(fd int, events uint32) error { return p.control(unix.EPOLL_CTL_ADD, fd, events) }
func (p *poller) change(fd int, events uint32) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, events)
}
func (p *poller) remove(fd int) error { return p.control(unix.EPOLL_CTL_DEL, fd, 0) }

func (p *poller) control(operation, fd int, events uint32) error {
	if err := unix.EpollCtl(p.fd, operation, fd, &unix.EpollEvent{Fd: int32(fd), Events: events}); err != nil {
		return fmt.Errorf("epoll_ctl, descriptor %d: %w", fd, err)
	}
	return nil
}

// poll has handle told of events until it returns false. idle is called before each wait, and yields tells before each look whether
// others may run first.
func (p *poller) poll(handle func(fd int, ev readiness) bool, idle func(), yields func() bool) error {
	events := make([]unix.EpollEvent, eventsAtOnce)
	for {
		if yields() {
			p.yield()
		}
		n := p.ready(events)
		p.found(n)
		if n <= 0 {
			idle()
			var err error
			if n, err = unix.EpollWait(p.fd, events, -1); err != nil && err != unix.EINTR {
				return os.NewSyscallError("epoll_wait", err)
			}
		}
		for i := range max(n, 0) {
			if !handle(int(events[i].Fd), events[i].Events) {
				return nil
			}
		}
	}
}

func isReadable(ev readiness) bool { return ev&unix.EPOLLIN != 0 }
func isWritable(ev readiness) bool { return ev&unix.EPOLLOUT != 0 }

// isEnd tells of the end of the client's sending. Registrations with onChange announce it.
func isEnd(ev readiness) bool { return ev&unix.EPOLLRDHUP != 0 }

func isHangup(ev readiness) bool { return ev&(unix.EPOLLERR|unix.EPOLLHUP) != 0 }
