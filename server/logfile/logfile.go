// Package logfile is a file that lines are appended to, and that is opened again when logrotate or an operator has moved it away.
package logfile

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// File is a log file, or a standard stream. Its methods are safe for use by any goroutine.
type File struct {
	path string     // "": a standard stream
	mu   sync.Mutex // held while something is written, and while the file changes
	file atomic.Pointer[os.File]
}

// permission is what the umask leaves of it.
const permission = 0o644

// Open opens a file, and makes it when there is none.
func Open(path string) (*File, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	return newFile(path, file), nil
}

func newFile(path string, file *os.File) *File {
	f := &File{path: path}
	f.file.Store(file)
	return f
}

func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, permission)
}

// Stream is a standard stream, which is never opened again. It has another descriptor: a write to a broken pipe ends a Go program
// when it is its standard output or standard error.
func Stream(stream *os.File) (*File, error) {
	fd, err := syscall.Dup(int(stream.Fd()))
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(fd)
	return newFile("", os.NewFile(uintptr(fd), stream.Name())), nil
}

// Write implements io.Writer. A write is whole in one file.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Load().Write(p)
}

// Reopen opens the file again, under the name that it had. What was written is in the old one when it returns, what comes is written to the new
// one. When it cannot be opened, the old one is used on. It is not called behind Close.
func (f *File) Reopen() error {
	if f.path == "" {
		return nil
	}
	file, err := open(f.path)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Swap(file).Close()
}

// Close closes the file. It does not wait for a write that does not end. To close it again is harmless.
func (f *File) Close() error {
	if err := f.file.Load().Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
