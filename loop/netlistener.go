//go:build unix

package loop

import (
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// NetListener gives the listener, which must have one socket, to code that works with package net instead of a reactor. The listener
// belongs to what is returned, and is closed by it.
func (ln *Listener) NetListener() (net.Listener, error) {
	fd, err := unix.FcntlInt(uintptr(ln.fds[0]), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		ln.Close()
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), ln.String())
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		ln.Close()
		return nil, err
	}
	return &netListener{Listener: l, ln: ln}, nil
}

// netListener closes the Listener that it stands for too, whose Unix socket's file goes with it.
type netListener struct {
	net.Listener
	ln   *Listener
	once sync.Once
}

func (l *netListener) Close() error {
	err := l.Listener.Close()
	l.once.Do(l.ln.Close)
	return err
}
