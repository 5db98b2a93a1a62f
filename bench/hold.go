package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// holdCommand is the hidden first argument with which the runner starts itself
// as the holder of idle connections.
const holdCommand = "hold"

const (
	openers     = 32 // connections being opened at a time
	holdAtMost  = 2 * time.Minute
	sourceAddrs = 16 // 127.0.0.2 and up: one has too few ports for many connections
)

// holdMain opens connections, makes a request on each, and says "open N" when
// all are answered. To each line on standard input it answers "alive N": how
// many the server has not closed. It ends with standard input.
func holdMain(args []string) int {
	fs := flag.NewFlagSet(holdCommand, flag.ContinueOnError)
	addr := fs.String("addr", "", "server")
	target := fs.String("target", "/plaintext", "of the request")
	count := fs.Int("connections", 0, "how many")
	if err := fs.Parse(args); err != nil {
		return exitUsage
	}
	// A runner that hangs must not keep this process for ever.
	time.AfterFunc(holdAtMost, func() {
		fmt.Fprintln(os.Stderr, "held for too long")
		os.Exit(exitFailed)
	})
	conns, err := openIdle(*addr, *target, *count)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	fmt.Println("open", len(conns))
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println("alive", countAlive(conns))
	}
	return 0
}

// openIdle opens count connections which have each made one request.
func openIdle(addr, target string, count int) ([]net.Conn, error) {
	var (
		wg    sync.WaitGroup
		next  atomic.Int64
		conns = make([]net.Conn, count)
		errs  = make([]error, openers)
	)
	for opener := range openers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				conn, err := openOne(addr, exchangeOf("plaintext", target, 0), i)
				if err != nil {
					errs[opener] = err
					return
				}
				conns[i] = conn
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		closeAll(conns)
		return nil, err
	}
	return conns, nil
}

func openOne(addr string, x exchange, i int) (net.Conn, error) {
	dialer := net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%sourceAddrs))},
		Timeout:   5 * time.Second,
		KeepAlive: -1, // nothing but the request may cross the wire
	}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(x.bytes(addr, false)); err != nil {
		return nil, err
	}
	if err := newResponseReader(conn, x).next(); err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Time{})
}

func closeAll(conns []net.Conn) {
	for _, conn := range conns {
		if conn != nil {
			conn.Close()
		}
	}
}

// countAlive counts the connections on which the server has neither closed nor
// sent anything since its answer.
func countAlive(conns []net.Conn) int {
	alive := 0
	for _, conn := range conns {
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			continue
		}
		_ = raw.Read(func(fd uintptr) bool {
			var one [1]byte
			_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			if errors.Is(err, syscall.EAGAIN) {
				alive++
			}
			return true
		})
	}
	return alive
}
