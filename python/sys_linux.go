package python

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// All unsafe code of the package is in this file; each pointer is to memory that stays referenced by the caller's slice or by
// the receiver across the call.

// socketBuffer is how many octets of packets may be unread on a socket, as far as the system allows it.
const socketBuffer = 1 << 20

// socketPair returns the two ends of a connection that keeps packets apart.
func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range fds {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, socketBuffer) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, socketBuffer)
		}
	}
	return os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "worker's end"), nil
}

// sendPacket sends a packet, without waiting for room: full tells that there is none. The call does not block, so the
// scheduler need not know of it.
func sendPacket(fd int, p []byte) (full bool, err error) {
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			return false, nil
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM:
			return true, nil
		default:
			return false, errno
		}
	}
}

// takePacket receives a packet that is there. n is 0 when there is none.
func takePacket(fd int, p []byte) (n int) {
	for {
		r, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
			unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(r)
		case unix.EINTR:
		default:
			return 0
		}
	}
}

// sendFiles sends a packet that files come with. It waits for room.
func sendFiles(fd int, p []byte, files []*os.File) error {
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	return os.NewSyscallError("sendmsg", unix.Sendmsg(fd, p, unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL))
}

// receiver receives packets on a socket, with the descriptors that come with them.
type receiver struct {
	buf     [maxPacket]byte
	control [64]byte // room for more than one descriptor, which are closed
	iov     unix.Iovec
	message unix.Msghdr
}

// receive receives a packet. It is a view, valid until the next call; nil when the connection has ended. With wait it waits for one,
// else the error is errNothing when there is none.
func (r *receiver) receive(fd int, wait bool) (packet []byte, file *os.File, err error) {
	for {
		r.iov.Base = &r.buf[0]
		r.iov.SetLen(len(r.buf))
		r.message = unix.Msghdr{Iov: &r.iov, Control: &r.control[0]}
		r.message.SetIovlen(1)
		r.message.SetControllen(len(r.control))
		var n uintptr
		var errno syscall.Errno
		if wait {
			n, _, errno = unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.message)), unix.MSG_CMSG_CLOEXEC)
		} else {
			n, _, errno = unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.message)), unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		}
		switch errno {
		case 0:
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return nil, nil, errNothing
		default:
			return nil, nil, os.NewSyscallError("recvmsg", errno)
		}
		if r.message.Controllen > 0 {
			file = r.file(r.control[:r.message.Controllen])
		}
		if n == 0 {
			return nil, file, nil
		}
		return r.buf[:n], file, nil
	}
}

// file returns the descriptor that came, and closes any others.
func (r *receiver) file(control []byte) (file *os.File) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if file != nil {
				_ = unix.Close(fd)
				continue
			}
			file = os.NewFile(uintptr(fd), "wsgi.file_wrapper")
		}
	}
	return file
}

// newMarks makes memory to be shared, and the descriptor by which a worker comes to it.
func newMarks() (m marks, file *os.File, err error) {
	const size = markSlots * 4
	fd, err := unix.MemfdCreate("weir-marks", unix.MFD_CLOEXEC)
	if err != nil {
		return m, nil, os.NewSyscallError("memfd_create", err)
	}
	file = os.NewFile(uintptr(fd), "weir-marks")
	if err := unix.Ftruncate(fd, size); err != nil {
		_ = file.Close()
		return m, nil, os.NewSyscallError("ftruncate", err)
	}
	memory, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = file.Close()
		return m, nil, os.NewSyscallError("mmap", err)
	}
	m.slots = unsafe.Slice((*atomic.Uint32)(unsafe.Pointer(&memory[0])), markSlots)
	m.release = func() { _ = unix.Munmap(memory) }
	return m, file, nil
}

// endOfConnection has the other end of fd, and fd itself, read an end when they have read what is there.
func endOfConnection(fd int) { _ = unix.Shutdown(fd, unix.SHUT_RDWR) }

// processAttributes are those of a worker: a terminal's signals go to weir alone, and a worker does not outlive the thread
// that has started it.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// adopt has the process be the parent of those whose own parent, a descendant of it, has ended.
func adopt() error {
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
}

// reapGroup waits for all children of weir that are in the process group: an adopted one that nobody waits for would stay a zombie.
func reapGroup(group int) {
	for {
		if _, err := unix.Wait4(-group, nil, 0, nil); err != nil && err != unix.EINTR {
			return
		}
	}
}

const signalStack = syscall.SIGUSR2

// catches tells whether a process has a handler for a signal.
func catches(pid int, signal syscall.Signal) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // an error: it has ended
	_, mask, _ := strings.Cut(string(status), "\nSigCgt:\t")
	mask, _, _ = strings.Cut(mask, "\n")
	caught, _ := strconv.ParseUint(mask, 16, 64)
	return caught>>(signal-1)&1 != 0
}
