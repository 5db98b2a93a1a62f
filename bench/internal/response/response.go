// Package response reads what an HTTP server answers.
package response

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// A Response is what a server answers. Content is a view into what was parsed.
type Response struct {
	Status  int
	Content []byte
	Closing bool // the server closes the connection behind it
}

var (
	headEnd      = []byte("\r\n\r\n")
	errUnbounded = errors.New("response: no Content-Length")
)

// Parse reads a response at the beginning of buf and tells its length, which is 0 when more is needed. It
// takes those with a Content-Length, and 204, which has no content.
func Parse(buf []byte) (r Response, size int, err error) {
	end := bytes.Index(buf, headEnd)
	if end < 0 {
		if len(buf) > 8<<10 {
			return r, 0, errors.New("response: a head without end")
		}
		return r, 0, nil
	}
	line, fields, _ := bytes.Cut(buf[:end+2], headEnd[:2])
	if len(line) < len("HTTP/1.1 200") || string(line[:7]) != "HTTP/1." {
		return r, 0, fmt.Errorf("response: the first line is %q", line)
	}
	if r.Status, err = Number(line[9:12]); err != nil {
		return r, 0, fmt.Errorf("response: the first line is %q", line)
	}
	length := -1
	for len(fields) > 0 {
		var field []byte
		field, fields, _ = bytes.Cut(fields, headEnd[:2])
		name, value, _ := bytes.Cut(field, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = Number(bytes.TrimSpace(value)); err != nil {
				return r, 0, fmt.Errorf("response: %q", field)
			}
		case bytes.EqualFold(name, []byte("Connection")):
			r.Closing = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	}
	if r.Status == 204 {
		length = 0
	}
	if length < 0 {
		return r, 0, errUnbounded
	}
	if size = end + len(headEnd) + length; size > len(buf) {
		return r, 0, nil
	}
	r.Content = buf[end+len(headEnd) : size]
	return r, size, nil
}

// Number reads one to nine digits, and nothing else.
func Number(digits []byte) (int, error) {
	if len(digits) == 0 || len(digits) > 9 {
		return 0, strconv.ErrSyntax
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, strconv.ErrSyntax
		}
		n = 10*n + int(c-'0')
	}
	return n, nil
}
