package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// predecessor is the process that this one takes over from while that still runs; 0: none.
var predecessor int

// writePID writes the number of the process to a file, at once: who reads it finds a whole number. The file of a process that lives is left
// alone, unless that one is the predecessor: then the file changes hands, and always names the process that signals are for.
func writePID(path string) error {
	switch owner := readPID(path); {
	case owner == 0 || owner == os.Getpid() || owner == predecessor:
	case !errors.Is(syscall.Kill(owner, 0), syscall.ESRCH):
		return fmt.Errorf("%s: process %d, which it names, is running: stop that, choose another file, or remove the file if the process is none of weir", path, owner)
	}
	text := []byte(strconv.Itoa(os.Getpid()) + "\n")
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if errors.Is(err, fs.ErrPermission) && exists(path) {
		return os.WriteFile(path, text, 0o644) // in a folder of root's, by a successor that is not root
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: the directory must be there", path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// removePID removes the file if it still names this process. Where --user may not do that, it is emptied, and is nobody's.
func removePID(path string) {
	if readPID(path) == os.Getpid() && os.Remove(path) != nil {
		_ = os.Truncate(path, 0)
	}
}

// readPID is the process that a file names; 0: none.
func readPID(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 1 {
		return 0
	}
	return pid
}
