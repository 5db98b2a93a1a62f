package loop

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// detach has a connection leave its loop, and hands it to the test.
func detach(t *testing.T, p *peer, unread []byte, to chan<- *Detached) {
	d, err := p.Detach(unread)
	if err != nil {
		t.Error(err)
		p.Abort(ReasonAborted)
		return
	}
	to <- d
}

// TestDetach: what comes behind the point where a connection leaves its loop is read by its new owner, whenever the
// connection leaves, and the loop tells its Handler nothing more.
func TestDetach(t *testing.T) {
	left := make(chan *Detached, 1)
	tests := []struct {
		name  string
		hooks hooks
		first string // sent before the connection leaves
		slow  int    // how much of it comes alone
		want  string // of it, read by the new owner
	}{
		{"when it opens", hooks{opened: func(p *peer) { detach(t, p, nil, left) }}, "", 0, ""},
		{"with the first octets", hooks{data: func(p *peer, in []byte) int {
			detach(t, p, in, left)
			return 0
		}}, "first", 0, "first"},
		{"with a part of them", hooks{data: func(p *peer, in []byte) int {
			detach(t, p, in[2:], left)
			return len(in)
		}}, "first", 0, "rst"},
		{"with what was kept", hooks{data: func(p *peer, in []byte) int {
			if len(in) < 6 {
				return 0
			}
			detach(t, p, in, left)
			return 3
		}}, "kept..", 4, "kept.."},
		{"behind an answer", hooks{data: func(p *peer, in []byte) int {
			p.Write([]byte("answer"))
			detach(t, p, in[1:], left)
			return len(in)
		}}, "?more", 0, "more"},
		{"when its time is over", hooks{
			opened:  func(p *peer) { p.SetDeadline(time.Millisecond) },
			timeout: func(p *peer) { detach(t, p, nil, left) },
		}, "", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			h := tt.hooks
			h.closed = func(_ *peer, reason Reason) { t.Errorf("closed: %v", reason) }
			r := newReactor(t, 1)
			ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, h)
			client := dial(t, ln)
			if n := tt.slow; n > 0 {
				send(t, client, []byte(tt.first[:n]))
				eventually(t, "they are kept", func() (kept bool) {
					on(t, r.Loops()[0], func() { r.Loops()[0].Each(func(c *Conn) { kept = c.Kept() == n }) })
					return kept
				})
			}
			if behind := tt.first[tt.slow:]; behind != "" {
				send(t, client, []byte(behind))
			}
			d := receive(t, left, "detached connection")
			_ = d.SetDeadline(time.Now().Add(patience))
			if tt.name == "behind an answer" {
				expect(t, client, "answer")
			}
			send(t, client, []byte(" and then"))
			expect(t, d, tt.want+" and then")
			send(t, d, []byte("reply"))
			expect(t, client, "reply")
			if d.RemoteAddr().String() != client.LocalAddr().String() || d.Listener() != ln {
				t.Errorf("it is from %v, at %v", d.RemoteAddr(), d.Listener())
			}
			rounds(t, r.Loops()[0])
			if n := r.Connections(); n != 1 {
				t.Errorf("%d connections are open, want 1", n)
			}
			for range 2 { // the second is an error, and counts nothing
				_ = d.Close()
			}
			expectEOF(t, client)
			if n := r.Connections(); n != 0 {
				t.Errorf("%d connections are open, want none", n)
			}
			_ = client.Close()
			r.Stop()
		})
	}
}

// TestDetachHeld: what came while input was held is read by the new owner, behind what the old one has left.
func TestDetachHeld(t *testing.T) {
	opened := make(chan *peer, 1)
	r := newReactor(t, 1)
	ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{data: func(p *peer, in []byte) int {
		p.Hold()
		opened <- p
		return len(in)
	}})
	client := dial(t, ln)
	send(t, client, []byte("first"))
	p := receive(t, opened, "first octets")
	const held = " held"
	send(t, client, []byte(held))
	eventually(t, "they are kept", func() (kept bool) {
		on(t, r.Loops()[0], func() { kept = p.Kept() == len(held) })
		return kept
	})
	left := make(chan *Detached, 1)
	on(t, r.Loops()[0], func() { detach(t, p, []byte("left"), left) })
	d := receive(t, left, "detached connection")
	defer d.Close()
	send(t, client, []byte(" and then"))
	_ = d.SetDeadline(time.Now().Add(patience))
	expect(t, d, "left"+held+" and then")
}

