package server_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// bodies counts bodies, and how often each was closed.
type bodies struct{ made, closed, again atomic.Int64 }

// counted is a body that counts its Close, and may block there.
type counted struct {
	app.Body
	all    *bodies
	linger time.Duration
	times  atomic.Int32
}

func (b *bodies) body(inner app.Body, linger time.Duration) app.Body {
	b.made.Add(1)
	return &counted{Body: inner, all: b, linger: linger}
}

func (c *counted) Close() error {
	if c.times.Add(1) > 1 {
		c.all.again.Add(1)
	}
	time.Sleep(c.linger)
	c.all.closed.Add(1)
	return c.Body.Close()
}

// chunkCount is how many chunks the streaming handlers make.
const chunkCount = 4

// streamed is the content that the streaming handlers make for a request.
func streamed(id string) (content string) {
	for i := range chunkCount {
		content += chunkOf(id, i)
	}
	return content
}

func chunkOf(id string, i int) string { return fmt.Sprintf("%s.%d\n", id, i) }

// pause is how long the call of a request blocks.
func pause(environ *app.Environ) time.Duration {
	n, _ := strconv.Atoi(environ.Get("HTTP_X_PAUSE"))
	return time.Duration(n) * time.Microsecond
}

// stressApplication has a path for each way in which an application can use its loop. All answer with the request's id, but those
// that fail with a 500.
func stressApplication(all *bodies) app.Application {
	blocking := app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
		time.Sleep(pause(environ))
		start("200 OK", nil)
		return all.body(app.String(environ.Get("HTTP_X_ID")), 0)
	})
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		id, wait := environ.Get("HTTP_X_ID"), pause(environ)
		view, _ := environ.Header("X-Id")
		defer func() { // views last as long as the call
			if string(view) != id && environ.Get("PATH_INFO") != "/blocking" {
				panic(fmt.Sprintf("the view of the id %q has become %q", id, view))
			}
		}()
		switch environ.Get("PATH_INFO") {
		case "/once":
		case "/sleep":
			time.Sleep(wait)
		case "/burn":
			for end := time.Now().Add(wait / 4); time.Now().Before(end); {
			}
		case "/panic":
			start("200 OK", nil)
			time.Sleep(wait)
			panic("late")
		case "/goexit":
			time.Sleep(wait)
			runtime.Goexit()
		case "/goexit-in-next":
			start("200 OK", nil)
			return all.body(app.Seq(func(func([]byte) bool) { time.Sleep(wait); runtime.Goexit() }), 0)
		case "/seq":
			start("200 OK", nil)
			return all.body(app.Seq(func(yield func([]byte) bool) {
				for i := range chunkCount {
					time.Sleep(wait / chunkCount)
					if !yield([]byte(chunkOf(id, i))) {
						return
					}
				}
			}), 0)
		case "/write":
			write := start("200 OK", nil)
			for i := range chunkCount {
				time.Sleep(wait / chunkCount)
				if _, err := write([]byte(chunkOf(id, i))); err != nil {
					break
				}
			}
			return all.body(app.Empty(), 0)
		case "/close":
			start("200 OK", nil)
			return all.body(app.String(id), wait)
		case "/read":
			content, err := io.ReadAll(environ.Input())
			if err != nil {
				panic(err)
			}
			time.Sleep(wait)
			start("200 OK", nil)
			return all.body(app.Bytes(content), 0)
		case "/blocking":
			return blocking(environ, start)
		case "/defer", "/defer-late", "/defer-stream", "/defer-file":
			path := environ.Get("PATH_INFO")
			d := environ.Defer()
			go deferredAnswer(d, path, id, wait)
			if path == "/defer-late" {
				time.Sleep(wait)
			}
			return all.body(app.Empty(), 0)
		}
		start("200 OK", nil)
		return all.body(app.String(id), 0)
	}
}

// deferredAnswer answers in one of several ways, later.
func deferredAnswer(d app.Deferred, path, id string, wait time.Duration) {
	time.Sleep(wait)
	if path != "/defer-stream" && path != "/defer-file" {
		_ = d.Answer(&app.Response{Status: "200 OK", Content: []byte(id)})
		return
	}
	if d.Start("200 OK", nil) != nil {
		return
	}
	for i := range chunkCount {
		chunk := []byte(chunkOf(id, i))
		if path == "/defer-file" && i > 0 {
			file, err := scratchFile(chunk)
			if err != nil {
				d.Abort(err)
				return
			}
			_ = d.SendFile(file, 1, int64(len(chunk)))
		} else {
			_, _ = d.Write(chunk)
		}
		time.Sleep(wait / chunkCount)
	}
	_ = d.Close()
}

// scratchFile is a file without a name that has chunk behind an octet.
func scratchFile(chunk []byte) (*os.File, error) {
	file, err := os.CreateTemp("", "weir-stress-")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name())
	_, err = file.WriteAt(chunk, 1)
	return file, err
}

var stressPaths = []string{
	"/once", "/once", "/once", "/sleep", "/burn", "/panic", "/goexit", "/goexit-in-next", "/seq", "/write", "/close", "/read",
	"/blocking", "/defer", "/defer-late", "/defer-stream", "/defer-file",
}

