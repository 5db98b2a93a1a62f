package python

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/response"
)

// openAtOnce is how many connections may be without their first answer.
const openAtOnce = 50

// startSlow opens connections that send an octet of a head each second, from different moments on. One that the server closes is opened again.
func startSlow(ctx context.Context, addr string, count int, _ time.Duration) (stop func() int) {
	ctx, cancel := context.WithCancel(ctx)
	var wg, opened sync.WaitGroup
	var open atomic.Int64
	for i := range count {
		opened.Add(1)
		wg.Go(func() {
			once := sync.OnceFunc(opened.Done)
			defer once()
			if program.Pause(ctx, time.Second*time.Duration(i)/time.Duration(count)) != nil {
				return
			}
			for ctx.Err() == nil {
				conn, err := net.DialTimeout("tcp", addr, time.Second)
				once()
				if err == nil {
					open.Add(1)
					dribble(ctx, conn)
					if ctx.Err() == nil {
						open.Add(-1)
					}
					_ = conn.Close()
				}
				_ = program.Pause(ctx, time.Second)
			}
		})
	}
	opened.Wait()
	return func() int {
		cancel()
		wg.Wait()
		return int(open.Load())
	}
}

// dribble returns when the server has closed the connection, or ctx ends.
func dribble(ctx context.Context, conn net.Conn) {
	if _, err := io.WriteString(conn, "GET "+plaintext+" HTTP/1.1\r\nHost: slow\r\nX-Slow: "); err != nil {
		return
	}
	for program.Pause(ctx, time.Second) == nil {
		if _, err := io.WriteString(conn, "x"); err != nil || closed(conn) {
			return
		}
	}
}

// startIdle opens connections that have made a request each. A server that closes one behind the answer, or does not answer, has none.
func startIdle(ctx context.Context, addr string, count int, within time.Duration) (stop func() int) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conns := make([]net.Conn, count)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range openAtOnce {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < count && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				conns[i] = openIdle(ctx, addr)
			}
		})
	}
	wg.Wait()
	return func() (left int) {
		for _, conn := range conns {
			if conn == nil {
				continue
			}
			if !closed(conn) {
				left++
			}
			_ = conn.Close()
		}
		return left
	}
}

// openIdle is nil when there is no answer.
func openIdle(ctx context.Context, addr string) net.Conn {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil
	}
	end, _ := ctx.Deadline()
	err = conn.SetDeadline(end)
	if err == nil {
		_, err = io.WriteString(conn, "GET "+plaintext+" HTTP/1.1\r\nHost: idle\r\n\r\n")
	}
	room := make([]byte, 2048)
	for n := 0; err == nil; {
		var more, size int
		more, err = conn.Read(room[n:])
		n += more
		if _, size, _ = response.Parse(room[:n]); size > 0 {
			return conn
		}
		if n == len(room) {
			err = io.ErrShortBuffer
		}
	}
	_ = conn.Close()
	return nil
}

// closed tells whether the server has closed the connection.
func closed(conn net.Conn) bool {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	ended := false
	err = raw.Control(func(fd uintptr) {
		var room [1]byte
		n, _, err := unix.Recvfrom(int(fd), room[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		ended = n == 0 && err == nil || err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
	})
	return ended || err != nil
}
