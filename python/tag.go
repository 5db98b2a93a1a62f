package python

import (
	"bytes"
	"log/slog"
	"strconv"
)

// A tag is what a worker puts in front of a line, or of a traceback, that a call of the application has written: which request it is about. protocol.md has
// the form.

const (
	tagBegin = 0x1e
	tagEnd   = 0x1f
)

// untag takes the tag off. request is what the log says of it, no attribute when there is none. Lines come from whoever has the pipe: what
// is no tag is text.
func untag(line []byte, pid int) (text []byte, request slog.Attr) {
	if len(line) == 0 || line[0] != tagBegin {
		return line, request
	}
	end := bytes.IndexByte(line, tagEnd)
	if end < 0 {
		return line, request
	}
	if end == 1 {
		return line[2:], request
	}
	number, rest, _ := bytes.Cut(line[1:end], []byte{' '})
	method, path, _ := bytes.Cut(rest, []byte{' '})
	n, err := strconv.ParseUint(string(number), 10, 32)
	if err != nil {
		return line, request
	}
	return line[end+1:], slog.Group("request", slog.String("id", requestID(pid, uint32(n))), slog.String("method", string(method)), slog.String("path", string(path)))
}

// requestID names a request: no other that this process of a worker gets has the same number.
func requestID(pid int, number uint32) string {
	return strconv.Itoa(pid) + "-" + strconv.FormatUint(uint64(number), 10)
}
