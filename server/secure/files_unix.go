//go:build unix

package secure

import (
	"io/fs"
	"syscall"
)

// fileID is the identity of a file: one that was renamed to a path is another one than that which was there before.
type fileID struct{ device, inode uint64 }

func identify(info fs.FileInfo) (id fileID) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		id = fileID{uint64(s.Dev), uint64(s.Ino)}
	}
	return id
}
