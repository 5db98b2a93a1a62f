package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Sockets that the process was started with, by systemd's protocol (sd_listen_fds(3)). go-systemd's activation package makes an os.File of each,
// which may end up in the runtime's own poller, and closes it when it is garbage: the loops want bare descriptors that stay.

// passed are these sockets.
type passed []passedSocket

type passedSocket struct {
	FD   int    `json:"fd"`
	Name string `json:"name"` // FileDescriptorName= of the unit; by default what the unit is called
}

// firstPassed is the descriptor of the first socket (SD_LISTEN_FDS_START).
const firstPassed = 3

// passedSockets reads the variables, and removes them, so that no worker believes that they were meant for it.
var passedSockets = sync.OnceValues(func() (sockets passed, err error) {
	if in, err := inherited(); in != nil || err != nil {
		return in.passed(), err
	}
	pid, number, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, variable := range []string{"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(variable)
	}
	if number == "" || pid != strconv.Itoa(os.Getpid()) {
		return nil, nil // they are for another process
	}
	n, err := strconv.ParseUint(number, 10, 15)
	if err != nil {
		return nil, fmt.Errorf("LISTEN_FDS must be the number of descriptors that are passed, not %q", number)
	}
	list := strings.Split(names, ":")
	for i := range int(n) {
		socket := passedSocket{FD: firstPassed + i, Name: "unknown"}
		if i < len(list) && list[i] != "" {
			socket.Name = list[i]
		}
		syscall.CloseOnExec(socket.FD)
		sockets = append(sockets, socket)
	}
	return sockets, nil
})

// usePassed returns the addresses of --bind with them: they take the place of all, as gunicorn has it. But when one of these is a descriptor, the
// user has chosen. fd://NAME is every socket of that name, and for --admin the one.
func (f *serveFlags) usePassed() (bind []string, err error) {
	sockets, err := passedSockets()
	if err != nil {
		return nil, err
	}
	if admin, err := sockets.named("--admin", f.Admin); err != nil {
		return nil, err
	} else if len(admin) == 1 {
		f.Admin = admin[0]
	}
	chosen := false
	for _, address := range f.Bind {
		named, err := sockets.named("--bind", address)
		if err != nil {
			return nil, err
		}
		chosen = chosen || strings.Contains(address, "fd://")
		bind = append(bind, named...)
	}
	if rest := sockets.without(append(bind, f.Admin)); chosen {
		if len(rest) > 0 && !f.told {
			slog.Warn("nobody serves these sockets that systemd has passed, and clients may wait there: name them by --bind", "sockets", rest)
		}
	} else if len(rest) > 0 {
		bind = nil
		for _, socket := range rest {
			bind = append(bind, socket.address())
		}
		if !f.told {
			slog.Info("sockets that systemd has passed take the place of --bind", "sockets", rest, "in-the-place-of", strings.Join(f.Bind, " "))
		}
	}
	f.told = true
	return bind, nil
}

func (s passedSocket) address() string { return fmt.Sprintf("fd://%d", s.FD) }

// named are the addresses that an address means: itself, or the sockets of the name in it.
func (p passed) named(option, address string) (addresses []string, err error) {
	protocol, name, ok := strings.Cut(address, "fd://")
	if _, err := strconv.Atoi(name); !ok || err == nil {
		return []string{address}, nil
	}
	for _, socket := range p {
		if socket.Name == name {
			addresses = append(addresses, protocol+socket.address())
		}
	}
	if len(addresses) == 0 {
		return nil, &usageError{fmt.Sprintf("%s %s: systemd has passed no socket of this name, but: %s", option, address, cmp.Or(p.String(), "none"))}
	}
	return addresses, nil
}

// without are the sockets that are not among the addresses.
func (p passed) without(addresses []string) (rest passed) {
	for _, socket := range p {
		if !slices.ContainsFunc(addresses, func(a string) bool { return strings.HasSuffix(a, socket.address()) }) {
			rest = append(rest, socket)
		}
	}
	return rest
}

// String lists the names.
func (p passed) String() string {
	var names []string
	for _, socket := range p {
		if !slices.Contains(names, socket.Name) {
			names = append(names, socket.Name)
		}
	}
	return strings.Join(names, ", ")
}
