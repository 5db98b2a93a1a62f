//go:build !linux

package python

import (
	"errors"
	"os"
	"syscall"
)

// Workers need sockets of type SOCK_SEQPACKET, and descriptors that both ends may read from: they are for Linux.

var errSystem = errors.New("python: workers are for Linux; this system has no sockets that keep packets apart")

func socketPair() (ours, theirs *os.File, err error) { return nil, nil, errSystem }

func sendPacket(int, []byte) (full bool, err error) { return false, errSystem }

func takePacket(int, []byte) (n int) { return 0 }

func sendFiles(int, []byte, []*os.File) error { return errSystem }

type receiver struct{ buf [maxPacket]byte }

func (r *receiver) receive(int, bool) (packet []byte, file *os.File, err error) {
	return nil, nil, errSystem
}

func newMarks() (m marks, file *os.File, err error) { return m, nil, errSystem }

func endOfConnection(int) {}

func processAttributes() *syscall.SysProcAttr { return nil }

func adopt() error { return errSystem }

func reapGroup(int) {}

func catches(int, syscall.Signal) bool { return false }

const signalStack = syscall.SIGQUIT
