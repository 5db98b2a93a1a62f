//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package loop

import (
	"github.com/panjf2000/gnet/v2/pkg/socket"
	"golang.org/x/sys/unix"
)

// receive reads once. again tells that there was nothing to read.
func (c *Conn) receive(buf []byte) (n int, again bool, err error) {
	n, err = unix.Read(int(c.fd), buf)
	if err == unix.EAGAIN || err == unix.EINTR {
		return 0, true, nil
	}
	return n, false, err
}

// sendRaw writes head and then p, as much as the kernel takes: n octets.
func (c *Conn) sendRaw(head, p []byte) (n int, err error) {
	if c.memory() != nil {
		return c.memory().send(head, p)
	}
	for _, b := range [2][]byte{head, p} {
		if len(b) == 0 {
			continue
		}
		m, err := unix.Write(int(c.fd), b)
		if err == unix.EAGAIN || err == unix.EINTR {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		c.loop.counters.Sent += uint64(m)
		n += m
		if m < len(b) {
			break
		}
	}
	return n, nil
}

func (c *Conn) sendFile(file File, offset, n int64) (sent int64, again bool, err error) {
	return c.copyFile(file, offset, n)
}

// cold is not known.
func cold(File, int64, int64) bool { return false }

// acceptSocket accepts one connection, non-blocking and closed on exec.
func acceptSocket(fd int) (nfd int, remote address, err error) {
	nfd, sa, err := socket.Accept(fd)
	if err != nil {
		return -1, remote, err
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		remote.size, remote.port = 4, uint16(sa.Port)
		copy(remote.ip[:], sa.Addr[:])
	case *unix.SockaddrInet6:
		remote.size, remote.port, remote.ip = 16, uint16(sa.Port), sa.Addr
	}
	return nfd, remote, nil
}

func (c *Conn) shutdownWrite() {
	if c.memory() == nil {
		_ = unix.Shutdown(int(c.fd), unix.SHUT_WR)
	}
}

func closeSocket(fd int) { _ = unix.Close(fd) }
