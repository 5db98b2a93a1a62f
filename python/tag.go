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

// longestPath is how much of a path is logged, in octets; worker.py cuts tags there, too.
const longestPath = 256

// about tells the log which request it is, as the tags of its lines do. mu is held, or the worker's part of r has ended and its packet is there still.
func (r *request) about(w *worker) slog.Attr {
	id := slog.String("id", requestID(w.pid, r.number))
	method, path, ok := r.supervisor.shapes.read(r.packet)
	if !ok {
		return slog.Group("request", id)
	}
	return slog.Group("request", id, slog.String("method", method), slog.String("path", path))
}

// read reads the method and the path in a REQUEST packet. It is for the log, and slow.
func (s *shapes) read(p *packet) (method, path string, ok bool) {
	if p == nil {
		return "", "", false
	}
	f, _, _ := nextFrame(p.octets)
	marshalled, _, _ := split(f.payload)
	environ, _ := unmarshal(marshalled)
	values, ok := environ.(map[string]any)
	if list, isTuple := environ.([]any); isTuple {
		f, _, _ = nextFrame(s.numbered(shapeOf(p.octets)).frame)
		keys, _ := unmarshal(f.payload)
		names, _ := keys.([]any)
		values, ok = make(map[string]any), len(names) == len(list)
		for i := range min(len(names), len(list)) {
			name, _ := names[i].(string)
			values[name] = list[i]
		}
	}
	method, _ = values["REQUEST_METHOD"].(string)
	path, _ = values["PATH_INFO"].(string)
	return method, printable(path), ok
}

// printable is a str of an environ as its octets, without control characters and no longer than longestPath.
func printable(text string) string {
	octets := make([]byte, 0, longestPath)
	for _, c := range text {
		if len(octets) == longestPath {
			break
		}
		if c < ' ' || c == 0x7f {
			c = '?'
		}
		octets = append(octets, byte(c))
	}
	return string(octets)
}
