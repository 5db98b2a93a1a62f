package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// connects opens connections and closes them at once, every second one with RST.
func connects(ctx context.Context, s *attackers) {
	s.share(ctx, func(i int, next func() (int, bool)) {
		for {
			n, more := next()
			if !more {
				return
			}
			conn, ok := s.dial(n, 0)
			if !ok {
				continue
			}
			if n%2 == 0 {
				reset(conn)
				s.tally.add("closed by RST")
			} else {
				_ = conn.Close()
				s.tally.add("closed by FIN")
			}
		}
	})
}

// stream is a connection that a worker uses until the server or the client has had enough of it.
type stream struct {
	s    *attackers
	i    int
	conn *net.TCPConn
	r    *bufio.Reader
}

func (t *stream) open() bool {
	if t.conn != nil {
		return true
	}
	conn, ok := t.s.dial(t.i, 0)
	if !ok {
		return false
	}
	t.conn = conn
	if t.r == nil {
		t.r = bufio.NewReader(conn)
	} else {
		t.r.Reset(conn)
	}
	return true
}

func (t *stream) close() {
	if t.conn != nil {
		reset(t.conn)
		t.conn = nil
	}
}

const (
	mostContent = 64 << 10               // of an answer in a flood
	impatience  = 5 * time.Millisecond   // after which a client half-closes: the server may be waiting for more
	patience    = 500 * time.Millisecond // after which it gives up
)

// ask sends a request and reads the answer.
func (t *stream) ask(request []byte) (answer, error) {
	_ = t.conn.SetDeadline(time.Now().Add(patience))
	if _, err := t.conn.Write(request); err != nil {
		return answer{}, err
	}
	_ = t.conn.SetReadDeadline(time.Now().Add(impatience))
	if _, err := t.r.Peek(1); errors.Is(err, os.ErrDeadlineExceeded) {
		_ = t.conn.CloseWrite()
		_ = t.conn.SetReadDeadline(time.Now().Add(patience))
		a, err := readAnswer(t.r, mostContent)
		a.close = true
		return a, err
	}
	_ = t.conn.SetReadDeadline(time.Now().Add(patience))
	return readAnswer(t.r, mostContent)
}

// streams shares the requests of a flood out to clients: f makes the n'th one, on the client's connection, which is opened
// when it is not open.
func (s *attackers) streams(ctx context.Context, f func(t *stream, n int)) {
	s.share(ctx, func(i int, next func() (int, bool)) {
		t := &stream{s: s, i: i}
		defer t.close()
		for {
			n, more := next()
			if !more {
				return
			}
			if t.open() {
				f(t, n)
			}
		}
	})
}

// mutated sends requests with faults in them. Which ones is the same in every run.
func mutated(ctx context.Context, s *attackers) {
	s.streams(ctx, func(t *stream, n int) {
		a, err := t.ask(mutant(n))
		switch {
		case a.status > 0:
			s.tally.add(fmt.Sprintf("answered %dxx", a.status/100))
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.tally.add("given up")
		default:
			s.tally.add("closed without an answer")
		}
		// After a 1xx the answer itself is still to come.
		if err != nil || a.close || !a.whole || a.status < 200 || t.r.Buffered() > 0 {
			t.close()
		}
	})
}

// panics asks an application that panics, in each phase in turn.
func panics(ctx context.Context, s *attackers) {
	phases := []string{"call", "start", "body", "close"}
	var requests [4][]byte
	for p, phase := range phases {
		requests[p] = fmt.Appendf(nil, "GET /panic?phase=%s HTTP/1.1\r\nHost: abuse\r\n\r\n", phase)
	}
	s.streams(ctx, func(t *stream, n int) {
		phase := n % len(phases)
		_ = t.conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := t.conn.Write(requests[phase]); err != nil {
			s.tally.add(phases[phase] + ": not sent")
			t.close()
			return
		}
		a, err := readAnswer(t.r, mostContent)
		what := "no answer"
		switch {
		case a.whole:
			what = fmt.Sprint(a.status)
		case a.status > 0:
			what = fmt.Sprint(a.status, " cut off")
		}
		s.tally.add(phases[phase] + ": " + what)
		if err != nil || a.close {
			t.close()
		}
	})
}

// crowd is more clients than the server has descriptors: each makes a request and stays.
func crowd(ctx context.Context, s *attackers) {
	s.each(func(i int) {
		conn, ok := s.dial(i, 0)
		if !ok {
			return
		}
		defer conn.Close()
		deadline, _ := ctx.Deadline()
		_ = conn.SetDeadline(deadline)
		if _, err := io.WriteString(conn, "GET /plaintext HTTP/1.1\r\nHost: abuse\r\n\r\n"); err != nil {
			s.tally.add("closed by the server")
			return
		}
		a, err := readAnswer(bufio.NewReader(conn), mostContent)
		switch {
		case a.whole:
			s.tally.add(fmt.Sprintf("answered %d", a.status))
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.tally.add("waiting until the end")
		default:
			s.tally.add("closed by the server")
		}
		<-ctx.Done()
	})
}

// What the clients of the case that ends the server tell.
const (
	answered   = "answers"
	cutOff     = "answers cut off"
	unanswered = "closed before an answer"
)

// underLoad has five keep-alive clients, a request at a time, for each one that takes its time over a download.
func underLoad(ctx context.Context, s *attackers) {
	s.each(func(i int) {
		conn, ok := s.dial(i, smallWindow)
		if !ok {
			return
		}
		defer conn.Close()
		deadline, _ := ctx.Deadline()
		_ = conn.SetDeadline(deadline)
		if i%6 == 5 {
			s.download(conn)
			return
		}
		r := bufio.NewReader(conn)
		for {
			a := answer{}
			_, err := io.WriteString(conn, "GET /plaintext HTTP/1.1\r\nHost: abuse\r\n\r\n")
			if err == nil {
				a, err = readAnswer(r, mostContent)
			}
			switch {
			case a.whole && a.status == 200:
				s.tally.add(answered)
			case a.whole:
				s.tally.add(fmt.Sprintf("answers %d", a.status))
			case a.began:
				s.tally.add(cutOff)
			default:
				s.tally.add(unanswered)
			}
			if err != nil || a.close {
				return
			}
		}
	})
}

// A download takes some four seconds.
const (
	downloadSize  = 4 << 20
	downloadPiece = 32 << 10
	downloadEvery = 30 * time.Millisecond
)

func (s *attackers) download(conn net.Conn) {
	if _, err := fmt.Fprintf(conn, "GET /bytes?n=%d HTTP/1.1\r\nHost: abuse\r\nConnection: close\r\n\r\n", downloadSize); err != nil {
		s.tally.add(unanswered)
		return
	}
	a, _ := readAnswer(bufio.NewReader(&slowReader{conn}), downloadSize)
	switch {
	case a.whole && a.status == 200:
		s.tally.add(answered)
		s.tally.add("whole downloads among them")
	case a.began:
		s.tally.add(cutOff)
	default:
		s.tally.add(unanswered)
	}
}

type slowReader struct{ r io.Reader }

func (s *slowReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	time.Sleep(downloadEvery * time.Duration(n) / downloadPiece)
	return n, err
}