// stressClient sends pipelines of requests on connections, and checks the answers.
type stressClient struct {
	random *rand.Rand
	name   string
	dial   func() (net.Conn, error)
	sent   int
}

// stressRequest is one request, and what is to be answered.
type stressRequest struct {
	path, id, octets string
	status           int
	content          string
}

func (s *stressClient) request() (r stressRequest) {
	s.sent++
	r.path, r.id = stressPaths[s.random.IntN(len(stressPaths))], fmt.Sprintf("%s-%d", s.name, s.sent)
	wait := 100
	if s.random.IntN(8) == 0 {
		wait = s.random.IntN(50_000)
	}
	r.status, r.content = 200, r.id
	switch r.path {
	case "/panic", "/goexit", "/goexit-in-next":
		r.status, r.content = 500, "Internal Server Error\n"
	case "/seq", "/write", "/defer-stream", "/defer-file":
		r.content = streamed(r.id)
	}
	r.octets = fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nX-Id: %s\r\nX-Pause: %d\r\n", r.path, r.id, wait)
	switch {
	case r.path != "/read":
		r.octets += "\r\n"
	case s.random.IntN(2) == 0:
		r.content = strings.Repeat(r.id, 100)
		r.octets += fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(r.content), r.content)
	default: // more than is read before the call
		r.content = strings.Repeat(r.id, 2000)
		r.octets += fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(r.content), r.content)
	}
	return r
}

// connection sends some requests, in pieces, and reads the answers. It may vanish in the middle.
func (s *stressClient) connection() error {
	c, err := s.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	var requests []stressRequest
	var octets string
	for range 1 + s.random.IntN(12) {
		r := s.request()
		requests = append(requests, r)
		octets += r.octets
	}
	answers := len(requests)
	vanish := s.random.IntN(5) == 0
	if vanish {
		answers = s.random.IntN(answers)
		octets = octets[:len(octets)-s.random.IntN(20)]
	}
	written := make(chan error, 1)
	pieces := s.random.Uint64()
	go func() { written <- writePieces(c, octets, rand.New(rand.NewPCG(pieces, 1))) }()
	defer func() { _ = c.Close(); <-written }()
	in := bufio.NewReader(c)
	for i, want := range requests[:answers] {
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			return fmt.Errorf("%s %s: %w behind %d of %d requests, vanish %v, %.500q", want.path, want.id, err, i, len(requests), vanish, octets)
		}
		content, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != want.status || string(content) != want.content {
			return fmt.Errorf("%s %s: %d %.80q, %v; want %d %.80q", want.path, want.id, response.StatusCode, content, err, want.status, want.content)
		}
	}
	switch {
	case !vanish:
		if n := in.Buffered(); n > 0 {
			return fmt.Errorf("%d octets too many", n)
		}
	case s.random.IntN(2) == 0:
		_ = c.(*net.TCPConn).SetLinger(0)
	}
	return nil
}

// writePieces writes s in pieces, with pauses.
func writePieces(c net.Conn, s string, random *rand.Rand) error {
	for len(s) > 0 {
		n := 1 + random.IntN(len(s))
		if _, err := io.WriteString(c, s[:n]); err != nil {
			return err
		}
		s = s[n:]
		time.Sleep(time.Duration(random.IntN(2000)) * time.Microsecond)
	}
	return nil
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestHandoverStress: whatever applications do on their loops, and clients on their connections, each request that is waited for
// gets its answer, in order and once, and nothing is left of it.
func TestHandoverStress(t *testing.T) {
	for _, config := range []server.Config{
		{Loops: 2},
		{Loops: 2, Accept: server.Distribute, ContentBuffer: 1000, AccessLog: io.Discard, KeepHalfClosed: true},
	} {
		t.Run("accept="+string(config.Accept), func(t *testing.T) { stress(t, config, 3*time.Second) })
	}
}

func stress(t *testing.T, config server.Config, duration time.Duration) {
	seed := rand.Uint64()
	log := newRecord()
	config.Logger = log.logger()
	defer func() {
		if !t.Failed() {
			return
		}
		t.Logf("the seed is %d", seed)
		for line := range strings.Lines(log.String()) { // the first ones of a second; others are left out
			if !strings.Contains(line, "panic: late") && !strings.Contains(line, "ended its goroutine") {
				t.Log(line)
			}
		}
	}()
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors(t)
	var all bodies
	config.Application = stressApplication(&all)
	s := serve(t, config)
	var group sync.WaitGroup
	for i := range 16 {
		client := &stressClient{random: rand.New(rand.NewPCG(seed, uint64(i))), name: fmt.Sprint("c", i)}
		client.dial = func() (net.Conn, error) { return net.DialTimeout("tcp", s.Addresses()[0], patience) }
		group.Go(func() {
			for end := time.Now().Add(duration); time.Now().Before(end) && !t.Failed(); {
				if err := client.connection(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	until(t, "each body to be closed", func() bool { return all.closed.Load() == all.made.Load() })
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	noGoroutinesLeft(t, goroutines)
	until(t, "descriptors to be closed", func() bool { return openDescriptors(t) <= descriptors })
	if all.closed.Load() != all.made.Load() || all.again.Load() > 0 {
		t.Errorf("%d bodies, %d closed, %d twice", all.made.Load(), all.closed.Load(), all.again.Load())
	}
}
