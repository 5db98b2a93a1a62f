package crowd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/response"
)

// A client is one connection of a crowd. The crowd's goroutine owns it.
type client struct {
	fd    int32 // -1 when there is none
	stage stage
	topic int32
	since uint64 // id of the last message, 0 before the first one
	next  int    // the message that it expects, in the topic's own count
	rest  []byte // of a response that is not whole, nil nearly always
}

type stage uint8

const (
	away     stage = iota
	greeting       // its first request, for /plaintext, is under way
	waiting        // its poll is
	answered       // neither
)

// A crowd is the clients of this process and what they share. One goroutine serves them all, because clients and server
// share the machine: what the clients take, the server lacks.
type crowd struct {
	plan    Plan
	poller  *poller
	target  syscall.SockaddrInet4
	clients []client
	buffer  []byte // what is being read; every view into it ends with the next read
	request []byte // what is being written
	hello   []byte // a client's first request
	retries int
	polling around // what is in front of since
}

const openWithin = 3 * time.Minute

func helloRequest(target string) []byte {
	return []byte("GET " + target + " HTTP/1.1\r\nHost: longpoll\r\n\r\n")
}

func newCrowd(p Plan) (*crowd, error) {
	target, err := parseTarget(p.Addr)
	if err != nil {
		return nil, err
	}
	p.Targets = p.Targets.completed()
	poller, err := newPoller()
	if err != nil {
		return nil, err
	}
	c := &crowd{plan: p, poller: poller, target: target, clients: make([]client, p.Clients), buffer: make([]byte, 64<<10),
		hello: helloRequest(p.Targets.Hello)}
	poll := strings.Replace(p.Targets.Poll, "{timeout}", strconv.Itoa(p.Hold), 1)
	c.polling = newAround("GET " + poll)
	for i := range c.clients {
		c.clients[i] = client{fd: -1, topic: int32(i % max(p.Topics, 1))}
	}
	return c, nil
}

// open connects all, and has each make a request and then poll.
func (c *crowd) open() error {
	began := time.Now()
	deadline := began.Add(openWithin)
	opened, greeted := 0, 0
	for greeted < len(c.clients) {
		for opened < len(c.clients) && opened-greeted < c.plan.AtOnce && !time.Now().Before(c.paced(began, opened)) {
			if err := c.connect(opened, greeting, c.hello); err != nil {
				return fmt.Errorf("connection %d: %w", opened+1, err)
			}
			opened++
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d connections were served in %v", greeted, len(c.clients), openWithin)
		}
		events, err := c.poller.wait(c.idleTime())
		if err != nil {
			return err
		}
		for _, event := range events {
			err := c.read(int(event.Fd), event.Events, func(i int, r response.Response) error {
				if again, err := c.retry(i, r); again {
					return err
				}
				if k := &c.clients[i]; k.stage != greeting {
					return fmt.Errorf("a poll is answered with %d %.60q before anything was published", r.Status, r.Content)
				}
				if r.Status != 200 || string(r.Content) != Greeting || r.Closing {
					return fmt.Errorf("%s is answered with %d %.40q", c.plan.Targets.Hello, r.Status, r.Content)
				}
				greeted++
				return c.poll(i)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// paced is when poll number n of several may be sent.
func (c *crowd) paced(began time.Time, n int) time.Time {
	if c.plan.Pace == 0 {
		return began
	}
	return began.Add(time.Duration(n) * time.Second / time.Duration(c.plan.Pace))
}

// idleTime is how long to wait for events while opening: no longer than until the next connection may be due.
func (c *crowd) idleTime() time.Duration {
	if c.plan.Pace == 0 {
		return 100 * time.Millisecond
	}
	return time.Millisecond
}

// retry sends a request again that a server with too much to do has refused, if the plan allows for it.
func (c *crowd) retry(i int, r response.Response) (again bool, err error) {
	if !c.plan.Retry || r.Status < 500 || r.Closing {
		return false, nil
	}
	if c.retries++; c.retries > len(c.clients)/10+10 {
		return false, nil
	}
	if c.clients[i].stage == greeting {
		return true, writeAll(int(c.clients[i].fd), c.hello)
	}
	return true, c.poll(i)
}

func (c *crowd) connect(i int, s stage, request []byte) error {
	fd, err := connect(c.target, source(c.plan.Number, i), c.plan.Mode == ModeWake)
	if err != nil {
		return err
	}
	k := &c.clients[i]
	k.fd, k.stage, k.rest = int32(fd), s, nil
	if err := c.poller.add(fd, int32(i)); err != nil {
		return err
	}
	return writeAll(fd, request)
}

func (c *crowd) disconnect(i int) {
	if k := &c.clients[i]; k.fd >= 0 {
		_ = syscall.Close(int(k.fd))
		k.fd, k.stage, k.rest = -1, away, nil
	}
}

// poll asks for the next message.
func (c *crowd) poll(i int) error {
	c.clients[i].stage = waiting
	return writeAll(int(c.clients[i].fd), c.pollRequest(i))
}

// pollRequest is valid until the next one.
func (c *crowd) pollRequest(i int) []byte {
	k := &c.clients[i]
	b := c.polling.append(c.request[:0], int(k.topic))
	if k.since > 0 {
		b = append(b, "&since="...)
		b = strconv.AppendUint(b, k.since, 10)
	}
	c.request = append(b, " HTTP/1.1\r\nHost: longpoll\r\n\r\n"...)
	return c.request
}

func appendTopic(b []byte, topic int) []byte {
	return strconv.AppendInt(append(b, "topic-"...), int64(topic), 10)
}

var errClosed = errors.New("the server closes a client's connection")

// read takes what has arrived for client i, and calls each with every whole response. A view in the response is valid
// during the call.
func (c *crowd) read(i int, events uint32, each func(i int, r response.Response) error) error {
	k := &c.clients[i]
	ending := events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0
	for k.fd >= 0 {
		held := copy(c.buffer, k.rest)
		n, err := syscall.Read(int(k.fd), c.buffer[held:])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", errClosed, err)
		case n == 0:
			return errClosed
		}
		short := held+n < len(c.buffer)
		whole := c.buffer[:held+n]
		k.rest = nil
		for len(whole) > 0 {
			r, size, err := response.Parse(whole)
			if err != nil {
				return err
			}
			if size == 0 {
				k.rest = append([]byte(nil), whole...)
				break
			}
			whole = whole[size:]
			if err := each(i, r); err != nil {
				return err
			}
		}
		// A short read has taken everything, and what comes later is another event. Only an end of file that the same
		// event has told about would go unseen.
		if short && !ending {
			return nil
		}
	}
	return nil
}

// received is the message in an answer to a poll.
func (c *crowd) received(i int, r response.Response) (message, error) {
	if c.clients[i].stage != waiting {
		return message{}, fmt.Errorf("an answer with %d to no request", r.Status)
	}
	if r.Status != 200 {
		return message{}, fmt.Errorf("a poll is answered with %d %.80q", r.Status, r.Content)
	}
	c.clients[i].stage = answered
	m, err := parseMessage(r.Content)
	if err == nil && m.id == 0 {
		err = errors.New("a message has the id 0, which since could not tell from none")
	}
	return m, err
}

func (c *crowd) close() {
	for i := range c.clients {
		c.disconnect(i)
	}
	c.poller.close()
}
