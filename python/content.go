package python

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/weirhttp/weir/app"
)

// content is the content of a request that does not come with it: what the worker wants of it goes out in BODY frames.
type content struct {
	source io.Reader
	left   int64         // octets still to come
	place  uint16        // of the next BODY frame
	wanted atomic.Int64  // octets that the worker has asked for, and that have not been sent to it
	more   chan struct{} // there may be something wanted
	ended  chan struct{}
	once   sync.Once
}

func newContent(source io.Reader, length int64) *content {
	return &content{source: source, left: length, more: make(chan struct{}, 1), ended: make(chan struct{})}
}

// end tells that the worker's part of the request has ended.
func (c *content) end() { c.once.Do(func() { close(c.ended) }) }

// isAwaited tells whether the worker has asked for content that has not come from the client yet.
func (c *content) isAwaited() bool { return c != nil && c.wanted.Load() > 0 }

// want has n octets of content sent.
func (r *request) want(n int) {
	c := r.content
	if c == nil {
		return
	}
	c.wanted.Add(int64(n))
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// feed sends what the worker wants, until the request has ended. It is on the goroutine of the application.
func (r *request) feed() {
	c := r.content
	buf := make([]byte, min(int64(maxBody), c.left))
	for {
		select {
		case <-c.more:
		case <-c.ended:
			return
		}
		for wanted := c.wanted.Load(); wanted > 0; wanted = c.wanted.Load() {
			n, err := 0, error(nil)
			if c.left > 0 {
				n, err = c.source.Read(buf[:min(wanted, int64(len(buf)))])
			}
			c.left -= int64(n)
			c.wanted.Add(int64(-n))
			r.sendBody(buf[:n], err)
			if c.left == 0 || err != nil {
				c.wanted.Store(0)
			}
		}
	}
}

// sendBody sends a BODY frame: content, or why there is no more. It copies content.
func (r *request) sendBody(content []byte, err error) {
	frame := appendHeader(make([]byte, 0, headerSize+len(content)), frameBody, 0)
	switch {
	case r.content.left == 0:
		frame[5] = flagEnd
	case err != nil:
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		frame[5] = flagEnd | flagFail
		content = []byte(err.Error())
	}
	setPlace(frame, r.content.place)
	r.content.place++
	frame = append(frame, content...)
	s := r.supervisor
	s.mu.Lock()
	defer s.release()
	if r.phase == sent || r.phase == begun {
		sealFrame(frame, r.number)
		r.progress = now()
		r.worker.control(frame)
	}
}

// spool keeps content until it is whole: the first octets in memory, all of it in a file when there are more.
type spool struct {
	memory []byte
	file   *os.File // nil: it is in memory
	size   int64
	read   int64
}

var errSpool = errors.New("python: the content could not be kept in a temporary file")

// readAll reads all of input. errSpool is among the errors when it was not for the client that it failed.
func (s *spool) readAll(input app.Input, most int) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := input.Read(buf)
		if wrong := s.add(buf[:n], most); wrong != nil {
			return errors.Join(errSpool, wrong)
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

func (s *spool) add(p []byte, most int) error {
	s.size += int64(len(p))
	if s.file == nil && s.size <= int64(most) {
		s.memory = append(s.memory, p...)
		return nil
	}
	if s.file == nil {
		file, err := os.CreateTemp("", "weir-body-")
		if err != nil {
			return err
		}
		_ = os.Remove(file.Name()) // the descriptor is all that is needed
		s.file = file
		if _, err := file.Write(s.memory); err != nil {
			return err
		}
		s.memory = nil
	}
	_, err := s.file.Write(p)
	return err
}

// Read reads what was kept, from its beginning on.
func (s *spool) Read(p []byte) (n int, err error) {
	if s.file != nil {
		n, err = s.file.ReadAt(p, s.read)
	} else if n = copy(p, s.memory[s.read:]); n == 0 && len(p) > 0 {
		err = io.EOF
	}
	s.read += int64(n)
	return n, err
}

// Close gives the file up.
func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
