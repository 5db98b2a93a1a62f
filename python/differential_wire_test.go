package python_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// silence is how long a gateway may take for a request. It is a failure of the test, whatever the list says.
const silence = 20 * time.Second

// seen is what a client sees of a gateway: names of what it looked at, and what was there.
type seen map[string]string

// sight is what a client sees of a probe.
type sight struct {
	responses []seen
	conduct   seen // of the connection, and of the gateway towards the application
}

// client is one connection of a probe.
type client struct {
	*gateway
	conn   net.Conn
	in     *bufio.Reader
	silent bool          // it was waited for longer than silence
	ready  chan struct{} // something was answered
	once   sync.Once
}

func (g *gateway) dial() (*client, error) {
	conn, err := net.DialTimeout("tcp", g.address, patience)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(silence))
	return &client{gateway: g, conn: conn, in: bufio.NewReader(conn), ready: make(chan struct{})}, nil
}

// send sends a probe while the answers are read. It may fail: a gateway need not read what it refuses.
func (c *client) send(p *probe, waits bool) {
	first := p.head
	if !waits {
		first = slices.Concat(p.head, p.content)
	}
	_, _ = c.conn.Write(first)
	if waits {
		<-c.ready
		_, _ = c.conn.Write(p.content)
	}
	if c.endless {
		_ = c.conn.(*net.TCPConn).CloseWrite()
	}
}

func (c *client) answered() { c.once.Do(func() { close(c.ready) }) }

// look sends a probe to the gateway, and tells what came of it.
func (g *gateway) look(p *probe) (s sight, err error) {
	c, err := g.dial()
	if err != nil {
		return s, err
	}
	defer c.conn.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		c.send(p, p.expects && g.continues)
	}()
	s.conduct = seen{"in step": "yes"}
	goesOn := false
	for _, method := range p.methods {
		response, interim, r := c.receive(method)
		s.conduct["interim"] += interim
		s.responses = append(s.responses, r)
		if goesOn = response != nil && !response.Close && r["content ends"] != "early"; !goesOn {
			if response != nil {
				rest, err := io.ReadAll(c.in)
				if c.silent = c.silent || errors.Is(err, os.ErrDeadlineExceeded); len(rest) > 0 {
					s.conduct["in step"] = fmt.Sprintf("no: %.40q follows the answer", rest)
				}
			}
			break
		}
	}
	c.answered()
	<-sent
	if c.silent {
		return s, fmt.Errorf("it does nothing for %v: %v, %v", silence, s.responses, s.conduct)
	}
	if goesOn && c.tally(s.conduct) {
		return s, nil
	}
	again, err := g.dial()
	if err != nil {
		return s, err
	}
	defer again.conn.Close()
	c.conn.Close()
	if !again.tally(s.conduct) {
		err = fmt.Errorf("nothing is answered any more: %s", s.conduct["in step"])
	}
	return s, err
}

// tally asks what the application has noted, and tells whether that was answered. On a connection that goes on, it was when both sides
// agree on where requests begin.
func (c *client) tally(conduct seen) (agreed bool) {
	_, _ = io.WriteString(c.conn, "GET /tally HTTP/1.1\r\nHost: weir.test\r\nConnection: close\r\n\r\n")
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		conduct["in step"] = "no: the next request is not answered"
		return false
	}
	content, err := io.ReadAll(response.Body)
	var counts struct {
		Calls    *int
		Unclosed int
		Notes    []string
	}
	if err != nil || json.Unmarshal(content, &counts) != nil || counts.Calls == nil {
		conduct["in step"] = fmt.Sprintf("no: the next request is answered with %d", response.StatusCode)
		return false
	}
	conduct["calls"] = fmt.Sprint(*counts.Calls)
	conduct["unclosed bodies"] = fmt.Sprint(counts.Unclosed)
	conduct["the application saw"] = strings.Join(counts.Notes, ", ")
	return true
}

