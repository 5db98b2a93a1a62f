//go:build unix

package loop

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/socket"
	"golang.org/x/sys/unix"
)

// maxUnsent is how many octets the kernel may hold for a client beyond those that are on their way.
const maxUnsent = 128 << 10

// ListenOptions configure a Listener.
type ListenOptions struct {
	// Backlog is the length of the queue of connections that are not accepted yet; 0: the system's maximum.
	Backlog int
	// Sockets is the number of sockets that listen at the same TCP address with SO_REUSEPORT, one for each loop;
	// the kernel spreads clients over them. 0 and 1: one socket, whose loop hands connections out in turn.
	Sockets int
	// DeferAccept has the kernel hold back the connections of a TCP address until their clients have sent something, for a
	// second at most. It takes effect on Linux.
	DeferAccept bool
	// Mode are the permission bits of a Unix socket; 0: those that the umask leaves.
	Mode fs.FileMode
}

// Listener is where clients connect: a TCP address, a Unix socket, or a descriptor that was inherited.
type Listener struct {
	fds        []int
	network    string // "tcp" or "unix"
	host       string // for unix: the path
	port       int
	inode      atomic.Uint64 // of a Unix socket's file, to remove no other; 0: it is not ours
	left       atomic.Bool   // to another process
	newHandler func(*Loop) Handler
	distribute bool // the socket's loop hands connections out to all loops
	open       atomic.Int32
	proxied    *Proxied // of a single connection's; nil: what its socket says is so
}

// Listen opens a listener. address is HOST:PORT, :PORT or [::]:PORT (IPv4 too), unix:PATH, or fd://N for a
// socket that listens already.
func Listen(address string, o ListenOptions) (*Listener, error) {
	err := CheckAddress(address)
	if err != nil {
		return nil, err
	}
	ln := &Listener{}
	switch {
	case strings.HasPrefix(address, "unix:"):
		err = ln.listenUnix(strings.TrimPrefix(address, "unix:"), o)
	case strings.HasPrefix(address, "fd://"):
		err = ln.inherit(strings.TrimPrefix(address, "fd://"))
	default:
		err = ln.listenTCP(address, o)
	}
	if err != nil {
		ln.open.Store(int32(len(ln.fds)))
		ln.Close()
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	ln.open.Store(int32(len(ln.fds)))
	return ln, nil
}

// Network is "tcp" or "unix".
func (ln *Listener) Network() string { return ln.network }

// Host is the IP address that is listened at, or the path of the Unix socket; Port is 0 there.
func (ln *Listener) Host() string { return ln.host }

// Port is the TCP port.
func (ln *Listener) Port() int { return ln.port }

// IsExposed tells whether others than this machine may connect.
func (ln *Listener) IsExposed() bool {
	if ln.network != "tcp" {
		return false
	}
	ip, err := netip.ParseAddr(ln.host)
	return err != nil || !ip.Unmap().IsLoopback()
}

func (ln *Listener) String() string {
	if ln.network == "unix" {
		return "unix:" + ln.host
	}
	return net.JoinHostPort(ln.host, strconv.Itoa(ln.port))
}

func (ln *Listener) listenTCP(address string, o ListenOptions) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if host == "::" { // gnet would take IPv6 alone
		host, address = "", ":"+port
	}
	options := []socket.Option[int]{
		// Without it, a restart fails while connections of the last run are in TIME_WAIT.
		{SetSockOpt: socket.SetReuseAddr, Opt: 1},
		// Accepted sockets inherit it. Output leaves in whole batches: waiting for more only delays.
		{SetSockOpt: socket.SetNoDelay, Opt: 1},
		{SetSockOpt: boundUnsent, Opt: maxUnsent},
	}
	if o.DeferAccept {
		options = append(options, socket.Option[int]{SetSockOpt: deferAccept, Opt: 1})
	}
	sockets := max(o.Sockets, 1)
	if sockets > 1 {
		options = append(options, socket.Option[int]{SetSockOpt: setReusePort, Opt: 1})
	}
	for range sockets {
		fd, _, err := socket.TCPSocket("tcp", address, true, options, nil)
		if errors.Is(err, unix.EAFNOSUPPORT) && host == "" { // a host without IPv6
			fd, _, err = socket.TCPSocket("tcp4", address, true, options, nil)
		}
		if err != nil {
			return reason(err)
		}
		ln.fds = append(ln.fds, fd)
		if err := ln.prepare(fd, o.Backlog); err != nil {
			return err
		}
		address = net.JoinHostPort(host, strconv.Itoa(ln.port)) // port 0: the same for all
	}
	return nil
}

