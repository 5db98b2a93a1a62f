package server_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// fileSize is more than the kernel takes of a response whose client does not read.
const fileSize = 8 << 20

// fileOf returns an open file with that content.
func fileOf(t *testing.T, content []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func randomOctets(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(p)
	return p
}

func closed(t *testing.T, files ...*os.File) {
	t.Helper()
	for _, f := range files {
		until(t, "the file to be closed", func() bool { _, err := f.Stat(); return errors.Is(err, os.ErrClosed) })
	}
}

func contentLength(n int) []app.Header {
	return []app.Header{{Name: "Content-Length", Value: strconv.Itoa(n)}}
}

// TestSendFile: a file leaves whole, at the pace of its client, between what is written before and behind it; the connection
// goes on with the requests behind.
func TestSendFile(t *testing.T) {
	large := randomOctets(fileSize)
	for _, c := range []struct {
		name    string
		request string
		headers []app.Header
		content []byte // of the file
		offset  int64
		around  string // written before and behind
		want    []byte
	}{
		{"large", get("/defer"), contentLength(fileSize), large, 0, "", large},
		{"a part", get("/defer"), contentLength(fileSize - 5), large, 5, "", large[5:]},
		{"chunked", get("/defer"), nil, large, 0, "", large},
		{"chunked, between others", get("/defer"), nil, large[:100_000], 0, "x", []byte("x" + string(large[:100_000]) + "x")},
		{"between others", get("/defer"), contentLength(100_002), large[:100_000], 0, "x", []byte("x" + string(large[:100_000]) + "x")},
		{"less is declared", get("/defer"), contentLength(3), large[:100_000], 0, "x", []byte("x" + string(large[:2]))},
		{"empty", get("/defer"), nil, nil, 0, "", nil},
		{"HTTP/1.0", "GET /defer HTTP/1.0\r\n\r\n", nil, large, 0, "x", []byte("x" + string(large) + "x")},
		{"HTTP/1.0 that persists", "GET /defer HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", contentLength(100_000), large[:100_000], 0, "", large[:100_000]},
		{"HEAD", "HEAD /defer HTTP/1.1\r\nHost: a\r\n\r\n", contentLength(fileSize), large, 0, "", nil},
	} {
		for _, end := range []string{"open", "half-closed"} {
			t.Run(c.name+", "+end, func(t *testing.T) {
				t.Parallel()
				l := newLot()
				s := serve(t, server.Config{Loops: 1, Application: l.application()})
				conn := s.dial().(*net.TCPConn)
				_ = conn.SetReadBuffer(64 << 10)
				send(t, conn, get("/before")+c.request+get("/behind"))
				in := bufio.NewReader(conn)
				expectAnswers(t, in, "/before")
				d := l.take(t)
				file := fileOf(t, c.content)
				err := d.Start("200 OK", c.headers)
				write := func() {
					if c.around != "" {
						_, e := d.Write([]byte(c.around))
						err = errors.Join(err, e)
					}
				}
				write()
				err = errors.Join(err, d.SendFile(file, c.offset, int64(len(c.content))-c.offset))
				write()
				if err = errors.Join(err, d.Close()); err != nil {
					t.Fatal(err)
				}
				if end == "half-closed" {
					_ = conn.CloseWrite()
				}
				response, err := http.ReadResponse(in, &http.Request{Method: c.request[:strings.IndexByte(c.request, ' ')]})
				if err != nil {
					t.Fatal(err)
				}
				content, err := io.ReadAll(response.Body)
				if err != nil || !bytes.Equal(content, c.want) {
					t.Fatalf("%d octets of %d, or others: %v", len(content), len(c.want), err)
				}
				if response.Close {
					if _, err := in.ReadByte(); err != io.EOF {
						t.Errorf("behind it %v, want the end", err)
					}
				} else {
					expectAnswers(t, in, "/behind")
				}
				closed(t, file)
			})
		}
	}
}

// TestSendFileEnds: however a response ends while its file is being sent, the file is closed, and no client takes it for complete.
func TestSendFileEnds(t *testing.T) {
	large := randomOctets(fileSize)
	for _, c := range []struct {
		name string
		end  func(t *testing.T, s *running, conn net.Conn, d app.Deferred, file *os.File)
		cut  bool // the client is there to see it
		log  string
	}{
		{"client vanishes", func(_ *testing.T, _ *running, conn net.Conn, _ app.Deferred, _ *os.File) { _ = conn.Close() }, false, ""},
		{"reset", func(_ *testing.T, _ *running, conn net.Conn, _ app.Deferred, _ *os.File) {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}, false, ""},
		{"abort", func(_ *testing.T, _ *running, _ net.Conn, d app.Deferred, _ *os.File) {
			d.Abort(errors.New("on purpose"))
		}, true, "on purpose"},
		{"truncated", func(t *testing.T, _ *running, _ net.Conn, _ app.Deferred, file *os.File) {
			if err := os.Truncate(file.Name(), fileSize-1); err != nil {
				t.Error(err)
			}
		}, true, "shorter than what was to be sent"},
		{"shutdown", func(_ *testing.T, s *running, _ net.Conn, _ app.Deferred, _ *os.File) { _ = s.stop() }, true, ""},
	} {
		for _, framing := range []string{"length", "chunked", "by the end"} {
			t.Run(c.name+", "+framing, func(t *testing.T) {
				t.Parallel()
				l, log := newLot(), newRecord()
				s := serve(t, server.Config{Loops: 1, Application: l.application(), Logger: log.logger(), GracefulTimeout: 50 * time.Millisecond})
				conn := s.dial()
				_ = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
				version, headers := "1.1", []app.Header(nil)
				switch framing {
				case "length":
					headers = contentLength(2 * fileSize)
				case "by the end":
					version = "1.0"
				}
				send(t, conn, "GET /defer HTTP/"+version+"\r\nHost: a\r\n\r\n")
				d := l.take(t)
				one, two := fileOf(t, large), fileOf(t, large)
				if err := errors.Join(d.Start("200 OK", headers), d.SendFile(one, 0, fileSize), d.SendFile(two, 0, fileSize)); err != nil {
					t.Fatal(err)
				}
				in := bufio.NewReader(conn)
				response, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.CopyN(io.Discard, response.Body, 100_000); err != nil {
					t.Fatal(err)
				}
				if _, err := one.Stat(); err != nil {
					t.Fatal("closed too early:", err)
				}
				c.end(t, s, conn, d, one)
				if c.cut {
					n, err := io.Copy(io.Discard, response.Body)
					if err == nil || n+100_000 >= 2*fileSize {
						t.Errorf("%d octets more, and %v", n, err)
					}
				}
				closed(t, one, two)
				done(t, d)
				until(t, "the log", func() bool { return strings.Contains(log.String(), c.log) })
				third := fileOf(t, nil)
				if err := d.SendFile(third, 0, 0); err != app.ErrGone {
					t.Errorf("afterwards: %v", err)
				}
				closed(t, third)
			})
		}
	}
}

// TestSendFileIsWatched: a producer that goes on behind a file is told when the client has it.
func TestSendFileIsWatched(t *testing.T) {
	l := newLot()
	s := serve(t, server.Config{Loops: 1, Application: l.application()})
	conn := s.dial()
	send(t, conn, get("/defer"))
	d := l.take(t)
	var o observer
	d.Watch(&o)
	file := fileOf(t, randomOctets(fileSize))
	if err := errors.Join(d.Start("200 OK", nil), d.SendFile(file, 0, fileSize)); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Write([]byte("x")); n <= 64<<10 || err != nil || o.drained.Load() > 0 {
		t.Errorf("%d unsent, %v, drained %d", n, err, o.drained.Load())
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, response.Body, fileSize+1); err != nil {
		t.Fatal(err)
	}
	until(t, "Drained", func() bool { return o.drained.Load() == 1 })
	closed(t, file)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if n, err := io.Copy(io.Discard, response.Body); n != 0 || err != nil || o.left.Load() != 0 {
		t.Errorf("%d octets more, %v, left %d", n, err, o.left.Load())
	}
}

// TestSendFileMany: many files one behind the other, some of them read by several responses at the same time.
func TestSendFileMany(t *testing.T) {
	const clients, files = 8, 50
	l := newLot()
	s := serve(t, server.Config{Loops: 2, Application: l.application()})
	path := filepath.Join(t.TempDir(), "shared")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := ""
	for i := range files {
		want += fmt.Sprint("<", "0123456789"[i%10:], ">")
	}
	var ins []*bufio.Reader
	for range clients {
		c := s.dial()
		send(t, c, get("/defer"))
		ins = append(ins, bufio.NewReader(c))
	}
	for range clients {
		d := l.take(t)
		go func() {
			_ = d.Start("200 OK", nil)
			for i := range files {
				f, err := os.Open(path)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = d.Write([]byte("<"))
				if err := d.SendFile(f, int64(i%10), int64(10-i%10)); err != nil {
					t.Error(err)
				}
				_, _ = d.Write([]byte(">"))
			}
			_ = d.Close()
		}()
	}
	for _, in := range ins {
		expectAnswers(t, in, want)
	}
}
