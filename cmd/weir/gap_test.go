package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// load is what clients do that try nothing again: whatever fails is a failure.
type load struct {
	address string
	target  string
	want    string // content of every response
	stop    atomic.Bool
	group   sync.WaitGroup
	asked   atomic.Int64
	opened  atomic.Int64
	most    atomic.Int64 // nanoseconds that a request has taken

	mu       sync.Mutex
	failures []string // guarded by mu
}

const (
	// pause is what a client rests between two requests: this is no benchmark.
	pause = 4 * time.Millisecond
	// stale is after how long without a request a client does not trust its connection any more. It is less than --drain-idle, which is what clients
	// are promised.
	stale = time.Second
)

func (l *load) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// begin starts clients, so many of each kind.
func (l *load) begin(clients int) {
	for i := range 2 * clients {
		l.group.Go(func() { l.client(i < clients) })
	}
}

// end ends the clients, and returns what has failed.
func (l *load) end() []string {
	l.stop.Store(true)
	l.group.Wait()
	return l.failures
}

// client asks until the end, on one connection for as long as that lasts, or on a new one each time.
func (l *load) client(keeps bool) {
	var c net.Conn
	var r *bufio.Reader
	var last time.Time
	hangUp := func() {
		if c != nil {
			_ = c.Close()
			c = nil
		}
	}
	defer hangUp()
	for ; !l.stop.Load(); time.Sleep(pause) {
		if c != nil && time.Since(last) > stale {
			hangUp()
		}
		kind := "kept"
		if c == nil {
			var err error
			if c, err = net.DialTimeout("tcp", l.address, patience); err != nil {
				l.fail("connect: %v", err)
				c = nil
				continue
			}
			l.opened.Add(1)
			_ = c.SetDeadline(time.Now().Add(4 * patience))
			r = bufio.NewReader(c)
			kind = "new"
		}
		begin := time.Now()
		closes, err := l.ask(c, r, keeps)
		if took := int64(time.Since(begin)); took > l.most.Load() {
			l.most.Store(took)
		}
		l.asked.Add(1)
		if last = time.Now(); err != nil {
			l.fail("a %s connection, %v after it was asked: %v", kind, last.Sub(begin).Round(time.Microsecond), err)
		}
		if err != nil || closes || !keeps {
			hangUp()
		}
	}
}

// ask sends a request. closes tells that it was the last of the connection.
func (l *load) ask(c net.Conn, r *bufio.Reader, keeps bool) (closes bool, err error) {
	request := "GET " + l.target + " HTTP/1.1\r\nHost: a\r\n"
	if !keeps {
		request += "Connection: close\r\n"
	}
	if _, err := io.WriteString(c, request+"\r\n"); err != nil {
		return true, err
	}
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return true, err
	}
	body, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != 200 || string(body) != l.want) {
		err = fmt.Errorf("%s %q", response.Status, body)
	}
	return response.Close, err
}

// withoutAGap has reloads and upgrades happen under load, for some time.
func withoutAGap(t *testing.T, rounds int, every time.Duration, hangup func(l *line, n int), target string, args ...string) {
	t.Helper()
	l := startLine(t, binary, args...)
	clients := &load{address: l.at[0], target: target, want: "Hello, World!"}
	clients.begin(4)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := range rounds {
		<-ticker.C
		hangup(l, n)
		<-ticker.C
		l.upgrade()
	}
	<-ticker.C
	failures := clients.end()
	if len(failures) > 0 {
		t.Errorf("%d of %d requests have failed:\n%s", len(failures), clients.asked.Load(), strings.Join(failures[:min(len(failures), 20)], "\n"))
	}
	t.Logf("%d requests on %d connections, none of them took more than %v", clients.asked.Load(), clients.opened.Load(), time.Duration(clients.most.Load()).Round(time.Millisecond))
	if clients.asked.Load() == 0 {
		t.Error("nothing was asked")
	}
	l.end()
	if got := len(l.pids()); got != rounds+1 {
		t.Errorf("%d have served, want %d", got, rounds+1)
	}
}

// TestRunWithoutAGap: five reloads and five upgrades in half a minute of load, and no request fails: none is refused, none is closed without an
// answer, whether on a connection of its own or on one that is kept.
func TestRunWithoutAGap(t *testing.T) {
	t.Parallel()
	rounds, every := 5, 2700*time.Millisecond
	if underRace {
		rounds, every = 1, time.Second
	}
	config := filepath.Join(t.TempDir(), "weir.toml")
	write := func(n int) { writeFile(t, config, fmt.Sprintf("timeout = '%ds'\n", 20+n/2)) }
	write(0)
	replaced := 0
	withoutAGap(t, rounds, every, func(l *line, n int) {
		write(n) // every second time workers have other options
		l.signal(syscall.SIGHUP)
		if n > 0 && n%2 == 0 {
			l.logs(n/2, "workers with other options have taken over")
			return
		}
		replaced += 2
		l.logs(replaced, "worker is replaced")
	}, "/", "run", "app:app", "-c", config, "-b", "127.0.0.1:0", "-w", "2", "--chdir", applications(t), "--loops", "2")
}

// TestWithoutAGap is the same without workers, with another number of loops after each upgrade.
func TestWithoutAGap(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "weir.toml")
	write := func(n int) { writeFile(t, config, fmt.Sprintf("loops = %d\nkeep-alive = '%ds'\n", 3-n, 60+n)) }
	write(0)
	withoutAGap(t, 2, 400*time.Millisecond, func(l *line, n int) {
		write(n + 1)
		l.signal(syscall.SIGHUP)
		l.logs(n+1, "SIGHUP: the configuration counts")
	}, "/plaintext", "demo", "-c", config, "-b", "127.0.0.1:0")
}
