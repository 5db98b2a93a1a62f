package main

import (
	"fmt"
	"strings"

	"github.com/weirhttp/weir/python"
)

// applicationFlags say which Python application it is, and where it is found.
type applicationFlags struct {
	App string `arg:"" optional:"" name:"module:callable" help:"The application: module:callable, module (then its \"application\"), or module:factory()."`

	Python     string   `placeholder:"PATH" help:"Python interpreter (default: that of --virtualenv, of VIRTUAL_ENV, of .venv, or python3)."`
	Virtualenv string   `placeholder:"DIR" help:"Virtualenv whose interpreter is used."`
	Chdir      string   `placeholder:"DIR" help:"Directory to work in."`
	Pythonpath string   `placeholder:"DIRS" help:"Directories, separated by commas, in front of sys.path."`
	Env        []string `short:"e" placeholder:"NAME=VALUE" sep:"none" help:"Variable for the environment of the application. Repeatable."`
}

// check refuses what cannot be meant.
func (f *applicationFlags) check() error {
	if f.App == "" {
		return &usageError{"which application? Give module:callable, or app in a configuration file"}
	}
	return f.checkGiven()
}

// checkGiven refuses what cannot be meant, an application that is missing excepted.
func (f *applicationFlags) checkGiven() error {
	for _, variable := range f.Env {
		if name, _, ok := strings.Cut(variable, "="); !ok || name == "" {
			return &usageError{fmt.Sprintf("--env must be NAME=VALUE, not %q", variable)}
		}
	}
	return nil
}

// path is what comes in front of sys.path.
func (f *applicationFlags) path() []string {
	if f.Pythonpath == "" {
		return nil
	}
	return strings.Split(f.Pythonpath, ",")
}

// workerClass is the class of workers, by the names that gunicorn has for them too.
func workerClass(name string, threads int) (python.Class, error) {
	switch name {
	case "sync":
		if threads > 1 {
			return python.Threads, nil
		}
		return python.Sync, nil
	case "threads", "gthread":
		return python.Threads, nil
	case "gevent":
		return python.Gevent, nil
	}
	return "", &usageError{fmt.Sprintf("--worker-class must be sync, threads or gevent, not %q", name)}
}
