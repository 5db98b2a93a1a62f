package loop

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below are made on descriptors that never block, with raw system calls: they skip the
// scheduler's bookkeeping for calls that may. recv and send are a shorter way into the kernel than read and
// write. All unsafe code of the package is in this file; each
// pointer is to memory that stays referenced by the caller's slice or variable across the call.

// receive reads once. again tells that there was nothing to read.
func (c *Conn) receive(buf []byte) (n int, again bool, err error) {
	r, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(c.fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0, 0)
	if errno != 0 {
		if errno == unix.EAGAIN || errno == unix.EINTR {
			return 0, true, nil
		}
		return 0, false, errno
	}
	return int(r), false, nil
}

// sendRaw writes head and then p, as much as the kernel takes: n octets.
func (c *Conn) sendRaw(head, p []byte) (n int, err error) {
	if c.memory() != nil {
		return c.memory().send(head, p)
	}
	var r uintptr
	var errno unix.Errno
	if len(p) == 0 {
		r, _, errno = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(c.fd), uintptr(unsafe.Pointer(&head[0])), uintptr(len(head)), unix.MSG_NOSIGNAL, 0, 0)
	} else {
		var iov [2]unix.Iovec
		i := 0
		if len(head) > 0 {
			iov[0].Base = &head[0]
			iov[0].SetLen(len(head))
			i = 1
		}
		iov[i].Base = &p[0]
		iov[i].SetLen(len(p))
		r, _, errno = unix.RawSyscall(unix.SYS_WRITEV, uintptr(c.fd), uintptr(unsafe.Pointer(&iov[0])), uintptr(i+1))
	}
	if errno != 0 {
		if errno == unix.EAGAIN || errno == unix.EINTR {
			return 0, nil
		}
		return 0, errno
	}
	c.loop.counters.Sent += uint64(r)
	return int(r), nil
}

// ready asks for events that are there already, without waiting.
func (p *poller) ready(events []unix.EpollEvent) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0 // the wait that follows tells
	}
	return int(n)
}

// sendFile sends up to n octets of file from offset on. again tells that the client takes no more now.
func (c *Conn) sendFile(file File, offset, n int64) (sent int64, again bool, err error) {
	if c.between != nil {
		return c.copyFile(file, offset, n)
	}
	m, err := unix.Sendfile(int(c.fd), int(file.Fd()), &offset, int(n))
	switch err {
	case nil:
		c.loop.counters.Sent += uint64(m)
		return int64(m), false, nil
	case unix.EAGAIN, unix.EINTR:
		return 0, true, nil
	case unix.EINVAL, unix.ENOSYS, unix.EOVERFLOW:
		return c.copyFile(file, offset, n) // a file that cannot be mapped
	case unix.EIO:
		return 0, false, nil // the disk's
	}
	return 0, false, err
}

// cold tells whether reading the ends of a part of a file would wait for a disk; what is between them mostly is as they are. File systems
// that cannot say count as memory.
func cold(file File, offset, n int64) bool {
	var octet [1]byte
	for _, at := range [2]int64{offset, offset + n - 1} {
		if _, err := unix.Preadv2(int(file.Fd()), [][]byte{octet[:]}, at, unix.RWF_NOWAIT); err == unix.EAGAIN {
			return true
		}
	}
	return false
}

// acceptSocket accepts one connection, non-blocking and closed on exec.
func acceptSocket(fd int) (nfd int, remote address, err error) {
	var sa unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	r, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&sa)),
		uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, remote, errno
	}
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(&sa))
		remote.size = 4
		copy(remote.ip[:], in.Addr[:])
		remote.port = networkOrder(in.Port)
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(&sa))
		remote.size = 16
		remote.ip = in.Addr
		remote.port = networkOrder(in.Port)
	}
	return int(r), remote, nil
}

// networkOrder is a port that the kernel stored big-endian.
func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

func (c *Conn) shutdownWrite() {
	if c.memory() == nil {
		_, _, _ = unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(c.fd), unix.SHUT_WR, 0)
	}
}

// closeSocket closes without waiting: it never lingers.
func closeSocket(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }
