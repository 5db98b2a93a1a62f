package apptest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app/apptest"
)

// pair returns the ends of a connection.
func pair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l := apptest.Listen()
	accepted := make(chan net.Conn)
	go func() {
		conn, _ := l.Accept()
		accepted <- conn
	}()
	client, err := l.Dial()
	if err != nil {
		t.Fatal(err)
	}
	server = <-accepted
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server
}

func TestListener(t *testing.T) {
	client, server := pair(t)
	if client.LocalAddr().String() != "192.0.2.1:49152" || client.RemoteAddr().String() != "192.0.2.2:80" ||
		server.LocalAddr() != client.RemoteAddr() || server.RemoteAddr() != client.LocalAddr() {
		t.Errorf("client at %v, server at %v", client.LocalAddr(), client.RemoteAddr())
	}

	l := apptest.Listen()
	if l.Addr().String() != "192.0.2.2:80" || l.Addr().Network() != "memory" {
		t.Errorf("listens at %v", l.Addr())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.DialContext(ctx, "tcp", "example.com:80"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	refused := make(chan error)
	go func() {
		_, err := l.Accept()
		refused <- err
	}()
	_, _ = l.Close(), l.Close()
	if err := <-refused; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if _, err := l.Dial(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Dial after Close: %v", err)
	}
}

func TestConnCarriesBothWays(t *testing.T) {
	client, server := pair(t)
	content := bytes.Repeat([]byte("0123456789"), 100_000) // more than the connection holds
	var wg sync.WaitGroup
	for _, ends := range [][2]net.Conn{{client, server}, {server, client}} {
		wg.Go(func() {
			if n, err := ends[0].Write(content); n != len(content) || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
			_ = ends[0].(interface{ CloseWrite() error }).CloseWrite()
		})
		wg.Go(func() {
			if got, err := io.ReadAll(ends[1]); !bytes.Equal(got, content) || err != nil {
				t.Errorf("read %d octets, %v", len(got), err)
			}
		})
	}
	wg.Wait()
}

func TestConnHolds(t *testing.T) {
	client, server := pair(t)
	if n, err := client.Write([]byte("nobody reads yet")); n != 16 || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	_ = client.Close()
	if got, err := io.ReadAll(server); string(got) != "nobody reads yet" || err != nil {
		t.Errorf("after the other end was closed: %q, %v", got, err)
	}
}

func TestConnErrors(t *testing.T) {
	past := time.Unix(1, 0)
	read := func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err }
	write := func(c net.Conn) error { _, err := c.Write(make([]byte, 1)); return err }
	for _, test := range []struct {
		name    string
		prepare func(client, server net.Conn)
		call    func(net.Conn) error
		want    error
	}{
		{"read when closed", func(c, _ net.Conn) { _ = c.Close() }, read, net.ErrClosed},
		{"write when closed", func(c, _ net.Conn) { _ = c.Close() }, write, net.ErrClosed},
		{"read from a closed end", func(_, s net.Conn) { _ = s.Close() }, read, io.EOF},
		{"write to a closed end", func(_, s net.Conn) { _ = s.Close() }, write, io.ErrClosedPipe},
		{"read too late", func(c, _ net.Conn) { _ = c.SetReadDeadline(past) }, read, os.ErrDeadlineExceeded},
		{"write too late", func(c, _ net.Conn) { _ = c.SetWriteDeadline(past) }, write, os.ErrDeadlineExceeded},
		{"either too late", func(c, _ net.Conn) { _ = c.SetDeadline(past) }, read, os.ErrDeadlineExceeded},
		{"write, deadline of read", func(c, _ net.Conn) { _ = c.SetReadDeadline(past) }, write, nil},
		{"deadline that was lifted", func(c, s net.Conn) {
			_ = c.SetDeadline(past)
			_ = c.SetDeadline(time.Time{})
			_, _ = s.Write([]byte("x"))
		}, read, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, server := pair(t)
			test.prepare(client, server)
			if err := test.call(client); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestConnWakes(t *testing.T) {
	for name, wake := range map[string]func(client, server net.Conn){
		"deadline":        func(c, _ net.Conn) { _ = c.SetDeadline(time.Now().Add(time.Millisecond)) },
		"deadline passed": func(c, _ net.Conn) { _ = c.SetDeadline(time.Unix(1, 0)) },
		"close":           func(c, _ net.Conn) { _ = c.Close() },
		"other end":       func(_, s net.Conn) { _ = s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			client, server := pair(t)
			done := make(chan error, 2)
			go func() { _, err := io.Copy(io.Discard, client); done <- err }()
			go func() { _, err := client.Write(make([]byte, 1<<20)); done <- err }()
			// The writer is known to wait when what the connection holds has arrived.
			if _, err := io.ReadFull(server, make([]byte, 64<<10)); err != nil {
				t.Fatal(err)
			}
			wake(client, server)
			<-done
			<-done
		})
	}
}
