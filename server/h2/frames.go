package h2

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// frameHead is the header of a frame (RFC 9113 4.1).
type frameHead struct {
	length int
	kind   http2.FrameType
	flags  http2.Flags
}

const frameHeadSize = 9

// follower finds the frames in the octets of one direction.
type follower struct {
	head  [frameHeadSize]byte
	have  int  // octets of head
	left  int  // octets of the frame behind head, or of the preface
	data  bool // they are content
	block bool // a header block has begun, and not ended
}

// follow calls frame for each frame whose header ends in p.
func (s *follower) follow(p []byte, frame func(frameHead)) {
	for len(p) > 0 {
		if s.left > 0 {
			n := min(s.left, len(p))
			s.left -= n
			p = p[n:]
			continue
		}
		n := copy(s.head[s.have:], p)
		s.have += n
		p = p[n:]
		if s.have < frameHeadSize {
			return
		}
		s.have = 0
		h := frameHead{
			length: int(binary.BigEndian.Uint32(s.head[:4]) >> 8),
			kind:   http2.FrameType(s.head[3]),
			flags:  http2.Flags(s.head[4]),
		}
		s.left, s.data = h.length, h.kind == http2.FrameData
		switch h.kind {
		case http2.FrameHeaders, http2.FrameContinuation:
			s.block = !h.flags.Has(http2.FlagHeadersEndHeaders)
		}
		frame(h)
	}
}

// begun tells whether a head, or another frame that is no content, has begun and not ended.
func (s *follower) begun() bool { return s.have > 0 || s.block || s.left > 0 && !s.data }

// A client's frames cost credit where they ask for nothing: a request, or content, costs none. What the server sends gives
// it back, because that is what makes a client send frames about it (WINDOW_UPDATE, PING to measure the way, RST_STREAM
// when it has seen enough), and so does time.
const (
	mostCredit      = 2000
	creditPerSecond = 100
	smallPadded     = 256 // a padded frame up to this length need not have any content
)

// cost is what a frame of the client costs.
func (f frameHead) cost() int64 {
	switch f.kind {
	case http2.FrameHeaders:
		return 0
	case http2.FrameData:
		empty := f.length == 0 || f.length <= smallPadded && f.flags.Has(http2.FlagDataPadded)
		if !empty || f.flags.Has(http2.FlagDataEndStream) {
			return 0
		}
	}
	return 1
}

// worth is what a frame of the server gives back.
func (f frameHead) worth() int64 {
	switch f.kind {
	case http2.FrameHeaders:
		return 1
	case http2.FrameData:
		return 2 + int64(f.length>>10)
	}
	return 0
}

// credit is how many frames the client may send that ask for nothing. Any goroutine may use it.
type credit struct {
	left atomic.Int64
	at   atomic.Int64 // when time has given something last, in nanoseconds since start
}

var start = time.Now()

func (c *credit) init() {
	c.left.Store(mostCredit)
	c.at.Store(int64(time.Since(start)))
}

func (c *credit) take(n int64) { c.left.Add(-n) }

func (c *credit) give(n int64) {
	if n > 0 && c.left.Add(n) > mostCredit {
		c.left.Store(mostCredit)
	}
}

// spent tells whether there is none left.
func (c *credit) spent() bool {
	if c.left.Load() >= 0 {
		return false
	}
	now, at := int64(time.Since(start)), c.at.Load()
	if c.at.CompareAndSwap(at, now) {
		c.give((now - at) * creditPerSecond / int64(time.Second))
	}
	return c.left.Load() < 0
}
