package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// signal sends a signal to weir.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// logged waits until weir has logged text.
func (p *process) logged(text string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(p.stderr.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("weir has not logged %q:\n%s", text, p.stderr.String())
		}
	}
}

// keepAlive is a connection of a client that asks more than once.
type keepAlive struct {
	net.Conn
	r *bufio.Reader
}

func (p *process) keepAlive() *keepAlive {
	c := p.dial()
	return &keepAlive{c, bufio.NewReader(c)}
}

// ask sends a request and returns the response.
func (c *keepAlive) ask(target string) (reply, error) {
	if _, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return reply{}, err
	}
	response, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return reply{}, err
	}
	body, err := io.ReadAll(response.Body)
	return reply{response, string(body)}, err
}

// TestSignalsTerm: SIGTERM has a request finished that runs, and one answered that comes late on a connection without any.
func TestSignalsTerm(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "-b", "127.0.0.1:0", "--drain-idle", "30s")
	idle, running := p.keepAlive(), p.keepAlive()
	if _, err := idle.ask("/plaintext"); err != nil {
		t.Fatal(err)
	}
	begun := make(chan struct{})
	slow := make(chan error, 1)
	go func() {
		_, err := io.WriteString(running, "GET /sleep?ms=500 HTTP/1.1\r\nHost: a\r\n\r\n")
		close(begun)
		if err == nil {
			var r *http.Response
			if r, err = http.ReadResponse(running.r, nil); err == nil {
				_, err = io.Copy(io.Discard, r.Body)
			}
		}
		_ = running.Close()
		slow <- err
	}()
	<-begun
	p.signal(syscall.SIGTERM)
	p.logged("SIGTERM")
	p.logged(`"at most":"30s"`)
	for closed := false; !closed; { // the loops hear of the end a moment after it is logged
		r, err := idle.ask("/plaintext")
		if err != nil || r.body != "Hello, World!" {
			t.Fatalf("%v, %v", r, err)
		}
		closed = r.Close
	}
	_ = idle.Close()
	if err := <-slow; err != nil {
		t.Errorf("the request that ran: %v", err)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
	if last := p.said(); !strings.Contains(last, "ended by SIGTERM") || !strings.Contains(last, "finished") {
		t.Errorf("the last line is %q", last)
	}
}

// TestSignalsQuick: SIGINT and SIGQUIT do not wait for what runs. It is not a failure.
func TestSignalsQuick(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		p := start(t, nil, "demo", "-b", "127.0.0.1:0", "--drain-idle", "1h", "--graceful-timeout", "1h")
		idle, running := p.keepAlive(), p.keepAlive()
		if _, err := idle.ask("/plaintext"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(running, "GET /sleep?ms=600000 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		p.signal(s)
		if status := p.wait(); status != 0 {
			t.Errorf("%v: exit %d: %s", s, status, p.stderr.String())
		}
		if last := p.said(); !strings.Contains(last, "without waiting") {
			t.Errorf("%v: the last line is %q", s, last)
		}
	}
}

// TestSignalsTooLate: what a worker has not finished in time is cut off, and the last line says so.
func TestSignalsTooLate(t *testing.T) {
	p := start(t, nil, "run", "app:app", "-b", "127.0.0.1:0", "-w", "1", "--chdir", applications(t), "--graceful-timeout", "1s")
	c := p.dial()
	if _, err := io.WriteString(c, "GET /sleep?600 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	worker := childrenOf(t, p.cmd.Process.Pid)
	if status := p.stop(); status != 1 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
	if last := p.said(); !strings.Contains(last, "ended by SIGTERM") || !strings.Contains(last, "cut off") {
		t.Errorf("the last line is %q", last)
	}
	for _, pid := range worker {
		wantGone(t, pid)
	}
}

// TestSignalsUnread: an end that nobody reads of is an end in order.
func TestSignalsUnread(t *testing.T) {
	cmd := exec.Command(binary, "demo", "-b", "127.0.0.1:0", "--pid", filepath.Join(t.TempDir(), "pid"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout // nor can it say so anywhere
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.HasPrefix(lines.Text(), "weir serves"); {
	}
	_ = out.Close()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestSignalsEarly: a signal ends weir at once while the application is imported. Nothing is left.
func TestSignalsEarly(t *testing.T) {
	dir := t.TempDir()
	pid, socket, admin := filepath.Join(dir, "pid"), filepath.Join(dir, "socket"), filepath.Join(dir, "admin")
	writeFile(t, filepath.Join(dir, "slow.py"), "import time\ntime.sleep(600)\n")
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd := exec.Command(binary, "run", "slow:app", "--chdir", dir, "-w", "1", "--pid", pid, "-b", "unix:"+socket, "--admin", "unix:"+admin)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		var children []int
		until(t, "a worker to start", func() bool {
			children = childrenOf(t, cmd.Process.Pid)
			return readPID(pid) == cmd.Process.Pid && exists(socket) && exists(admin) && len(children) > 0
		})
		_ = cmd.Process.Signal(s)
		_ = cmd.Wait()
		timer.Stop()
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != s {
			t.Errorf("%v: it has ended with %v", s, cmd.ProcessState)
		}
		for _, path := range []string{pid, socket, admin} {
			if exists(path) {
				t.Errorf("%v: %s is there still", s, path)
			}
		}
		for _, child := range children {
			wantGone(t, child)
		}
	}
}

// TestSignalsAmongMany: the signal that ends weir is not lost among others.
func TestSignalsAmongMany(t *testing.T) {
	for range 8 {
		p := start(t, nil, "demo", "-b", "127.0.0.1:0")
		stop := make(chan struct{})
		var senders sync.WaitGroup
		for _, s := range []os.Signal{syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH} {
			senders.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						_ = p.cmd.Process.Signal(s)
					}
				}
			})
		}
		time.Sleep(20 * time.Millisecond)
		status := p.stop()
		close(stop)
		senders.Wait()
		if status != 0 {
			t.Fatalf("exit %d", status)
		}
	}
}

