package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// verify asks for the case's response on a raw connection, before anything is
// measured, and wants it to be the response that all servers owe.
func verify(addr string, c benchCase) error {
	if err := verifyOnce(addr, c.closing); err != nil {
		return err
	}
	if c.closing {
		return nil
	}
	return verifySplit(addr)
}

func verifyOnce(addr string, closing bool) error {
	conn, err := dialFor(addr, grace)
	if err != nil {
		return err
	}
	defer conn.Close()
	l := load{addr: addr, depth: 1, closing: closing}
	if _, err := conn.Write(l.request()); err != nil {
		return err
	}
	responses := bufio.NewReader(conn)
	response, err := http.ReadResponse(responses, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	_, dateErr := http.ParseTime(response.Header.Get("Date"))
	switch {
	case response.Proto != "HTTP/1.1" || response.StatusCode != http.StatusOK:
		return fmt.Errorf("answered %s %s", response.Proto, response.Status)
	case response.ContentLength != int64(len(body)):
		return fmt.Errorf("answered with Content-Length %d", response.ContentLength)
	case string(got) != body:
		return fmt.Errorf("answered with the body %q", got)
	case !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain"):
		return fmt.Errorf("answered with Content-Type %q", response.Header.Get("Content-Type"))
	case response.Header.Get("Server") == "":
		return errors.New("answered without Server")
	case dateErr != nil:
		return fmt.Errorf("answered with Date %q", response.Header.Get("Date"))
	}
	if closing {
		if _, err := responses.ReadByte(); err != io.EOF {
			return fmt.Errorf("did not close after Connection: close: %v", err)
		}
	}
	return nil
}

// verifySplit sends a batch of requests in two pieces, cut at each place
// around the end of a request head, and wants all answers. A server that loses
// count would otherwise look slow, or even fast.
func verifySplit(addr string) error {
	conn, err := dialFor(addr, grace)
	if err != nil {
		return err
	}
	defer conn.Close()
	responses := newResponseReader(conn)
	l := load{addr: addr, depth: 3}
	request := l.request()
	one := len(request) / l.depth
	for cut := one - 5; cut <= one+5; cut++ {
		for _, piece := range [][]byte{request[:cut], request[cut:]} {
			if _, err := conn.Write(piece); err != nil {
				return err
			}
			// Long enough that the server reads the pieces apart.
			time.Sleep(2 * time.Millisecond)
		}
		for range l.depth {
			if err := responses.next(); err != nil {
				return fmt.Errorf("%d requests cut at byte %d: %w", l.depth, cut, err)
			}
		}
	}
	return nil
}

// dialFor is a connection on which everything must be done within a time.
func dialFor(addr string, within time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, within)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
