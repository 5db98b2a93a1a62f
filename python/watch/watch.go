// Package watch tells when Python files change, while an application is being developed.
package watch

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Options say what is watched.
type Options struct {
	// Dirs are directories whose Python files are watched, and those of the directories in them, but for what is no code of the application: hidden
	// directories, virtualenvs, site-packages, __pycache__ and node_modules. Symbolic links are not followed.
	Dirs []string
	// Files are watched whatever they are, beside those. Of a directory it is all files in it, at any depth.
	Files []string
	// MostDirs bounds how many directories are watched (4096); those next to Dirs come first.
	MostDirs int
	// Logger is told what cannot be watched. Default: slog.Default.
	Logger *slog.Logger
}

const (
	// quietTime is for how long nothing must have changed before files are taken for written: editors and version control write several, or one
	// under another name first.
	quietTime = 50 * time.Millisecond
	// longestTime is how long that is waited for.
	longestTime = time.Second
	// touchTime is how old a file may be whose attributes have changed, for that to count as a change: somebody has touched it. Else it is a
	// change of owner or permissions.
	touchTime = 2 * time.Second
)

// Watcher watches from New to Close. What changes in between is not lost, whenever Run is called.
type Watcher struct {
	options Options
	notify  *fsnotify.Watcher
	closed  chan struct{}
	// Of New, then of Run.
	dirs    map[string]bool // that are watched; true: for all files in them
	files   map[string]bool // of Options.Files
	missing bool            // it was said that there are more
}

// New begins to watch.
func New(o Options) (*Watcher, error) {
	o.MostDirs = cmp.Or(o.MostDirs, 4096)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Dirs = slices.Clone(o.Dirs)
	o.Files = slices.Clone(o.Files)
	for _, list := range [][]string{o.Dirs, o.Files} {
		for i, path := range list {
			path, err := filepath.Abs(path)
			if err != nil {
				return nil, err
			}
			list[i] = path
		}
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &Watcher{options: o, notify: notify, closed: make(chan struct{}), dirs: make(map[string]bool), files: make(map[string]bool)}
	if err := w.scan(); err != nil {
		_ = notify.Close()
		return nil, err
	}
	return w, nil
}

// Close ends Run.
func (w *Watcher) Close() error {
	close(w.closed)
	return w.notify.Close()
}

// scan watches all that the options name. The error tells which of that is not there.
func (w *Watcher) scan() error {
	for _, path := range w.options.Files {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			w.addTree(path, true)
			continue
		}
		w.files[path] = true
		if err := w.add(filepath.Dir(path), w.dirs[filepath.Dir(path)]); err != nil {
			return fmt.Errorf("%s cannot be watched: %w", path, err)
		}
	}
	for _, dir := range w.options.Dirs {
		if _, err := os.ReadDir(dir); err != nil {
			return fmt.Errorf("%s cannot be watched: %w", dir, err)
		}
		w.addTree(dir, false)
	}
	return nil
}

// add watches the files in a directory.
func (w *Watcher) add(dir string, all bool) error {
	if _, known := w.dirs[dir]; !known {
		if err := w.notify.Add(dir); err != nil {
			return err
		}
	}
	w.dirs[dir] = w.dirs[dir] || all
	return nil
}

// addTree watches a directory and those in it, level by level. found tells whether there are files that count.
func (w *Watcher) addTree(root string, all bool) (found bool) {
	for level := []string{root}; len(level) > 0; {
		var below []string
		for _, dir := range level {
			if _, known := w.dirs[dir]; !known && len(w.dirs) >= w.options.MostDirs {
				w.lacks("there are too many directories", "watched", len(w.dirs))
				return found
			}
			if err := w.add(dir, all); err != nil {
				if !errors.Is(err, fs.ErrNotExist) { // else it was removed just now
					w.lacks("the system has no room to watch more (on Linux: sysctl fs.inotify.max_user_watches)", "directory", dir, "error", err)
				}
				continue
			}
			entries, _ := os.ReadDir(dir) // an error: nothing to be found
			for _, entry := range entries {
				path := filepath.Join(dir, entry.Name())
				switch {
				case entry.IsDir() && (all || isCode(path)) && !isHidden(path):
					below = append(below, path)
				case !entry.IsDir():
					found = found || w.counts(path)
				}
			}
		}
		level = below
	}
	return found
}