// TestSignalsTwice: a second signal ends weir at once.
func TestSignalsTwice(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "-b", "127.0.0.1:0", "--graceful-timeout", "1h")
	running := p.keepAlive()
	if _, err := io.WriteString(running, "GET /sleep?ms=600000 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGTERM)
	p.logged("SIGTERM")
	until(t, "the end", func() bool { // the first ones are the same wish
		p.signal(syscall.SIGTERM)
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	p.wait()
	if s := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGTERM {
		t.Errorf("it has ended with %v", p.cmd.ProcessState)
	}
}

// TestSignalsSameWish: a repeat at once is the same wish, and cuts nothing off.
func TestSignalsSameWish(t *testing.T) {
	t.Parallel()
	for deadline := time.Now().Add(patience); ; {
		p := start(t, nil, "demo", "-b", "127.0.0.1:0")
		running := p.keepAlive()
		if _, err := io.WriteString(running, "GET /stream?chunks=2&ms=700 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(running.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		sent := time.Now()
		p.signal(syscall.SIGTERM)
		p.logged("SIGTERM")
		p.signal(syscall.SIGTERM)
		took := time.Since(sent)
		_, err = io.Copy(io.Discard, response.Body)
		_ = running.Close()
		status := p.wait()
		if took < sameWish && (err != nil || status != 0) {
			t.Errorf("the request that ran: %v; exit %d: %s", err, status, p.stderr.String())
		}
		if took < sameWish || time.Now().After(deadline) { // or else the test was too slow, and it was no repeat
			return
		}
	}
}

// TestSignalsWinch: without a terminal SIGWINCH has nothing accepted until SIGHUP. Who connects meanwhile waits, and is served then.
func TestSignalsWinch(t *testing.T) {
	t.Parallel()
	l := startLine(t, binary, "demo", "-b", "127.0.0.1:0", "--drain-idle", "30s", "--accept-at-once") // in a session of its own
	c := dialTo(t, l.at[0])
	k := &keepAlive{c, bufio.NewReader(c)}
	if _, err := k.ask("/plaintext"); err != nil {
		t.Fatal(err)
	}
	l.signal(syscall.SIGWINCH)
	l.logs(1, "SIGWINCH")
	// The connection that is there is told once the loop knows; until then it goes on.
	until(t, "the last answer", func() bool {
		r, err := k.ask("/plaintext")
		if err != nil {
			t.Fatal(err)
		}
		return r.Close
	})
	waits := dialTo(t, l.at[0])
	if _, err := io.WriteString(waits, "GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = waits.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := waits.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v; want nothing while weir pauses", n, err)
	}
	l.signal(syscall.SIGHUP)
	_ = waits.SetReadDeadline(time.Now().Add(patience))
	if r, err := http.ReadResponse(bufio.NewReader(waits), nil); err != nil || r.StatusCode != 200 {
		t.Errorf("%v, %v", r, err)
	}
	_, _ = waits.Close(), c.Close()
	l.end()
}
