package static

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	errDirectory = errors.New("static: is a directory")
	errSpecial   = errors.New("static: is neither a file nor a directory")
)

// root is a directory that nothing is opened outside of: os.Root sees to that, link by link, and against races.
type root struct {
	dir   string // absolute
	links bool   // those inside are followed

	mu      sync.RWMutex
	os      *os.Root
	checked time.Time
	closed  bool
}

// fileName returns the name, below a root, of what a path stands for; "." is the root itself. A slash at its end does not count. ok is false for a path
// under which nothing is served: one with empty, "." or ".." segments, and with octets that a name has on no system. The path is decoded.
func fileName(path string, dotfiles bool) (name string, ok bool) {
	name = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	if name == "" {
		return ".", len(path) < 2
	}
	if strings.ContainsAny(name, "\x00\\") {
		return "", false
	}
	first := true
	for segment := range strings.SplitSeq(name, "/") {
		switch {
		case segment == "", segment == ".", segment == "..":
			return "", false
		case segment[0] == '.' && !dotfiles && !(first && segment == ".well-known"): // RFC 8615
			return "", false
		}
		first = false
	}
	return name, true
}

// openRoot opens a directory.
func openRoot(dir string, links bool) (*root, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	opened, err := openDirectory(absolute)
	if err != nil {
		return nil, err
	}
	return &root{dir: absolute, links: links, os: opened, checked: time.Now()}, nil
}

func openDirectory(dir string) (*os.Root, error) {
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	// One that cannot be searched serves nothing: who starts a server wants to know that now.
	if _, err := r.Lstat("."); err != nil {
		_ = r.Close()
		return nil, err
	}
	list, err := r.Open(".")
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	return r, list.Close()
}

func (r *root) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return r.os.Close()
}

// use calls f with the directory. Releases are often switched by giving their directory's name to another one: so the
// name is looked at again, once in freshFor.
func (r *root) use(f func(*os.Root) error) error {
	now := time.Now()
	r.mu.RLock()
	if stale := now.Sub(r.checked) >= freshFor && !r.closed; stale {
		r.mu.RUnlock()
		r.renew(now)
		r.mu.RLock()
	}
	defer r.mu.RUnlock()
	return f(r.os)
}

// renew opens the directory again when its name has become that of another one.
func (r *root) renew(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || now.Sub(r.checked) < freshFor {
		return
	}
	r.checked = now
	named, err := os.Stat(r.dir)
	if err != nil {
		return
	}
	if held, err := r.os.Stat("."); err == nil && os.SameFile(named, held) {
		return
	}
	if opened, err := openDirectory(r.dir); err == nil {
		_ = r.os.Close()
		r.os = opened
	}
}

// stat looks at a regular file.
func (r *root) stat(name string) (info fs.FileInfo, err error) {
	err = r.use(func(root *os.Root) error {
		info, err = r.look(root, name)
		return err
	})
	return info, err
}

// errReplaced is what openSeen tells of a file that has become another one since it was looked at.
var errReplaced = errors.New("it was replaced each time that it was opened")

// replacements is how often a file may be replaced while it is opened, one time after another.
const replacements = 10

// open opens a regular file. Nothing else is opened, not even for a moment: a device may do things when it is.
func (r *root) open(name string) (file *os.File, info fs.FileInfo, err error) {
	err = r.use(func(root *os.Root) error {
		for range replacements {
			if file, info, err = r.openSeen(root, name); err != errReplaced {
				return err
			}
		}
		return fmt.Errorf("%s: %w", name, err)
	})
	return file, info, err
}

// openSeen opens the file that was looked at.
func (r *root) openSeen(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	seen, err := r.look(root, name)
	if err != nil {
		return nil, nil, err
	}
	flags := os.O_RDONLY | syscall.O_NONBLOCK // in case it has become a FIFO meanwhile
	if !r.links {
		flags |= syscall.O_NOFOLLOW
	}
	file, err := root.OpenFile(name, flags, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !os.SameFile(seen, info) {
		err = errReplaced
	}
	if err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// look is stat in an os.Root. Where links are not followed, each part of the name is looked at: one that is exchanged for a link
// behind that is followed once, inside the root.
func (r *root) look(root *os.Root, name string) (info fs.FileInfo, err error) {
	if r.links {
		info, err = root.Stat(name)
	} else {
		for end := 0; end < len(name); end++ {
			if i := strings.IndexByte(name[end:], '/'); i >= 0 {
				end += i
			} else {
				end = len(name)
			}
			if info, err = root.Lstat(name[:end]); err != nil {
				break
			}
			if info.Mode()&fs.ModeSymlink != 0 {
				return nil, fs.ErrNotExist
			}
		}
	}
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errDirectory
	case !info.Mode().IsRegular():
		return nil, errSpecial
	}
	return info, nil
}

// isEscape tells whether os.Root has refused to leave its directory, for which it has no error that is exported.
func isEscape(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Err != nil && path.Err.Error() == "path escapes from parent"
}
