package crowd

import (
	"errors"
	"syscall"
	"time"
)

// A poller tells which sockets have something to read. It is edge-triggered, so that a socket costs nothing between
// its events: whoever is told about one reads until a read is short.
type poller struct {
	fd     int
	events [1024]syscall.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	return &poller{fd: fd}, err
}

// EPOLLET in syscall is negative, which a uint32 does not take.
const edge = 1 << 31

// add has wait tell about fd under number, which the caller gives a meaning.
func (p *poller) add(fd int, number int32) error {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | edge, Fd: number}
	return syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, fd, &event)
}

// wait returns what has happened, at the latest after most, in whole milliseconds. The events are valid until the next
// call.
func (p *poller) wait(most time.Duration) ([]syscall.EpollEvent, error) {
	n, err := syscall.EpollWait(p.fd, p.events[:], int(max(most, 0)/time.Millisecond))
	if errors.Is(err, syscall.EINTR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return p.events[:n], nil
}

func (p *poller) close() { _ = syscall.Close(p.fd) }