// receive reads a response. It is nil, and r says why, when there is none.
func (c *client) receive(method string) (response *http.Response, interim string, r seen) {
	r = seen{}
	var err error
	for {
		response, err = http.ReadResponse(c.in, &http.Request{Method: method})
		c.answered()
		if err != nil || response.StatusCode >= 200 {
			break
		}
		interim += fmt.Sprintf("%d ", response.StatusCode)
	}
	c.silent = errors.Is(err, os.ErrDeadlineExceeded)
	if err != nil {
		r["answer"] = "none"
		if !isEnd(err) {
			r["answer"] = "malformed"
		}
		return nil, interim, r
	}
	content, err := io.ReadAll(response.Body)
	r["content ends"] = "well"
	if err != nil {
		c.silent = errors.Is(err, os.ErrDeadlineExceeded)
		r["content ends"] = "early"
	}
	r.note(c, method, response, string(content))
	return response, interim, r
}

// isEnd tells whether the connection has ended before an answer, whichever way.
func isEnd(err error) bool {
	var operation *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &operation)
}

// note notes what is in a response. Of an answer of the gateway's own nothing but its code is of interest.
func (r seen) note(c *client, method string, response *http.Response, content string) {
	h := response.Header
	by := "application"
	if h.Get("X-App") == "" {
		by = "gateway"
	}
	r["answer"] = fmt.Sprintf("%d of the %s", response.StatusCode, by)
	if by == "gateway" {
		delete(r, "content ends")
		return
	}
	r["version"] = response.Proto
	r["reason"] = strings.TrimPrefix(response.Status, fmt.Sprint(response.StatusCode))
	r["Date"] = fmt.Sprintf("%d times", len(h["Date"]))
	r["Server"] = fmt.Sprintf("%d times", len(h["Server"]))
	if slices.Contains(h["Server"], "mine") {
		r["Server"], r["Date"] = "the application's", fmt.Sprintf("%q", h["Date"])
	}
	r["framing"] = "none"
	switch {
	case len(response.TransferEncoding) > 0:
		r["framing"] = "chunked"
	case len(h["Content-Length"]) > 0:
		r["framing"] = "length"
	case response.ContentLength < 0 && method != "HEAD":
		r["framing"] = "end of the connection"
	}
	for name, values := range h {
		switch name {
		case "Date", "Server", "Connection", "Keep-Alive", "X-App":
		default:
			r["header "+name] = fmt.Sprintf("%q", values)
		}
	}
	if h.Get("Content-Type") != "application/json" {
		r["content"] = content
		if len(content) > 100 {
			r["content"] = fmt.Sprintf("%d octets, %x", len(content), sha256.Sum256([]byte(content)))
		}
		return
	}
	delete(r, "header Content-Length") // of what is told: it is another with each difference
	r.noteTold(c, content)
}

// noteTold notes what the application tells of a request.
func (r seen) noteTold(c *client, content string) {
	var told struct {
		Keys, Wsgi     map[string]string
		Own, Odd       []string
		Inherited      bool
		Dict           bool
		Raised, Digest string
		Pieces, Octets int
		Start          string
		Length         *string
	}
	if content == "" || json.Unmarshal([]byte(content), &told) != nil {
		r["content"] = content
		return
	}
	switch {
	case told.Raised != "":
		r["input"] = "raised " + told.Raised
		return
	case told.Digest != "":
		r["input"] = fmt.Sprintf("%d octets in %d pieces, %s, %q", told.Octets, told.Pieces, told.Digest, told.Start)
		if told.Length != nil {
			r["environ CONTENT_LENGTH"] = *told.Length
		}
		return
	}
	_, port, _ := net.SplitHostPort(c.address)
	_, ownPort, _ := net.SplitHostPort(c.conn.LocalAddr().String())
	for key, value := range told.Keys {
		switch {
		case key == "SERVER_PORT" && value == port, key == "REMOTE_PORT" && value == ownPort:
			value = "its own"
		}
		r["environ "+key] = value
	}
	for key, value := range told.Wsgi {
		r[key] = value
	}
	r["environ's own keys"] = strings.Join(told.Own, " ")
	r["environ's odd keys"] = strings.Join(told.Odd, " ")
	r["environ"] = fmt.Sprintf("a dict: %t, with the process's variables: %t", told.Dict, told.Inherited)
}
