// Package healthy has the client that notices what others do to a server.
package healthy

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/histogram"
)

const (
	every   = 5 * time.Millisecond // between requests: 200 a second
	timeout = 2 * time.Second      // for an answer; later is an error
	nice    = -10                  // where it is allowed
)

// A Client has one connection and sends at fixed times, whatever the server does. A latency counts from when a
// request should have been sent. It makes blocking system calls on a thread of its own, ahead of others in the
// queue for a core where that is allowed: the figures are to be about the server, and not about the runtime of the client.
type Client struct {
	// Latencies are of the requests under attack, Quiet of those before. These and what follows are the client's own until Stop.
	Quiet, Latencies histogram.Histogram
	Requests         int // under attack
	Errors           int
	Reconnects       int // that the server had announced
	FirstError       error

	port     int
	request  []byte
	expected []byte // the end of the head, and the content

	sending  atomic.Bool // any goroutine
	attacked atomic.Bool // any goroutine
	quit     chan struct{}
	done     chan struct{}
	ready    chan error // whether the first connection was made and answered

	// The client's own.
	fd     int
	buffer []byte
}

// New connects to a port of 127.0.0.1 and makes one request for target, whose answer must have the content. Sending begins with Begin.
func New(port int, target, content string) (*Client, error) {
	h := &Client{port: port, fd: -1, buffer: make([]byte, 16<<10),
		request:  []byte("GET " + target + " HTTP/1.1\r\nHost: healthy\r\n\r\n"),
		expected: []byte("\r\n\r\n" + content),
		quit:     make(chan struct{}), done: make(chan struct{}), ready: make(chan error, 1)}
	go h.run()
	return h, <-h.ready
}

// Begin begins or resumes the sending.
func (h *Client) Begin() { h.sending.Store(true) }

// Attack has what follows count as under attack.
func (h *Client) Attack() { h.attacked.Store(true) }

// Pause ends the sending; the connection stays.
func (h *Client) Pause() { h.sending.Store(false) }

// Stop closes the connection. Figures may be read after it.
func (h *Client) Stop() {
	close(h.quit)
	<-h.done
}

func (h *Client) run() {
	runtime.LockOSThread() // and never unlocked: the thread ends with its priority
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice)
	defer close(h.done)
	defer h.disconnect()
	if err := h.exchange(); err != nil {
		h.ready <- fmt.Errorf("healthy client: %w", err)
		return
	}
	h.ready <- nil
	due, sent := time.Now(), false
	for {
		quit := false
		select {
		case <-h.quit:
			quit = true
		default:
		}
		if quit || !h.sending.Load() {
			if sent && h.attacked.Load() {
				h.recordDue(due)
			}
			if quit {
				return
			}
			sent = false
			time.Sleep(every)
			due = time.Now()
			continue
		}
		sent = true
		if wait := time.Until(due); wait > 0 {
			span := syscall.NsecToTimespec(int64(wait))
			_ = syscall.Nanosleep(&span, nil)
			continue // it may have been interrupted
		}
		attacked := h.attacked.Load()
		if attacked {
			h.Requests++
		}
		if err := h.exchange(); err != nil {
			h.Errors++
			if h.FirstError == nil {
				h.FirstError = err
			}
			h.disconnect()
		}
		if took := time.Since(due); attacked {
			h.Latencies.Record(took)
		} else {
			h.Quiet.Record(took)
		}
		due = due.Add(every)
	}
}

// recordDue counts the requests that should have been sent and have not been, because earlier ones took too long: without
// them a server that hangs would look better the longer it does.
func (h *Client) recordDue(due time.Time) {
	for now := time.Now(); due.Before(now); due = due.Add(every) {
		h.Requests++
		h.Latencies.Record(now.Sub(due))
	}
}

// exchange makes a request, on a new connection where there is none.
func (h *Client) exchange() error {
	if h.fd < 0 {
		if err := h.connect(); err != nil {
			return err
		}
	}
	if _, err := syscall.Write(h.fd, h.request); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	n := 0
	for {
		m, err := syscall.Read(h.fd, h.buffer[n:])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("read: %w", err)
		case m == 0:
			return errors.New("closed by the server")
		}
		n += m
		h.acknowledge()
		if done, err := h.judge(h.buffer[:n]); err != nil {
			return err
		} else if done {
			break
		}
	}
	if bytes.Contains(bytes.ToLower(h.buffer[:n]), []byte("\r\nconnection: close\r\n")) {
		h.disconnect()
		h.Reconnects++
	}
	return nil
}

// acknowledge has the kernel acknowledge what was read at once. Otherwise a server that sends its answers in two pieces, and
// has not set TCP_NODELAY, waits 40 ms between them, and the figures are about that.
func (h *Client) acknowledge() {
	_ = syscall.SetsockoptInt(h.fd, syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
}

// judge tells whether response is whole, and is the one that there should be.
func (h *Client) judge(response []byte) (done bool, err error) {
	if len(response) < len("HTTP/1.1 200 ") {
		return false, nil
	}
	if string(response[9:13]) != "200 " {
		line, _, _ := bytes.Cut(response, []byte("\r\n"))
		return false, errors.New("answered " + strconv.Quote(string(line)))
	}
	if bytes.HasSuffix(response, h.expected) {
		return true, nil
	}
	if end := bytes.Index(response, h.expected[:4]); end >= 0 && len(response)-end > len(h.expected) {
		return false, errors.New("the content is another one")
	}
	return false, nil
}

func (h *Client) connect() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	limit := syscall.NsecToTimeval(int64(timeout))
	err = errors.Join(
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit),
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &limit),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
	)
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: h.port, Addr: [4]byte{127, 0, 0, 1}})
	}
	if err != nil {
		_ = syscall.Close(fd)
		return fmt.Errorf("connect: %w", err)
	}
	h.fd = fd
	return nil
}

func (h *Client) disconnect() {
	if h.fd >= 0 {
		_ = syscall.Close(h.fd)
		h.fd = -1
	}
}
