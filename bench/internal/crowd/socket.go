package crowd

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// connectWithin bounds a connect. On this machine the kernel completes one at once, unless the server's queue is full.
const connectWithin = 10e9 // nanoseconds

// ipBindAddressNoPort has the kernel choose the port when the socket is connected: then only the four addresses and
// ports together must be new, and not the port. (syscall has no name for it.)
const ipBindAddressNoPort = 24

// SourceCount is how many addresses a crowd's connections come from: one has 28,000 ports, of which some wait in
// TIME_WAIT.
const SourceCount = 64

// source is the i-th address of crowd number crowd, in 127.0.0.0/8.
func source(crowd, i int) [4]byte {
	return [4]byte{127, byte(1 + crowd%250), byte(crowd / 250), byte(2 + i%SourceCount)}
}

// connect opens a non-blocking socket. With reset its closing sends a reset and leaves no port in TIME_WAIT.
func connect(to syscall.SockaddrInet4, from [4]byte, reset bool) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	limit := syscall.NsecToTimeval(connectWithin)
	err = errors.Join(
		syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &limit),
		syscall.Bind(fd, &syscall.SockaddrInet4{Addr: from}),
	)
	if reset {
		err = errors.Join(err, setReset(fd))
	}
	if err == nil {
		for err = syscall.EINTR; errors.Is(err, syscall.EINTR); { // a connect that a signal has cut off goes on by itself
			err = syscall.Connect(fd, &to)
		}
		if errors.Is(err, syscall.EISCONN) {
			err = nil
		}
		if err != nil {
			err = fmt.Errorf("connect from %v: %w", netip.AddrFrom4(from), err)
		}
	}
	if err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err != nil {
		_ = syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

func setReset(fd int) error {
	return syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
}

func parseTarget(addr string) (syscall.SockaddrInet4, error) {
	target, err := netip.ParseAddrPort(addr)
	if err != nil || !target.Addr().Is4() {
		return syscall.SockaddrInet4{}, fmt.Errorf("%q is not an IPv4 address and a port", addr)
	}
	return syscall.SockaddrInet4{Addr: target.Addr().As4(), Port: int(target.Port())}, nil
}

// writeAll sends a request, which the buffer of a socket that nothing waits in always takes.
func writeAll(fd int, request []byte) error {
	n, err := syscall.Write(fd, request)
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Write(fd, request)
	}
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if n < len(request) {
		return fmt.Errorf("write: only %d of %d bytes of a request were taken", n, len(request))
	}
	return nil
}
