package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/program"
)

// slowHeads sends an octet of an endless head each second.
func slowHeads(ctx context.Context, s *attackers) {
	s.dribble(ctx, "GET /plaintext HTTP/1.1\r\nHost: abuse\r\nX-Slow: ")
}

// slowBodies sends an octet of content each second.
func slowBodies(ctx context.Context, s *attackers) {
	s.dribble(ctx, "POST /echo HTTP/1.1\r\nHost: abuse\r\nContent-Length: 1000000\r\n\r\n")
}

// dribble sends begin, and then an octet each second, on every connection. One that the server closes is opened again.
func (s *attackers) dribble(ctx context.Context, begin string) {
	s.each(func(i int) {
		for ctx.Err() == nil {
			conn, ok := s.dial(i, 0)
			if !ok {
				_ = program.Pause(ctx, time.Second)
				continue
			}
			s.tally.add("connections")
			s.dribbleOn(ctx, conn, begin)
			_ = conn.Close()
		}
	})
}

func (s *attackers) dribbleOn(ctx context.Context, conn net.Conn, begin string) {
	if _, err := io.WriteString(conn, begin); err != nil {
		s.tally.add("closed without an answer")
		return
	}
	status := ""
	var piece [512]byte
	for ctx.Err() == nil {
		// Waiting for the second to pass and for the server at the same time.
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		n, err := conn.Read(piece[:])
		if n > 0 && status == "" {
			if fields := strings.Fields(string(piece[:n])); len(fields) > 1 {
				status = fields[1]
				s.tally.add("answered " + status)
			}
		}
		switch {
		case err == nil:
			continue
		case !errors.Is(err, os.ErrDeadlineExceeded):
			if status == "" {
				s.tally.add("closed without an answer")
			}
			return
		}
		if _, err := io.WriteString(conn, "x"); err != nil {
			if status == "" {
				s.tally.add("closed without an answer")
			}
			return
		}
	}
}

// smallWindow is the receive buffer of clients that read little: what does not fit stays with the server.
const smallWindow = 16 << 10

// neverRead pipelines requests as long as the server takes them, and reads nothing.
func neverRead(ctx context.Context, s *attackers) {
	batch := strings.Repeat("GET /bytes?n=1048576 HTTP/1.1\r\nHost: abuse\r\n\r\n", 16)
	s.each(func(i int) {
		conn, ok := s.dial(i, smallWindow)
		if !ok {
			return
		}
		defer reset(conn)
		deadline, _ := ctx.Deadline()
		_ = conn.SetWriteDeadline(deadline)
		for {
			if _, err := io.WriteString(conn, batch); err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					s.tally.add("closed by the server")
				} else {
					s.tally.add("never read")
				}
				break
			}
			s.tally.add("batches of 16 requests sent")
		}
		<-ctx.Done()
	})
}

// slowReaders read 1 KiB a second.
func slowReaders(ctx context.Context, s *attackers) {
	s.each(func(i int) {
		conn, ok := s.dial(i, smallWindow)
		if !ok {
			return
		}
		defer reset(conn)
		deadline, _ := ctx.Deadline()
		_ = conn.SetDeadline(deadline)
		if _, err := fmt.Fprint(conn, "GET /bytes?n=1073741824 HTTP/1.1\r\nHost: abuse\r\n\r\n"); err != nil {
			s.tally.add("closed by the server")
			return
		}
		piece := make([]byte, 1024)
		for ctx.Err() == nil {
			if _, err := io.ReadFull(conn, piece); err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					s.tally.add("closed by the server")
					return
				}
				break
			}
			_ = program.Pause(ctx, time.Second)
		}
		s.tally.add("reading until the end")
	})
}

// uploads sends as fast as the server takes it.
func uploads(ctx context.Context, s *attackers) {
	const size = 100 << 20
	piece := make([]byte, 64<<10)
	s.each(func(i int) {
		conn, ok := s.dial(i, 0)
		if !ok {
			return
		}
		defer reset(conn)
		deadline, _ := ctx.Deadline()
		_ = conn.SetDeadline(deadline)
		if _, err := fmt.Fprintf(conn, "POST /sink?rate=65536 HTTP/1.1\r\nHost: abuse\r\nContent-Length: %d\r\n\r\n", size); err != nil {
			s.tally.add("closed by the server")
			return
		}
		for sent := 0; sent < size; {
			n, err := conn.Write(piece[:min(len(piece), size-sent)])
			sent += n
			if err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					s.tally.add("uploading until the end")
				} else {
					s.tally.add("closed by the server")
				}
				return
			}
		}
		s.tally.add("taken whole")
	})
}

// halfClosed has clients that send a third of them nothing, a part of a head, and a request, shut down their side,
// and stay.
func halfClosed(ctx context.Context, s *attackers) {
	begins := []string{"", "GET /plaintext HTTP/1.1\r\nHost: ab", "GET /plaintext HTTP/1.1\r\nHost: abuse\r\n\r\n"}
	s.each(func(i int) {
		conn, ok := s.dial(i, 0)
		if !ok {
			return
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, begins[i%len(begins)]); err != nil {
			s.tally.add("closed by the server")
			return
		}
		if err := conn.CloseWrite(); err != nil {
			s.tally.add("closed by the server")
			return
		}
		deadline, _ := ctx.Deadline()
		_ = conn.SetReadDeadline(deadline)
		got, err := io.ReadAll(conn)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.tally.add("open until the end")
		case strings.HasPrefix(string(got), "HTTP/1.1 200 "):
			s.tally.add("answered 200")
		case len(got) > 0:
			s.tally.add("answered otherwise")
		default:
			s.tally.add("closed without an answer")
		}
		<-ctx.Done()
	})
}
