package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A responseReader reads the responses of one connection and checks each. It
// keeps to what the compared servers send: a Content-Length, no chunks.
type responseReader struct {
	conn io.Reader
	buf  []byte // received and not consumed yet
	room []byte // what buf lies in
}

// errBad is wrapped by every complaint about a response's content, to tell
// them from failures of the connection.
var errBad = errors.New("bad response")

const maxResponse = 4096

func newResponseReader(conn io.Reader) *responseReader {
	return &responseReader{conn: conn, room: make([]byte, 4*maxResponse)}
}

// next consumes one response: 200, with the length and the bytes of body.
func (r *responseReader) next() error {
	for {
		n, err := responseLen(r.buf)
		if err != nil {
			return err
		}
		if n > 0 {
			r.buf = r.buf[n:]
			return nil
		}
		if len(r.buf) >= maxResponse {
			return fmt.Errorf("%w: longer than %d bytes", errBad, maxResponse)
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

func (r *responseReader) fill() error {
	kept := copy(r.room, r.buf)
	n, err := r.conn.Read(r.room[kept:])
	r.buf = r.room[:kept+n]
	if n > 0 {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// end wants the server to close now, with nothing sent before it.
func (r *responseReader) end() error {
	if len(r.buf) > 0 {
		return fmt.Errorf("%w: %d bytes after the last one", errBad, len(r.buf))
	}
	switch err := r.fill(); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: bytes after the last one", errBad)
}

var (
	statusOK      = []byte("HTTP/1.1 200 ")
	headEnd       = []byte("\r\n\r\n")
	contentLength = []byte("\r\ncontent-length:")
)

// responseLen is the length of the response with which buf begins, and 0 when
// that is not complete yet.
func responseLen(buf []byte) (int, error) {
	end := bytes.Index(buf, headEnd)
	if end < 0 {
		return 0, nil
	}
	head := buf[:end+2] // with the CR LF of its last line
	if !bytes.HasPrefix(head, statusOK) {
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		return 0, fmt.Errorf("%w: %q", errBad, line)
	}
	length, err := lengthField(head)
	if err != nil {
		return 0, err
	}
	if length != len(body) {
		return 0, fmt.Errorf("%w: Content-Length %d", errBad, length)
	}
	start := end + len(headEnd)
	if len(buf) < start+length {
		return 0, nil
	}
	if got := buf[start : start+length]; string(got) != body {
		return 0, fmt.Errorf("%w: body %q", errBad, got)
	}
	return start + length, nil
}

func lengthField(head []byte) (int, error) {
	for i := 0; i+len(contentLength) <= len(head); i++ {
		if head[i] != '\r' || !bytes.EqualFold(head[i:i+len(contentLength)], contentLength) {
			continue
		}
		value, _, _ := bytes.Cut(head[i+len(contentLength):], []byte("\r"))
		n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%w: Content-Length %q", errBad, value)
		}
		return n, nil
	}
	return 0, fmt.Errorf("%w: no Content-Length", errBad)
}
