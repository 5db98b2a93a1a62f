package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/weirhttp/weir/python"
)

// applicationFlags say which Python application it is, and where it is found.
type applicationFlags struct {
	App string `arg:"" optional:"" name:"module:callable" help:"The application: module:callable, module (then its \"application\" or \"app\"), or module:factory()."`

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
	if err := f.checkName(); err != nil {
		return err
	}
	for _, variable := range f.Env {
		if name, _, ok := strings.Cut(variable, "="); !ok || name == "" {
			return &usageError{fmt.Sprintf("--env must be NAME=VALUE, not %q", variable)}
		}
	}
	return f.checkChdir()
}

// callable is what follows the colon, as far as it can be told without Python.
var callable = regexp.MustCompile(`(?s)^\s*[\pL_][\pL\pN_]*(\.[\pL_][\pL\pN_]*)*\s*(\(.*\))?\s*$`)

// checkName refuses names that Python could make nothing of, and says what may be meant.
func (f *applicationFlags) checkName() error {
	if f.App == "" {
		return nil
	}
	module, rest, colon := strings.Cut(f.App, ":")
	var cure string
	switch dot := strings.LastIndexByte(module, '.'); {
	case strings.ContainsRune(module, '/') || strings.HasSuffix(module, ".py"):
		cure = "a module is named, not its file"
		if near, dir := moduleOf(module); near != "" {
			cure += ": " + near + f.App[len(module):]
			if dir != "" {
				cure += " --chdir " + dir
			}
		}
	case !dotted.MatchString(module) || colon && !callable.MatchString(rest):
		cure = "write module:callable, module, or 'module:factory()'"
	case !colon && dot > 0 && f.isFile(module[:dot]):
		cure = fmt.Sprintf("%s is a module, and no package: %s:%s", module[:dot], module[:dot], module[dot+1:])
	default:
		return nil
	}
	return &usageError{fmt.Sprintf("application %q: %s", f.App, cure)}
}

// moduleOf is the module of a file, and the directory to look for it in where that is not the one that weir works in; "": none can have that name.
func moduleOf(file string) (module, dir string) {
	file = strings.TrimSuffix(filepath.Clean(file), ".py")
	if !filepath.IsLocal(file) {
		dir, file = filepath.Dir(file), filepath.Base(file)
	}
	if module = strings.ReplaceAll(file, "/", "."); !dotted.MatchString(module) {
		return "", ""
	}
	return module, dir
}

// isFile tells whether a module is a file in the directory that weir works in. What a package has is not in there.
func (f *applicationFlags) isFile(module string) bool {
	path := filepath.Join(cmp.Or(f.Chdir, "."), strings.ReplaceAll(module, ".", "/"))
	return exists(path+".py") && !exists(path)
}

func (f *applicationFlags) checkChdir() error {
	if f.Chdir == "" {
		return nil
	}
	info, err := os.Stat(f.Chdir)
	var wrong *fs.PathError
	switch {
	case errors.As(err, &wrong):
		return fmt.Errorf("--chdir %s: %w", f.Chdir, wrong.Err)
	case err != nil:
		return fmt.Errorf("--chdir: %w", err)
	case !info.IsDir():
		return fmt.Errorf("--chdir %s: it is not a directory", f.Chdir)
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
	if cure := unlikeWorkerClass(name); cure != "" {
		return "", &usageError{fmt.Sprintf("--worker-class %s %s", name, cure)}
	}
	return "", &usageError{fmt.Sprintf("--worker-class must be sync, threads or gevent, not %q", name)}
}
