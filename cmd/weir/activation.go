package main

import (
	"fmt"
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

// replace are the addresses to listen at, given those of --bind. The sockets take the place of all of them, as gunicorn has it; but when one
// is a descriptor, the user has chosen. fd://NAME is every socket of that name.
func (p passed) replace(bind []string) (addresses []string, err error) {
	chosen := false
	for _, address := range bind {
		protocol, descriptor, ok := strings.Cut(address, "fd://")
		chosen = chosen || ok
		if _, err := strconv.Atoi(descriptor); !ok || err == nil {
			addresses = append(addresses, address)
			continue
		}
		named := p.named(descriptor, protocol)
		if len(named) == 0 {
			return nil, &usageError{fmt.Sprintf("--bind %s: systemd has passed no socket of this name (%s)", address, p)}
		}
		addresses = append(addresses, named...)
	}
	if chosen || len(p) == 0 {
		return addresses, nil
	}
	addresses = nil
	for _, socket := range p {
		addresses = append(addresses, fmt.Sprintf("fd://%d", socket.FD))
	}
	return addresses, nil
}

// named are the addresses of the sockets of a name.
func (p passed) named(name, protocol string) (addresses []string) {
	for _, socket := range p {
		if socket.Name == name {
			addresses = append(addresses, fmt.Sprintf("%sfd://%d", protocol, socket.FD))
		}
	}
	return addresses
}

// String lists the names.
func (p passed) String() string {
	var names []string
	for _, socket := range p {
		if !slices.Contains(names, socket.Name) {
			names = append(names, socket.Name)
		}
	}
	if len(names) == 0 {
		return "it has passed none"
	}
	return "there are " + strings.Join(names, ", ")
}
