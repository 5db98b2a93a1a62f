package app

import (
	"bytes"
	"io"
)

// Input is wsgi.input: the content of the request, transfer codings removed, ended by io.EOF where
// the content ends. Read blocks only where the content is still on its way, and then the
// application is on a goroutine, never on a loop. It is used by one goroutine at a time.
type Input interface {
	io.Reader
	io.WriterTo
	// ReadLine returns octets up to and with the next LF, at most limit of them (limit < 0: no
	// limit). The slice is the caller's. At the end it returns io.EOF and no octets.
	ReadLine(limit int) ([]byte, error)
	// View returns all that is left, without a copy, when the whole content is in memory; ok is
	// false when it is not. It does not consume. The view lives as other views of the request do.
	View() (all []byte, ok bool)
}

// Memory is an Input over content that is in memory. The zero value is empty content.
type Memory struct{ rest []byte }

// NewMemory returns an Input over content, which it does not copy.
func NewMemory(content []byte) *Memory { return &Memory{content} }

// Reset makes m read content, which it does not copy.
func (m *Memory) Reset(content []byte) { m.rest = content }

func (m *Memory) Read(p []byte) (int, error) {
	if len(m.rest) == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

// WriteTo implements io.WriterTo.
func (m *Memory) WriteTo(w io.Writer) (int64, error) {
	if len(m.rest) == 0 {
		return 0, nil
	}
	n, err := w.Write(m.rest)
	m.rest = m.rest[n:]
	return int64(n), err
}

// ReadLine implements Input.
func (m *Memory) ReadLine(limit int) ([]byte, error) {
	if len(m.rest) == 0 {
		return nil, io.EOF
	}
	n := bytes.IndexByte(m.rest, '\n') + 1
	if n == 0 {
		n = len(m.rest)
	}
	if limit >= 0 {
		n = min(n, limit)
	}
	line := bytes.Clone(m.rest[:n])
	m.rest = m.rest[n:]
	return line, nil
}

// View implements Input.
func (m *Memory) View() ([]byte, bool) { return m.rest, true }
