package python

import (
	"encoding/binary"
	"net/http"
	"strconv"
	"sync"

	"github.com/weirhttp/weir/app"
)

// phase is how far a request is.
type phase uint8

const (
	queued phase = iota // or not submitted yet
	sent                // a worker has read it, or will
	begun               // its application was called
	over                // no worker has anything to do with it any more
)

// request is a request on its way through a worker. It is the app.Watcher of its Deferred.
type request struct {
	supervisor *Supervisor
	deferred   app.Deferred
	safe       bool     // GET or HEAD
	head       bool     // HEAD
	content    *content // nil: it is in the packet
	html       bool     // a page tells the client best what is wrong, with Options.Develop
	lane       int      // of the queue: which loop it waits on

	// Guarded by supervisor.mu.
	packet   *packet   // with the REQUEST frame
	slow     *slowPath // what was known of its path when it came; nil: nothing
	worker   *worker
	number   uint32
	phase    phase
	gone     bool // nobody waits for the response any more
	replayed bool
	stuck    bool  // the worker was in it for longer than Options.Timeout
	streams  bool  // the response has begun
	arrived  int64 // when it was submitted
	noticed  int64 // when it was known that the call takes long; 0: it is not
	progress int64 // when the worker has last shown that it works at it
	owed     int   // octets that the worker has sent and has no credit for
}

// packet is a packet in a buffer that is used again.
type packet struct {
	octets []byte
	shape  []byte // room for the name of a shape
	path   []byte // of the target, percent-encoded; of workers that make one call at a time
}

var packets = sync.Pool{New: func() any { return &packet{octets: make([]byte, 0, 2048)} }}

// release gives the buffer back.
func (p *packet) release() {
	if p != nil && cap(p.octets) <= 16<<10 {
		p.octets = p.octets[:0]
		packets.Put(p)
	}
}

// packet makes the REQUEST packet of a request, with its content when that is whole. It is nil when the environ is too long.
func (s *shapes) packet(environ *app.Environ, content []byte, length int64, whole bool) *packet {
	p := packets.Get().(*packet)
	var flags uint8
	if whole {
		flags = flagEnd
	}
	b := appendHeader(p.octets, frameRequest, flags)
	b = append(b, 0, 0, 0, 0)
	b = s.appendEnviron(b, p, environ, length)
	binary.LittleEndian.PutUint32(b[headerSize:], uint32(len(b)-headerSize-4))
	fits := len(b)+len(content) <= maxPacket
	if fits {
		b = append(b, content...)
		sealFrame(b, 0)
	}
	p.octets = b
	if !fits {
		p.release()
		return nil
	}
	return p
}

// appendEnviron appends the environ: its values when it has a shape that workers know, else a dict.
func (s *shapes) appendEnviron(b []byte, p *packet, environ *app.Environ, length int64) []byte {
	if s.enabled.Load() {
		values, name, ok := appendValues(b, p.shape[:0], environ, length)
		p.shape = name
		if ok {
			if known := s.find(name); known != nil {
				setShape(values, known.number)
				return values
			}
			s.meet(name, environ, length)
		}
	}
	return appendEnviron(b, environ, length)
}

// Left implements app.Watcher: the client has left.
func (r *request) Left() {
	s := r.supervisor
	s.mu.Lock()
	s.takeInbox() // r may be there
	if !r.gone {
		r.gone = true
		switch r.phase {
		case queued:
			s.queue.forget()
			r.finish()
		case sent, begun:
			if s.capacity() == 1 && (r.streams || r.phase == begun) {
				s.takeBack(r.worker) // in a call a worker looks for GONE as far as the next request
				s.spread()
			}
			r.worker.control(appendFrame(nil, frameGone, 0, r.number, nil))
		}
	}
	s.release()
}

// Drained implements app.Watcher: the client has taken what waited for it.
func (r *request) Drained() { r.credit(1) }

// finish ends the worker's part of r. The supervisor's mu is held.
func (r *request) finish() {
	r.ends()
	r.forget()
}

// ends is finish without forget, which the one who has called it does when the log has been told of r: nobody else looks at the packet any more.
func (r *request) ends() {
	r.phase = over
	if r.content != nil {
		r.content.end()
	}
}

// forget gives the packet back.
func (r *request) forget() {
	r.packet.release()
	r.packet = nil
}

// minCredit is the least credit that is given, in octets, while the client takes what it gets.
const minCredit = initialCredit / 4

// credit gives the worker credit for what the client has taken, if that is least octets.
func (r *request) credit(least int) {
	s := r.supervisor
	s.mu.Lock()
	defer s.release()
	if r.owed < least || r.phase != sent && r.phase != begun {
		return
	}
	var octets [4]byte
	binary.LittleEndian.PutUint32(octets[:], uint32(r.owed))
	r.owed = 0
	r.progress = now()
	r.worker.control(appendFrame(nil, frameCredit, 0, r.number, octets[:]))
}

// refusal is an answer of weir's own: a short text.
func refusal(code int, headers ...app.Header) *app.Response {
	text := http.StatusText(code)
	return &app.Response{
		Status:  strconv.Itoa(code) + " " + text,
		Headers: append([]app.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}, headers...),
		Content: []byte(text + "\n"),
	}
}

var (
	failedAnswer      = refusal(http.StatusInternalServerError)
	diedAnswer        = refusal(http.StatusBadGateway)
	unavailableAnswer = refusal(http.StatusServiceUnavailable, app.Header{Name: "Retry-After", Value: "1"})
	timeoutAnswer     = refusal(http.StatusGatewayTimeout)
)
