package crowd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"github.com/weirhttp/weir/bench/internal/response"
)

// A publisher publishes on one keep-alive connection, without waiting for answers in between. The crowd's goroutine
// owns it.
type publisher struct {
	target   syscall.SockaddrInet4
	from     [4]byte
	begin    around // of the request line
	message  string // the content, as in Targets
	poller   *poller
	number   int32  // under which the poller knows it; negative, as the clients' are not
	fd       int    // -1 when there is no connection
	out      []byte // what the kernel has not taken
	in       []byte // what is not a whole answer yet
	body     []byte
	pending  []int // what has no answer, in order; from first on
	first    int
	answered func(n int, id uint64, reached int) error // reached is -1 when the server does not tell
}

func (c *crowd) newPublisher(i int, answered func(n int, id uint64, reached int) error) (*publisher, error) {
	addr := c.plan.Publish
	if addr == "" {
		addr = c.plan.Addr
	}
	target, err := parseTarget(addr)
	if err != nil {
		return nil, err
	}
	p := &publisher{target: target, from: source(c.plan.Number, i), message: c.plan.Targets.Message, poller: c.poller,
		number: int32(-1 - i), fd: -1, answered: answered}
	p.begin = newAround("POST " + c.plan.Targets.Publish)
	return p, p.connect()
}

func (p *publisher) connect() (err error) {
	if p.fd, err = connect(p.target, p.from, false); err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	p.in, p.out = p.in[:0], p.out[:0]
	return p.poller.add(p.fd, p.number)
}

// publish queues a message, which is known as n when it is answered. Data is printable and needs no escapes.
func (p *publisher) publish(n, topic int, data []byte) {
	p.body = append(p.body[:0], data...)
	if p.message != "" {
		topic := string(appendTopic(nil, topic))
		p.body = append(p.body[:0], strings.NewReplacer("{topic}", topic, "{id}", strconv.Itoa(n), "{data}", string(data)).Replace(p.message)...)
	}
	p.out = p.begin.append(p.out, topic)
	p.out = append(p.out, " HTTP/1.1\r\nHost: longpoll\r\nContent-Length: "...)
	p.out = strconv.AppendInt(p.out, int64(len(p.body)), 10)
	p.out = append(p.out, "\r\n\r\n"...)
	p.out = append(p.out, p.body...)
	p.pending = append(p.pending, n)
}

func (p *publisher) unanswered() int { return len(p.pending) - p.first }

// flush writes what the kernel takes.
func (p *publisher) flush() error {
	if len(p.out) == 0 {
		return nil
	}
	if p.fd < 0 {
		out := p.out
		if err := p.connect(); err != nil {
			return err
		}
		p.out = out
	}
	n, err := syscall.Write(p.fd, p.out)
	if err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) {
		return fmt.Errorf("publishing: %w", err)
	}
	p.out = p.out[:copy(p.out, p.out[max(n, 0):])]
	return nil
}

// handle is for when the poller tells about it.
func (p *publisher) handle() error {
	if err := p.flush(); err != nil {
		return err
	}
	for p.fd >= 0 {
		if cap(p.in)-len(p.in) < 16<<10 {
			p.in = append(make([]byte, 0, 2*cap(p.in)+32<<10), p.in...)
		}
		n, err := syscall.Read(p.fd, p.in[len(p.in):cap(p.in)])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return nil
		case err != nil:
			return fmt.Errorf("publishing: %w", err)
		case n == 0:
			return p.ended()
		}
		p.in = p.in[:len(p.in)+n]
		if err := p.answers(); err != nil {
			return err
		}
	}
	return nil
}

// ended accepts that a server closes a connection behind an answer: the next message has another one.
func (p *publisher) ended() error {
	_ = syscall.Close(p.fd)
	p.fd = -1
	if n := p.unanswered(); n > 0 {
		return fmt.Errorf("publishing: the server closes the connection, %d messages have no answer", n)
	}
	return nil
}

func (p *publisher) answers() error {
	whole := p.in
	for len(whole) > 0 {
		r, size, err := response.Parse(whole)
		if err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
		if size == 0 {
			break
		}
		whole = whole[size:]
		if err := p.answer(r); err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
	}
	p.in = p.in[:copy(p.in, whole)]
	return nil
}

func (p *publisher) answer(r response.Response) error {
	if p.unanswered() == 0 {
		return fmt.Errorf("an answer with %d to no request", r.Status)
	}
	if r.Status != 200 {
		return fmt.Errorf("answered with %d %.80q", r.Status, r.Content)
	}
	n := p.pending[p.first]
	if p.first++; p.first == len(p.pending) {
		p.pending, p.first = p.pending[:0], 0
	}
	if p.message != "" {
		return p.answered(n, uint64(n), -1)
	}
	id, err := member(r.Content, `"id"`)
	if err != nil {
		return err
	}
	reached, err := member(r.Content, `"reached"`)
	if err != nil {
		return err
	}
	return p.answered(n, id, int(reached))
}