// prepare sets the backlog, makes fd non-blocking and notes its address.
func (ln *Listener) prepare(fd, backlog int) error {
	if backlog > 0 {
		if err := unix.Listen(fd, backlog); err != nil {
			return os.NewSyscallError("listen", err)
		}
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		ln.network, ln.host, ln.port = "tcp", net.IP(sa.Addr[:]).String(), sa.Port
	case *unix.SockaddrInet6:
		ln.network, ln.host, ln.port = "tcp", net.IP(sa.Addr[:]).String(), sa.Port
	case *unix.SockaddrUnix:
		ln.network, ln.host = "unix", sa.Name
	default:
		return errors.New("not a TCP or Unix socket")
	}
	return nil
}

// inherit takes over a descriptor on which the process that started this one listens.
func (ln *Listener) inherit(number string) error {
	fd, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return err
	}
	if err := ln.take(int(fd), 0); err != nil {
		return err
	}
	if ln.network != "tcp" {
		return nil
	}
	if err := boundUnsent(int(fd), maxUnsent); err != nil {
		return err
	}
	return socket.SetNoDelay(int(fd), 1)
}

func (ln *Listener) listenUnix(path string, o ListenOptions) error {
	if longest := len(unix.RawSockaddrUnix{}.Path) - 1; len(path) > longest {
		return fmt.Errorf("the path is longer than %d octets", longest)
	}
	defer lockDirectory(filepath.Dir(path))()
	if err := removeStale(path); err != nil {
		return err
	}
	fd, _, err := socket.UnixSocket("unix", path, true, nil, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: the directory must be there", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the directory must be writable", err)
	case err != nil:
		return err
	}
	ln.fds = append(ln.fds, fd)
	ln.host = path
	n, err := inode(path)
	if err != nil {
		return err
	}
	ln.inode.Store(n)
	if o.Mode != 0 {
		if err := os.Chmod(path, o.Mode); err != nil {
			return err
		}
	}
	return ln.prepare(fd, o.Backlog)
}

// lockDirectory has servers that start at the same time look for a socket in a directory, and make theirs, one after the other: or else one might take
// the other's file for the one that was left behind. Where the directory cannot be locked, or somebody keeps it locked, they do without.
func lockDirectory(path string) (unlock func()) {
	dir, err := os.Open(path)
	if err != nil {
		return func() {}
	}
	for until := time.Now().Add(time.Second); time.Now().Before(until); time.Sleep(time.Millisecond) {
		if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
	}
	return func() { _ = dir.Close() }
}

// removeStale removes the socket file that a server left behind which is gone. A live server's stays,
// and so does what is not a socket.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return errors.New("the file exists and is not a socket")
	}
	probe, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = probe.Close()
		return errors.New("a server is listening there already")
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("a socket is there, and whether a server listens cannot be told: %w", err)
	}
	return os.Remove(path)
}

func inode(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return 0, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return uint64(st.Ino), nil
}

// Close closes a listener that no reactor has taken.
func (ln *Listener) Close() {
	for _, fd := range ln.fds {
		ln.close(fd)
	}
}

// close closes one of the sockets; with the last one the file of a Unix socket goes, if it is still ours.
func (ln *Listener) close(fd int) {
	if own := ln.inode.Load(); ln.open.Add(-1) == 0 && own != 0 && !ln.left.Load() {
		// Before the socket is closed: its inode number cannot be another file's yet.
		if n, err := inode(ln.host); err == nil && n == own {
			_ = os.Remove(ln.host)
		}
	}
	_ = unix.Close(fd)
}

// reason adds what to do to the errors that everybody meets.
func reason(err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%w: stop the server that uses it, or choose another address", err)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)", err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%w: no interface of this machine has it; 0.0.0.0 and [::] are all that there are", err)
	}
	return err
}

func setReusePort(fd, on int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, on))
}
