package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// A response is what a server answers. content is a view into what was parsed.
type response struct {
	status  int
	content []byte
	closing bool // the server closes the connection behind it
}

var (
	headEnd      = []byte("\r\n\r\n")
	errUnbounded = errors.New("response: no Content-Length")
)

// parseResponse reads a response at the beginning of buf and tells its length, which is 0 when more is needed. It
// takes those with a Content-Length, and 204, which has no content.
func parseResponse(buf []byte) (r response, size int, err error) {
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
	if r.status, err = number(line[9:12]); err != nil {
		return r, 0, fmt.Errorf("response: the first line is %q", line)
	}
	length := -1
	for len(fields) > 0 {
		var field []byte
		field, fields, _ = bytes.Cut(fields, headEnd[:2])
		name, value, _ := bytes.Cut(field, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = number(bytes.TrimSpace(value)); err != nil {
				return r, 0, fmt.Errorf("response: %q", field)
			}
		case bytes.EqualFold(name, []byte("Connection")):
			r.closing = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	}
	if r.status == 204 {
		length = 0
	}
	if length < 0 {
		return r, 0, errUnbounded
	}
	if size = end + len(headEnd) + length; size > len(buf) {
		return r, 0, nil
	}
	r.content = buf[end+len(headEnd) : size]
	return r, size, nil
}

func number(digits []byte) (int, error) {
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

// A message is the content of an answer to a poll: {"id":N,"data":"..."}. data is a view into it; the data that this
// program publishes needs no escapes.
type message struct {
	id   uint64
	data []byte
}

func parseMessage(content []byte) (m message, err error) {
	if m.id, err = member(content, `"id"`); err != nil {
		return m, err
	}
	_, rest, found := bytes.Cut(content, []byte(`"data"`))
	_, rest, quoted := bytes.Cut(rest, []byte(`"`))
	m.data, _, quoted = cutQuote(rest, quoted)
	if !found || !quoted {
		return m, fmt.Errorf("not a message: %.80q", content)
	}
	return m, nil
}

func cutQuote(rest []byte, opened bool) (before, after []byte, found bool) {
	before, after, found = bytes.Cut(rest, []byte(`"`))
	return before, after, found && opened
}

// member is the number under a quoted name in a flat JSON object.
func member(content []byte, name string) (uint64, error) {
	at := bytes.Index(content, []byte(name))
	if at >= 0 {
		rest := bytes.TrimLeft(content[at+len(name):], ": ")
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		if n, err := strconv.ParseUint(string(rest[:digits]), 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("no number %s in %.80q", name, content)
}
