package nethttp

import (
	"bytes"
	"io"
)

// lineReader is app.Input over the Body of a request.
type lineReader struct {
	src io.Reader
	// rest is what ReadLine has read too much, a part of buf.
	rest, buf []byte
	err       error
}

func (l *lineReader) Read(p []byte) (int, error) {
	if len(l.rest) > 0 {
		n := copy(p, l.rest)
		l.rest = l.rest[n:]
		return n, nil
	}
	if l.err != nil {
		return 0, l.err
	}
	return l.src.Read(p)
}

func (l *lineReader) WriteTo(w io.Writer) (int64, error) {
	// The struct hides WriteTo from Copy.
	return io.Copy(w, struct{ io.Reader }{l})
}

func (l *lineReader) ReadLine(limit int) ([]byte, error) {
	var line []byte
	for limit < 0 || len(line) < limit {
		if len(l.rest) == 0 {
			if l.err != nil {
				break
			}
			if l.buf == nil {
				l.buf = make([]byte, bufferSize)
			}
			var n int
			n, l.err = l.src.Read(l.buf)
			l.rest = l.buf[:n]
			continue
		}
		n := bytes.IndexByte(l.rest, '\n') + 1
		complete := n > 0
		if !complete {
			n = len(l.rest)
		}
		if limit >= 0 && n > limit-len(line) {
			n, complete = limit-len(line), true
		}
		line = append(line, l.rest[:n]...)
		l.rest = l.rest[n:]
		if complete {
			break
		}
	}
	if len(line) > 0 || limit == 0 {
		return line, nil
	}
	return nil, l.err
}

func (l *lineReader) View() ([]byte, bool) { return nil, false }
