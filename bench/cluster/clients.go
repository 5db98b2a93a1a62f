package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// crowd are the clients. Each has an event stream.
type crowd struct {
	o     *options
	weirs []string // addresses
	down  atomic.Int64

	ready   atomic.Int64 // clients that have had their first position
	clients []*reader
	done    sync.WaitGroup
	cancel  context.CancelFunc
	log     *messages
}

// reader is a client. Its goroutine owns it until done.
type reader struct {
	crowd   *crowd
	topic   int
	at      int // of the weirs
	since   uint64
	started bool
	ids     []uint64 // of what it has got, in order
	returns int      // connections after the first
	refused string   // what ended it
}

// startClients connects all clients, a slice of them at a time.
func startClients(ctx context.Context, o *options, s *servers, log *messages) (*crowd, error) {
	c := &crowd{o: o, log: log}
	for _, w := range s.weirs {
		c.weirs = append(c.weirs, w.addr)
	}
	c.down.Store(-1)
	ctx, c.cancel = context.WithCancel(ctx)
	slots := make(chan struct{}, 200)
	for i := range o.topics * o.clients {
		r := &reader{crowd: c, topic: i % o.topics, at: (i/o.topics + i) % nodes}
		c.clients = append(c.clients, r)
		c.done.Go(func() { r.run(ctx, slots) })
	}
	for deadline := time.Now().Add(2 * time.Minute); c.ready.Load() < int64(len(c.clients)); time.Sleep(10 * time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return c, err
		}
		if time.Now().After(deadline) {
			return c, fmt.Errorf("%d of %d clients are connected after 2 minutes", c.ready.Load(), len(c.clients))
		}
	}
	return c, nil
}

// stop ends the clients. What they have got can be read then.
func (c *crowd) stop() {
	c.cancel()
	c.done.Wait()
}

// run reads, and connects again to the next weir when a connection ends.
func (r *reader) run(ctx context.Context, slots chan struct{}) {
	for ctx.Err() == nil && r.refused == "" {
		slots <- struct{}{}
		conn, err := net.DialTimeout("tcp", r.crowd.weirs[r.at], 2*time.Second)
		<-slots
		if err == nil {
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			r.read(conn)
			stop()
			_ = conn.Close()
		}
		r.at = (r.at + 1) % nodes
		if int64(r.at) == r.crowd.down.Load() {
			r.at = (r.at + 1) % nodes
		}
		r.returns++
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var (
	idField   = []byte("id: ")
	dataField = []byte("data: ")
)

// read reads events until the connection ends. Frames of chunked coding are lines that have neither field.
func (r *reader) read(conn net.Conn) {
	request := fmt.Sprintf("GET /events/topic%d HTTP/1.1\r\nHost: bench\r\n", r.topic)
	if r.started {
		request += fmt.Sprintf("Last-Event-ID: %d\r\n", r.since)
	}
	if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
		return
	}
	in := bufio.NewReaderSize(conn, 512)
	_ = conn.SetReadDeadline(time.Now().Add(60 * time.Second))
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	if response.StatusCode == http.StatusGone {
		r.refused = "410: what it missed is gone"
		return
	}
	if response.StatusCode != http.StatusOK {
		return
	}
	lines := bufio.NewReaderSize(response.Body, 256)
	var id uint64
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case bytes.HasPrefix(line, idField):
			id, _ = strconv.ParseUint(string(line[len(idField):]), 10, 64)
			if !r.started {
				r.started = true
				r.crowd.ready.Add(1)
				r.since = id
			}
			_ = conn.SetReadDeadline(time.Now().Add(60 * time.Second))
		case bytes.HasPrefix(line, dataField):
			n, err := strconv.Atoi(string(line[len(dataField):]))
			if err != nil {
				r.refused = fmt.Sprintf("a message is %q", line)
				return
			}
			r.ids = append(r.ids, id)
			r.since = id
			r.crowd.log.read(n, id, r.topic)
		}
	}
}