// TestDetachedRead: a Read of any size gets what there is, deadlines count, and the end is told once all is read. What was read ahead is
// known.
func TestDetachedRead(t *testing.T) {
	left := make(chan *Detached, 1)
	ln := serveOne(t, hooks{opened: func(p *peer) { detach(t, p, nil, left) }})
	client := dial(t, ln)
	d := receive(t, left, "detached connection")
	defer d.Close()
	_ = d.SetReadDeadline(time.Now().Add(time.Millisecond))
	if n, err := d.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nothing is there: %d octets, %v", n, err)
	}
	_ = d.SetReadDeadline(time.Now().Add(patience))
	content := make([]byte, 3*aheadSize+17)
	for i := range content {
		content[i] = byte(i * i >> 8)
	}
	go func() {
		_, _ = client.Write(content)
		_ = client.(*net.TCPConn).CloseWrite()
	}()
	var got []byte
	for _, size := range []int{0, 1, 5, 1 << 10, aheadSize, 7, 2 * aheadSize, 3} {
		p := make([]byte, size)
		ahead := d.Buffered()
		n, err := d.Read(p)
		if err != nil || n > size || n == 0 && size > 0 {
			t.Fatalf("Read of %d: %d octets, %v", size, n, err)
		}
		if got = append(got, p[:n]...); ahead > 0 && d.Buffered() != ahead-n {
			t.Errorf("%d octets were read ahead, %d read, and %d are left", ahead, n, d.Buffered())
		}
	}
	rest, err := io.ReadAll(d)
	if got = append(got, rest...); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d octets, want %d; %v", len(got), len(content), err)
	}
	if n, err := d.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d octets, %v", n, err)
	}
}

// TestDetachRefused: a connection that cannot leave stays, and works.
func TestDetachRefused(t *testing.T) {
	t.Run("output waits", func(t *testing.T) {
		result := make(chan error, 1)
		ln := serveOne(t, hooks{data: func(p *peer, in []byte) int {
			p.Write(make([]byte, 32<<20))
			_, err := p.Detach(in)
			result <- err
			p.Finish(ReasonDone, false)
			return len(in)
		}})
		client := dial(t, ln)
		send(t, client, []byte("x"))
		if err := receive(t, result, "Detach"); !errors.Is(err, errUnsent) {
			t.Errorf("Detach says %v", err)
		}
		if n, err := io.Copy(io.Discard, client); n != 32<<20 || err != nil {
			t.Errorf("%d octets, %v", n, err)
		}
	})
	t.Run("no socket", func(t *testing.T) {
		l := still(t)
		p := &peer{}
		m := l.Connect(p, nil, func(b []byte) int { return len(b) })
		if _, err := p.Detach(nil); !errors.Is(err, errNoSocket) {
			t.Errorf("Detach says %v", err)
		}
		m.EOF()
		if _, err := p.Detach(nil); err == nil {
			t.Error("a closed connection was detached")
		}
	})
}

// TestDetachLimits: a connection that has left counts for its client until it is closed.
func TestDetachLimits(t *testing.T) {
	left := make(chan *Detached, 1)
	over := make(chan bool, 4)
	r, err := New(Options{Loops: 1, MaxPerAddress: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{opened: func(p *peer) {
		if over <- p.OverLimit(); !p.OverLimit() {
			detach(t, p, nil, left)
		}
	}})
	dial(t, ln)
	d := receive(t, left, "detached connection")
	dial(t, ln)
	first, second := receive(t, over, "connection"), receive(t, over, "connection")
	if first || !second {
		t.Errorf("over the limit: %v, %v; want the second", first, second)
	}
	_ = d.Close()
	dial(t, ln)
	if receive(t, over, "connection") {
		t.Error("a connection that was closed counts")
	}
	_ = receive(t, left, "detached connection").Close()
}

// TestDetachReset: a client that has left before its connection does is known nevertheless.
func TestDetachReset(t *testing.T) {
	left := make(chan *Detached, 1)
	hold := make(chan struct{})
	r := newReactor(t, 1)
	ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{data: func(p *peer, in []byte) int {
		<-hold
		detach(t, p, in, left)
		return len(in)
	}})
	client := dial(t, ln)
	send(t, client, []byte("x"))
	address := client.LocalAddr().String()
	reset(client)
	close(hold)
	d := receive(t, left, "detached connection")
	defer d.Close()
	if got := d.RemoteAddr().String(); got != address {
		t.Errorf("it is from %s, want %s", got, address)
	}
	expect(t, d, "x")
	if _, err := d.Read(make([]byte, 1)); err == nil {
		t.Error("it can be read on")
	}
}

// TestDetachShutdown: Shutdown waits for connections that have left, and cuts them off in the end.
func TestDetachShutdown(t *testing.T) {
	for _, finish := range []bool{true, false} {
		noLeaks(t)
		left := make(chan *Detached, 1)
		r := newReactor(t, 2)
		ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{data: func(p *peer, in []byte) int {
			detach(t, p, in, left)
			return len(in)
		}})
		client := dial(t, ln)
		send(t, client, []byte("x"))
		d := receive(t, left, "detached connection")
		ctx, cancel := context.WithCancel(background(t))
		ended := make(chan error, 1)
		go func() { ended <- r.Shutdown(ctx) }()
		eventually(t, "the listener is closed", func() bool { return ln.open.Load() == 0 })
		for _, l := range r.Loops() {
			eventually(t, "the loop accepts no more", l.deaf.Load)
		}
		none(t, ended, "Shutdown returned")
		expect(t, d, "x")
		if finish {
			_ = d.Close()
		} else {
			cancel()
		}
		if err := receive(t, ended, "end of Shutdown"); (err == nil) != finish {
			t.Errorf("Shutdown returned %v", err)
		}
		expectEOF(t, client)
		if _, err := d.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("reading behind the end: %v", err)
		}
		cancel()
		_ = client.Close()
	}
}
