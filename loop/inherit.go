//go:build unix

package loop

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// How a listener goes from one process to the next: the next one is started with copies of the sockets, and accepts from them before this one stops.
// A socket lives as long as one of them has it, and with it the connections that are in its queue.

// Inherit makes a listener of descriptors that another process has opened for it: one that listens still, or has ended. They are the listener's
// from here on. Of the options, Sockets and Mode are what they were.
func Inherit(fds []int, o ListenOptions) (*Listener, error) {
	ln := &Listener{}
	err := errors.New("there is none")
	for _, fd := range fds {
		if err = ln.take(fd, o.Backlog); err == nil && ln.network == "tcp" {
			err = deferAccept(fd, truth(o.DeferAccept))
		}
		if err != nil {
			break
		}
	}
	ln.open.Store(int32(len(ln.fds)))
	if err != nil {
		ln.Close()
		return nil, fmt.Errorf("cannot listen on inherited sockets: %w", err)
	}
	return ln, nil
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Descriptors are the sockets, for a process that is to inherit them. They stay the listener's, and are open until it is closed.
func (ln *Listener) Descriptors() []int { return ln.fds }

// Leave tells, before the reactor shuts down, that another process accepts from the sockets: what is in their queues is left to it, and so is the file of a
// Unix socket. Any goroutine may call it.
func (ln *Listener) Leave() { ln.left.Store(true) }

// Owns tells whether the listener removes the file of a Unix socket at its end.
func (ln *Listener) Owns() bool { return ln.inode.Load() != 0 }

// Own tells that the process which the listener was inherited from has left it: the file of a Unix socket is removed at the end. Any
// goroutine may call it, as long as the listener is open.
func (ln *Listener) Own() {
	if ln.network == "unix" {
		n, _ := inode(ln.host) // an error: there is no file, or it has none
		ln.inode.Store(n)
	}
}

// take takes over a descriptor.
func (ln *Listener) take(fd, backlog int) error {
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return fmt.Errorf("descriptor %d is not an open socket: %w", fd, err)
	}
	if listening == 0 {
		return fmt.Errorf("descriptor %d is a socket that does not listen", fd)
	}
	unix.CloseOnExec(fd)
	ln.fds = append(ln.fds, fd)
	return ln.prepare(fd, backlog)
}
