package exchange

import (
	"bytes"
	"io"
	"sync"
)

// A Stream is full at streamHigh octets, and asks for more at streamLow. What is fed comes in pieces of up to 64 KiB,
// so that it may hold that much beyond.
const (
	streamHigh = 16 << 10
	streamLow  = 4 << 10
)

// Stream is wsgi.input for content that is still on its way: the loop feeds it, the application reads
// it on a goroutine, and waits where nothing has come yet.
type Stream struct {
	loop Loop
	more func() // called on the loop when the application wants more and Feed has said that it is full

	mu      sync.Mutex
	arrived sync.Cond
	buf     []byte
	off     int   // octets of buf that were read
	err     error // after the content; io.EOF when it is complete
	waiting bool  // more is to be called: the stream was full, or nothing was asked for yet
}

// NewStream returns a Stream. more is called on the loop, when content is wanted: for the first
// time when the application reads first, and after each Feed that was full.
func NewStream(loop Loop, more func()) *Stream {
	s := &Stream{loop: loop, more: more, waiting: true}
	s.arrived.L = &s.mu
	return s
}

// blocks has buffers for content on its way between a loop and a goroutine.
var blocks = sync.Pool{New: func() any { return new(block) }}

// block holds what a Stream or a mailbox keeps at most: what is enough for it, and a piece beyond.
type block [128 << 10]byte

// smallPiece is what is kept without a block, in octets.
const smallPiece = 4 << 10

// appendPiece appends p to buf, which is a block's from a certain length on.
func appendPiece(buf, p []byte) []byte {
	if n := len(buf) + len(p); n > cap(buf) && n > smallPiece && n <= len(block{}) {
		b := blocks.Get().(*block)
		return append(append(b[:0], buf...), p...)
	}
	return append(buf, p...)
}

// emptied returns an empty buffer in the place of buf, whose block is given back if it has one.
func emptied(buf []byte) []byte {
	if cap(buf) == len(block{}) {
		blocks.Put((*block)(buf[:cap(buf)]))
		return nil
	}
	return buf[:0]
}

// Feed adds content, which it copies. It is full when the application is behind: stop until more is called. Called on the loop.
func (s *Stream) Feed(p []byte) (full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.off > 0 && len(s.buf)+len(p) > cap(s.buf) {
		s.buf = s.buf[:copy(s.buf, s.buf[s.off:])]
		s.off = 0
	}
	s.buf = appendPiece(s.buf, p)
	s.arrived.Signal()
	s.waiting = len(s.buf)-s.off >= streamHigh
	return s.waiting
}

// End ends the content: with io.EOF when it is complete, else with why not. Called on the loop.
func (s *Stream) End(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.arrived.Broadcast()
	s.mu.Unlock()
}

// take waits for content and calls f with what there is; f returns how much it took.
func (s *Stream) take(f func(p []byte) int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.off == len(s.buf) && s.err == nil {
		s.ask()
		s.arrived.Wait()
	}
	if s.off == len(s.buf) {
		return s.err
	}
	s.off += f(s.buf[s.off:])
	if s.off == len(s.buf) {
		s.buf, s.off = emptied(s.buf), 0
	}
	if len(s.buf)-s.off <= streamLow {
		s.ask()
	}
	return nil
}

// ask has more called. s.mu is held.
func (s *Stream) ask() {
	if s.waiting && s.err == nil {
		s.waiting = false
		s.loop.Post(func(any) { s.more() }, nil)
	}
}

func (s *Stream) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	err = s.take(func(q []byte) int { n = copy(p, q); return n })
	return n, err
}

// WriteTo implements io.WriterTo.
func (s *Stream) WriteTo(w io.Writer) (n int64, err error) {
	buf := make([]byte, 32<<10)
	for {
		m, err := s.Read(buf)
		if m > 0 {
			k, err := w.Write(buf[:m])
			n += int64(k)
			if err != nil {
				return n, err
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// ReadLine implements app.Input.
func (s *Stream) ReadLine(limit int) (line []byte, err error) {
	for ended := false; !ended && (limit < 0 || len(line) < limit); {
		err := s.take(func(q []byte) int {
			if n := bytes.IndexByte(q, '\n') + 1; n > 0 {
				q, ended = q[:n], true
			}
			if limit >= 0 && len(q) > limit-len(line) {
				q = q[:limit-len(line)]
			}
			line = append(line, q...)
			return len(q)
		})
		if err != nil {
			if err == io.EOF && len(line) > 0 {
				return line, nil
			}
			return line, err
		}
	}
	return line, nil
}

// View implements app.Input: content that is on its way cannot be seen whole.
func (s *Stream) View() ([]byte, bool) { return nil, false }
