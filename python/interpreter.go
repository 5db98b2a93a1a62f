package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Interpreter is the Python that runs workers.
type Interpreter struct {
	Path    string // sys.executable
	Version string // such as 3.11.2
	Why     string // it is this one

	options []string // of its command line, for workers
}

// oldest is the oldest Python that workers run on.
const oldestMinor = 8

// InterpreterError tells that there is no Python that workers run on. It is one sentence.
type InterpreterError struct{ message string }

func (e *InterpreterError) Error() string { return e.message }

// FindInterpreter finds the Python that runs workers: python, a path or a name in PATH; else that of the directory virtualenv; else that of
// the active virtualenv (VIRTUAL_ENV); else that of .venv in dir; else python3.
func FindInterpreter(python, virtualenv, dir string) (*Interpreter, error) {
	path, why, err := choose(python, virtualenv, dir)
	if err != nil {
		return nil, err
	}
	return probe(path, why)
}

func choose(python, virtualenv, dir string) (path, why string, err error) {
	switch {
	case python != "":
		path, err := exec.LookPath(python)
		if err != nil && !errors.Is(err, exec.ErrDot) {
			return "", "", &InterpreterError{fmt.Sprintf("there is no interpreter %s", python)}
		}
		path, err = filepath.Abs(path)
		return path, "it was named", err
	case virtualenv != "":
		path, err := inVirtualenv(virtualenv)
		return path, "the virtualenv was named", err
	case os.Getenv("VIRTUAL_ENV") != "":
		path, err := inVirtualenv(os.Getenv("VIRTUAL_ENV"))
		return path, "the virtualenv is active", err
	}
	if path, err := inVirtualenv(filepath.Join(dir, ".venv")); err == nil {
		return path, "the directory has it", nil
	}
	if path, err := exec.LookPath("python3"); err == nil {
		path, err = filepath.Abs(path)
		return path, "PATH has it", err
	}
	return "", "", &InterpreterError{"there is no python3 in PATH: install Debian's package python3, or name an interpreter with --python"}
}

// inVirtualenv is the interpreter of a virtualenv.
func inVirtualenv(dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, "bin", "python"))
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath(path); err != nil {
		if target, err := filepath.EvalSymlinks(path); err == nil {
			return "", &InterpreterError{fmt.Sprintf("the Python of the virtualenv %s, %s, is not executable", dir, target)}
		}
		if target, err := os.Readlink(path); err == nil {
			return "", &InterpreterError{fmt.Sprintf("the Python of the virtualenv %s is gone: %s is a broken link to %s; make it anew with python3 -m venv", dir, path, target)}
		}
		return "", &InterpreterError{fmt.Sprintf("%s is no virtualenv: it has no bin/python", dir)}
	}
	return path, nil
}

// probeTime is how long an interpreter may take to tell its version.
const probeTime = 30 * time.Second

// probe asks an interpreter who it is: a name in PATH may be a script that chooses among several.
func probe(path, why string) (*Interpreter, error) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	c := exec.CommandContext(ctx, path, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)")
	c.Env = append(os.Environ(), "PYTHONSAFEPATH=1") // -P, where there is that
	out, err := c.Output()
	version, executable, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || n != 2 {
		return nil, &InterpreterError{fmt.Sprintf("%s does not run Python code (%s): name another interpreter with --python", path, complaint(err))}
	}
	if major != 3 || minor < oldestMinor {
		return nil, &InterpreterError{fmt.Sprintf("%s is Python %s, and 3.%d is the oldest that weir works with: name another interpreter with --python", path, version, oldestMinor)}
	}
	if executable == "" {
		executable = path
	}
	i := &Interpreter{Path: executable, Version: version, Why: why, options: []string{"-u"}}
	if minor >= 11 {
		i.options = append(i.options, "-P") // 3.13 imports a module itself before it runs what -c says
	}
	return i, nil
}

// complaintLines is how many lines are told of what an interpreter has to say, longestComplaint how many octets of them.
const complaintLines, longestComplaint = 5, 500

// complaint is why an interpreter has failed: how it has ended, and what it has written to standard error at last.
func complaint(err error) string {
	if err == nil {
		return "it does not tell its version"
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err.Error()
	}
	text := err.Error()
	var said []string
	for line := range strings.Lines(string(exit.Stderr)) {
		if line = strings.TrimSpace(line); line != "" {
			said = append(said, line)
		}
	}
	if len(said) > 0 {
		last := strings.Join(said[max(0, len(said)-complaintLines):], "; ")
		text += ": " + strings.ToValidUTF8(last[max(0, len(last)-longestComplaint):], "?")
	}
	return text
}
