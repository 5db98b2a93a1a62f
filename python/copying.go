package python

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"sync"
)

// copying sends a file that the worker has passed on, at the pace of the client. A Deferred has no way to a sendfile: it is
// read and written, on a goroutine.
type copying struct {
	request *request
	file    *os.File
	section *io.SectionReader
	room    chan struct{} // the client may have caught up

	mu     sync.Mutex
	rest   []byte // content that comes behind the file
	ended  bool   // nothing more comes
	copied bool   // the file was sent, and so was rest
}

// receiveFile begins to send a file.
func (w *worker) receiveFile(e *event, file *os.File) error {
	r := e.request
	if len(e.payload) < 16 || file == nil {
		closeFile(file)
		return errFrame
	}
	if r == nil || e.silent {
		closeFile(file)
		return nil
	}
	offset, count := binary.LittleEndian.Uint64(e.payload), binary.LittleEndian.Uint64(e.payload[8:])
	c := &copying{
		request: r, file: file, ended: e.ended,
		section: io.NewSectionReader(file, int64(offset), int64(count)),
		room:    make(chan struct{}, 1),
	}
	s := w.supervisor
	s.mu.Lock()
	r.copying = c
	s.mu.Unlock()
	go c.run()
	return nil
}

// later keeps content that comes while the file is being sent. It is false when it is not.
func (c *copying) later(content []byte, ended bool) bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.copied {
		return false
	}
	c.rest = append(c.rest, content...)
	c.ended = c.ended || ended
	return true
}

// wake has the goroutine look again whether there is room, and somebody who reads.
func (c *copying) wake() {
	if c == nil {
		return
	}
	select {
	case c.room <- struct{}{}:
	default:
	}
}

func (c *copying) run() {
	defer c.file.Close()
	r := c.request
	buf := make([]byte, 64<<10)
	for {
		n, err := c.section.Read(buf)
		if n > 0 {
			unsent, err := r.deferred.Write(buf[:n])
			if err != nil || unsent > highWater && !c.wait() {
				return
			}
			continue
		}
		if err != nil && err != io.EOF {
			r.supervisor.log.Error("a file of the application cannot be read", "error", err)
			r.deferred.Abort(err)
			return
		}
		break
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.copied = true
	if len(c.rest) > 0 {
		r.write(bytes.Clone(c.rest))
	}
	if c.ended {
		_ = r.deferred.Close()
	}
}

// wait waits until the client has caught up. It is false when the client has left.
func (c *copying) wait() bool {
	select {
	case <-c.room:
	case <-c.request.deferred.Done():
		return false
	}
	return true
}
