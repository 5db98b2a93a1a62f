package nethttp

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/weirhttp/weir/app"
)

// enclosure is part of a file in the content of a deferred response, and the content behind it.
type enclosure struct {
	file      *os.File // owned
	offset, n int64
	behind    []byte
}

// enclose puts a file behind what there is.
func (m *mailbox) enclose(e enclosure) {
	m.files = append(m.files, e)
	m.octets += int(e.n)
}

// take takes the content up to the first file, and that.
func (m *mailbox) take() (data []byte, file *enclosure) {
	data, m.data = m.data, nil
	if len(m.files) > 0 {
		e := m.files[0]
		m.files = m.files[1:]
		m.data = e.behind
		file = &e
	}
	return data, file
}

// closeFiles closes what was not taken.
func (m *mailbox) closeFiles() {
	for _, e := range m.files {
		_ = e.file.Close()
	}
	m.files = nil
}

var errFileShort = errors.New("the file is shorter than what was to be sent of it")

// passFile gives a file to the http.ResponseWriter. net/http's own sendfile would go by the position of the descriptor, and move
// it; others may have the same one, in another process too.
func (d *deferred) passFile(e *enclosure) error {
	section := io.NewSectionReader(e.file, e.offset, e.n)
	buf := make([]byte, min(e.n, highWater))
	for left := e.n; left > 0; {
		n, err := section.Read(buf)
		if n == 0 {
			_ = flush(d.w) // what there was is to arrive
			return fmt.Errorf("%w: %s: %w", errFileShort, e.file.Name(), err)
		}
		left -= int64(n)
		if _, err := d.w.Write(buf[:n]); err != nil || d.passed(n) || d.isCut() {
			return app.ErrGone
		}
	}
	return nil
}

// isCut tells whether the application has given the response up.
func (d *deferred) isCut() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cut
}
