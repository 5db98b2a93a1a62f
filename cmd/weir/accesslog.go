package main

import (
	"fmt"
	"os"
	"syscall"
)

// openAccessLog opens what --access-log names; nil when there is to be none.
func (f *serveFlags) openAccessLog() (*os.File, error) {
	switch f.AccessLog {
	case "":
		return nil, nil
	case "-":
		// Another descriptor than 1: a write to a broken pipe ends a Go program when it is its standard output.
		fd, err := syscall.Dup(int(os.Stdout.Fd()))
		if err != nil {
			return nil, fmt.Errorf("--access-log: %w", err)
		}
		syscall.CloseOnExec(fd)
		return os.NewFile(uintptr(fd), "standard output"), nil
	}
	file, err := os.OpenFile(f.AccessLog, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--access-log: %w", err)
	}
	return file, nil
}
