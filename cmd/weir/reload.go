package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weirhttp/weir/python"
	"github.com/weirhttp/weir/python/watch"
)

// reloadFlags are for those who change an application while it is served.
type reloadFlags struct {
	Reload          bool     `help:"For development: new workers when a Python file changes; browsers are shown why the application does not start."`
	ReloadExtraFile []string `placeholder:"PATH" sep:"none" help:"With --reload: another file, or a directory of files, such as templates. Repeatable."`
}

// reloading is what watches the files of an application; nil: nothing does.
type reloading struct {
	watcher *watch.Watcher
	done    chan struct{}
}

// watch begins to watch with --reload, and has the supervisor that is made with options be one for development.
func (f *reloadFlags) watch(options *python.Options) (*reloading, error) {
	if !f.Reload {
		return nil, nil
	}
	if options.Preload {
		options.Preload = false
		slog.Warn("--preload is left out: with --reload each worker imports the application")
	}
	options.Develop = true
	options.Started = func(err error) {
		if err != nil {
			slog.Error("the application does not start; it is tried again when a file changes", "error", startFailed(err))
			return
		}
		slog.Info("workers are ready")
	}
	chdir := cmp.Or(options.Chdir, ".")
	dirs := []string{chdir}
	for _, dir := range slices.Concat(options.Path, filepath.SplitList(variable("PYTHONPATH", options.Env))) {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(chdir, dir)
		}
		if info, err := os.Stat(dir); err == nil && info.IsDir() { // Python leaves out what is not there, too
			dirs = append(dirs, dir)
		}
	}
	watcher, err := watch.New(watch.Options{Dirs: dirs, Files: f.ReloadExtraFile})
	if err != nil {
		return nil, fmt.Errorf("--reload: %w", err)
	}
	return &reloading{watcher, make(chan struct{})}, nil
}

// variable is one of the environment that workers have, to which NAME=VALUE are added.
func variable(name string, added []string) string {
	for _, v := range slices.Backward(added) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return os.Getenv(name)
}

// state is what is said when the workers were started.
func (f *reloadFlags) state() string {
	if f.Reload {
		return "workers start; --reload is for development, clients see tracebacks"
	}
	return "workers are ready"
}

// follow has the supervisor follow changes.
func (r *reloading) follow(s *python.Supervisor) {
	if r == nil {
		return
	}
	go func() {
		defer close(r.done)
		r.watcher.Run(s.Outdate, func(file string) {
			if here, err := os.Getwd(); err == nil {
				file = strings.TrimPrefix(file, here+"/")
			}
			slog.Info("a file has changed: the workers are started anew", "file", file)
			s.Renew()
		})
	}()
}

func (r *reloading) close() {
	if r != nil {
		_ = r.watcher.Close()
	}
}
