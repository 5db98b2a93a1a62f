package handover

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/response"
)

const (
	answerWithin = 5 * time.Second // later is an error
	greeting     = "Hello, World!"
	plaintext    = "/plaintext"
	depth        = 16 // pipelined requests
)

func requestFor(target string) []byte {
	return []byte("GET " + target + " HTTP/1.1\r\nHost: handover\r\n\r\n")
}

// judge tells the length of the response at the beginning of buf, 0 when it is not whole. Its content must begin and
// end as content does on both sides of an asterisk, if there is one.
func judge(buf []byte, content string) (int, error) {
	r, size, err := response.Parse(buf)
	if err != nil || size == 0 {
		return 0, err
	}
	before, after, open := strings.Cut(content, "*")
	good := string(r.Content) == content
	if open {
		good = len(r.Content) >= len(before)+len(after) &&
			bytes.HasPrefix(r.Content, []byte(before)) && bytes.HasSuffix(r.Content, []byte(after))
	}
	switch {
	case r.Status != 200 || !good:
		return 0, fmt.Errorf("answered with %d %.60q", r.Status, r.Content)
	case r.Closing:
		return 0, errors.New("the server closes a connection")
	}
	return size, nil
}

// A connection makes a request at a time.
type connection struct {
	conn net.Conn
	room []byte
}

func dial(addr string) (*connection, error) {
	conn, err := net.DialTimeout("tcp", addr, answerWithin)
	if err != nil {
		return nil, err
	}
	return &connection{conn, make([]byte, 8<<10)}, nil
}

func (c *connection) close() { _ = c.conn.Close() }

// exchange sends count requests in one piece and wants an answer to each, and nothing behind it.
func (c *connection) exchange(request []byte, count int, content string) error {
	if err := c.conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return err
	}
	if _, err := c.conn.Write(bytes.Repeat(request, count)); err != nil {
		return err
	}
	for n := 0; ; {
		m, err := c.conn.Read(c.room[n:])
		n += m
		for count > 0 {
			size, err := judge(c.room[:n], content)
			if err != nil {
				return err
			}
			if size == 0 {
				break
			}
			n = copy(c.room, c.room[size:n])
			count--
		}
		switch {
		case count == 0 && n > 0:
			return fmt.Errorf("%d octets behind an answer", n)
		case count == 0:
			return nil
		case err != nil:
			return err
		}
	}
}

// verify wants the right answers on as many connections as there are loops, one at a time and pipelined: what makes
// the load does not look at them.
func verify(addr string) error {
	for range 2 {
		c, err := dial(addr)
		if err != nil {
			return err
		}
		err = errors.Join(c.exchange(requestFor(plaintext), 1, greeting), c.exchange(requestFor(plaintext), depth, greeting))
		c.close()
		if err != nil {
			return fmt.Errorf("%s: %w", plaintext, err)
		}
	}
	return nil
}