// lacks says that not all is watched, once.
func (w *Watcher) lacks(why string, args ...any) {
	if !w.missing {
		w.missing = true
		w.options.Logger.Warn("not all changes of files will be noticed: "+why, args...)
	}
}

func isHidden(path string) bool { return strings.HasPrefix(filepath.Base(path), ".") }

// isCode tells whether a directory may have code of the application.
func isCode(dir string) bool {
	switch filepath.Base(dir) {
	case "__pycache__", "node_modules", "site-packages", "dist-packages":
		return false
	}
	_, err := os.Lstat(filepath.Join(dir, "pyvenv.cfg")) // a virtualenv has it
	return err != nil
}

// counts tells whether a change of a file is one of the application.
func (w *Watcher) counts(path string) bool {
	switch {
	case w.files[path]:
		return true
	case isHidden(path) || strings.HasSuffix(path, "~"): // an editor's
		return false
	}
	all, known := w.dirs[filepath.Dir(path)]
	return known && (all || strings.HasSuffix(path, ".py"))
}

// Run calls changing at the first sign that files change, and changed when they have been quiet for a moment since, with the name of one of them. It returns
// after Close.
func (w *Watcher) Run(changing func(), changed func(file string)) {
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	defer quiet.Stop()
	var file string
	var since time.Time // zero: nothing is changing
	for {
		var now string
		select {
		case <-w.closed:
			return
		case e := <-w.notify.Events:
			if !w.see(e) {
				continue
			}
			now = e.Name
			forgetCompiled(now)
		case err, ok := <-w.notify.Errors:
			if !ok {
				return
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				w.options.Logger.Warn("a change of files may have been missed", "error", err)
				continue
			}
			_ = w.scan() // what there is that nobody was told of
			now = "many files"
		case <-quiet.C:
			since = time.Time{}
			changed(file)
			continue
		}
		if since.IsZero() {
			since, file = time.Now(), now
			changing()
		}
		quiet.Reset(min(quietTime, max(0, longestTime-time.Since(since))))
	}
}

// see tells whether an event counts, and keeps the directories up to date.
func (w *Watcher) see(e fsnotify.Event) bool {
	_, known := w.dirs[e.Name]
	switch {
	case e.Name == "": // the channel is closed
		return false
	case known && e.Has(fsnotify.Remove|fsnotify.Rename):
		return w.forget(e.Name)
	case known:
		return false
	case e.Has(fsnotify.Create):
		if info, err := os.Lstat(e.Name); err == nil && info.IsDir() {
			all := w.dirs[filepath.Dir(e.Name)]
			return w.below(e.Name) && !isHidden(e.Name) && (all || isCode(e.Name)) && w.addTree(e.Name, all)
		}
	case e.Op == fsnotify.Chmod:
		info, err := os.Stat(e.Name)
		return err == nil && time.Since(info.ModTime()).Abs() < touchTime && w.counts(e.Name)
	}
	return w.counts(e.Name)
}

// below tells whether a path is in a directory that is watched at any depth.
func (w *Watcher) below(path string) bool {
	in := func(root string) bool { return strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/") }
	return slices.ContainsFunc(w.options.Dirs, in) || slices.ContainsFunc(w.options.Files, in)
}

// forget notes that a directory has gone, with those in it. It had files that count, for all that is known.
func (w *Watcher) forget(dir string) bool {
	for path := range w.dirs {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			_ = w.notify.Remove(path) // an error: it has noticed
			delete(w.dirs, path)
		}
	}
	return true
}
