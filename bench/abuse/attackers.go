package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/program"
)

// attackCommand is the hidden first argument with which the program starts itself as the attackers of a case.
const attackCommand = "attack"

// begun is the line that they say when they begin.
const begun = "begun"

// attackMain says begun, attacks, and ends with its tally, a line of JSON.
func attackMain(args []string) int {
	fs := flag.NewFlagSet(attackCommand, flag.ContinueOnError)
	addr := fs.String("addr", "", "server")
	number := fs.Int("case", 0, "which")
	scale := fs.Float64("scale", 1, "factor on the counts")
	if err := fs.Parse(args); err != nil || *number < 1 || *number > len(attacks) {
		return program.Usage
	}
	proc.RaiseDescriptorLimit()
	a := attacks[*number-1].scaled(*scale)
	ctx, stop := context.WithTimeout(context.Background(), a.length)
	defer stop()
	// Whatever hangs must not keep this process for ever.
	time.AfterFunc(a.length+attackGrace, func() { os.Exit(program.Failed) })
	all := &attackers{addr: *addr, attack: a}
	fmt.Println(begun)
	a.do(ctx, all)
	if err := json.NewEncoder(os.Stdout).Encode(all.tally.counts); err != nil {
		return program.Failed
	}
	return 0
}

// attackers are the misbehaving clients of one case.
type attackers struct {
	addr   string
	attack attack
	tally  tally
}

// each runs do for each connection number, at the same time, and waits for all.
func (s *attackers) each(do func(i int)) {
	var all sync.WaitGroup
	for i := range s.attack.connections {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// share hands the numbers from 0 to total-1 out to workers, one for each connection, until ctx ends.
func (s *attackers) share(ctx context.Context, worker func(i int, next func() (int, bool))) {
	var taken atomic.Int64
	s.each(func(i int) {
		worker(i, func() (int, bool) {
			n := int(taken.Add(1)) - 1
			return n, n < s.attack.total && ctx.Err() == nil
		})
	})
}

// Clients come from so many addresses, from 127.0.0.2 on: the ports of one would not do for many short connections.
const sources = 200

// dialing is how many connections are opened at a time, as a listener's queue is not endless.
var dialing = make(chan struct{}, 64)

// sendBuffer is that of an attacker. Attackers come from other machines, and what they have not sent yet is kept there: with
// buffers of the system's own size hundreds of them take all that net.ipv4.tcp_mem allows this machine, and the kernel
// drops everybody's segments, whatever the server does.
const sendBuffer = 64 << 10

// dial connects client i. receive is the size of its receive buffer, 0 for the system's. What goes wrong is tallied.
func (s *attackers) dial(i, receive int) (*net.TCPConn, bool) {
	dialing <- struct{}{}
	defer func() { <-dialing }()
	dialer := net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%sources))},
		Timeout:   5 * time.Second,
		KeepAlive: -1,
	}
	dialer.Control = func(_, _ string, raw syscall.RawConn) error {
		var err error
		controlErr := raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, sendBuffer)
			if err == nil && receive > 0 {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receive)
			}
		})
		return errors.Join(controlErr, err)
	}
	conn, err := dialer.Dial("tcp", s.addr)
	if err != nil {
		s.tally.add("not connected")
		return nil, false
	}
	return conn.(*net.TCPConn), true
}

// reset closes the connection with RST, which leaves no port behind that has to wait.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// An answer is what a client has seen of a response.
type answer struct {
	status int
	began  bool // there was at least one octet
	whole  bool
	close  bool // the server has announced that it closes
}

// readAnswer reads a response. Of a content over most octets the rest stays unread, and the answer is not whole.
func readAnswer(r *bufio.Reader, most int64) (a answer, err error) {
	if _, err = r.Peek(1); err != nil {
		return a, err
	}
	a.began = true
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return a, err
	}
	a.status, a.close = response.StatusCode, response.Close
	n, err := io.Copy(io.Discard, io.LimitReader(response.Body, most+1))
	a.whole = err == nil && n <= most
	return a, err
}

// tally counts what happened by name. Any goroutine.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (t *tally) add(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = make(map[string]int)
	}
	t.counts[what]++
}

// tallyText is counts in one line.
func tallyText(counts map[string]int) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[what], what))
	}
	return strings.Join(parts, ", ")
}
