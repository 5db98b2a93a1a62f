package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// probeEvery is how often a response is read whole while a server is loaded: wrk looks only at the status.
const probeEvery = 100 * time.Millisecond

// probe checks responses, on a connection for each, until the context is done. It returns the first thing that was wrong.
func probe(ctx context.Context, addr string, x exchange, closing bool) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(probeEvery):
		}
		if err := ask(addr, x, closing); err != nil {
			return fmt.Errorf("a response meanwhile: %w", err)
		}
	}
}

// ask makes one request on a connection of its own, and judges all of the response.
func ask(addr string, x exchange, closing bool) error {
	conn, err := dialFor(addr, grace)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(x.bytes(addr, closing)); err != nil {
		return err
	}
	responses := bufio.NewReader(conn)
	response, err := http.ReadResponse(responses, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	_, dateErr := http.ParseTime(response.Header.Get("Date"))
	switch {
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("bad response: %s", response.Status)
	case response.Proto != "HTTP/1.1":
		return fmt.Errorf("answered %s", response.Proto)
	case response.ContentLength != int64(len(content)):
		return fmt.Errorf("answered with Content-Length %d and %d octets", response.ContentLength, len(content))
	case !strings.HasPrefix(response.Header.Get("Content-Type"), x.kind):
		return fmt.Errorf("answered with Content-Type %q", response.Header.Get("Content-Type"))
	case x.bare:
	case response.Header.Get("Server") == "":
		return errors.New("answered without Server")
	case dateErr != nil:
		return fmt.Errorf("answered with Date %q", response.Header.Get("Date"))
	}
	if err := x.answered(response.StatusCode, content); err != nil {
		return err
	}
	if closing {
		if _, err := responses.ReadByte(); err != io.EOF {
			return fmt.Errorf("did not close after Connection: close: %v", err)
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
