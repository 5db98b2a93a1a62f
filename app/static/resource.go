package static

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// resource is what a path stands for. It does not change any more once it is in the cache.
type resource struct {
	variants     []*variant // the file itself first
	contentType  string
	cacheControl string // "": not sent
	checked      time.Time
}

// variant is one file of a resource: the one without a coding, or a compressed sibling.
type variant struct {
	name   string // below the root
	coding string // "": none
	validators
	size int64
	info fs.FileInfo

	loaded  bool
	content []byte  // of a small file
	handle  *handle // of others
}

// validators are what conditions are about (RFC 9110 8.8).
type validators struct {
	etag         string
	lastModified string // "": there is none
	modified     time.Time
}

func newVariant(name, coding string, info fs.FileInfo, now time.Time) *variant {
	return &variant{name: name, coding: coding, validators: validatorsOf(info, coding, now), size: info.Size(), info: info}
}

// validatorsOf makes the validators of a file. The tag is of what changes when content does, and equal on machines which have the file from the
// same source with its time, so without the inode. A time that is still to come is no Last-Modified (RFC 9110 8.8.2.1).
func validatorsOf(info fs.FileInfo, coding string, now time.Time) validators {
	modified := info.ModTime()
	tag := append(make([]byte, 0, 40), '"')
	tag = append(strconv.AppendInt(tag, modified.UnixNano(), 16), '-')
	tag = strconv.AppendInt(tag, info.Size(), 16)
	if coding != "" {
		tag = append(append(tag, '-'), coding...)
	}
	v := validators{etag: string(append(tag, '"')), modified: modified.Truncate(time.Second).UTC()}
	if !modified.After(now) {
		v.lastModified = formatDate(v.modified)
	}
	return v
}

// open loads the file. What is found may be newer than what stat saw.
func (v *variant) open(root *root) error {
	file, info, err := root.open(v.name)
	if err != nil {
		return err
	}
	*v = *newVariant(v.name, v.coding, info, time.Now())
	if v.size > inMemory {
		v.loaded, v.handle = true, newHandle(file)
		return nil
	}
	defer file.Close()
	v.content = make([]byte, v.size)
	if n, err := file.ReadAt(v.content, 0); int64(n) < v.size {
		if err == io.EOF {
			err = errors.New("it became shorter while it was read")
		}
		return &fs.PathError{Op: "read", Path: v.name, Err: err}
	}
	v.loaded = true
	return nil
}

// acquire keeps the file open until release of its handle. It is false when there is none, or not any more.
func (v *variant) acquire() bool {
	return v.loaded && (v.handle == nil || v.handle.acquire())
}

// inherit takes over from an earlier resource what has not changed.
func (r *resource) inherit(old *resource) {
	if old == nil {
		return
	}
	for _, v := range r.variants {
		for _, was := range old.variants {
			if was.name == v.name && was.etag == v.etag && os.SameFile(was.info, v.info) && was.acquire() {
				v.loaded, v.content, v.handle = true, was.content, was.handle
			}
		}
	}
}

// release gives up the files that the resource keeps open.
func (r *resource) release() {
	for _, v := range r.variants {
		if v.handle != nil {
			v.handle.release()
		}
	}
}

// open is how many files the resource keeps open.
func (r *resource) open() (n int) {
	for _, v := range r.variants {
		if v.handle != nil {
			n++
		}
	}
	return n
}

// handle is an open file with several users: the cache, and each response that is sent from it.
type handle struct {
	file *os.File
	fd   uintptr
	refs atomic.Int32
}

// newHandle returns a handle that is in use once. It owns the file.
func newHandle(file *os.File) *handle {
	h := &handle{file: file, fd: file.Fd()}
	h.refs.Store(1)
	return h
}

// ReadAt and Fd implement app.File.
func (h *handle) ReadAt(p []byte, offset int64) (int, error) { return h.file.ReadAt(p, offset) }
func (h *handle) Fd() uintptr                                { return h.fd }

// Name is that of the file, for the log.
func (h *handle) Name() string { return h.file.Name() }

// acquire is false when the file was closed.
func (h *handle) acquire() bool {
	for {
		n := h.refs.Load()
		if n == 0 {
			return false
		}
		if h.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release closes the file after its last user. That of a file without a name frees its blocks, for which no loop is to wait.
func (h *handle) release() {
	if h.refs.Add(-1) == 0 {
		go h.file.Close()
	}
}
